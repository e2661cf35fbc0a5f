"""What browsers compute of a window around its network, as ONNX graphs: the formulas of `generation/`, traced.

Rows (bands, and an image below them) and noise are time-major in browsers: [frames, rows].
"""

from typing import Any

import numpy as np

from halfstep.app.page.tracing import onnx_graph
from halfstep.audio.guide import guide_rows
from halfstep.audio.image import image_of
from halfstep.audio.mel import magnitude_to_log_mel
from halfstep.bundle import ModelFolder
from halfstep.diffusion.forms import hold_known
from halfstep.diffusion.rates import Rates
from halfstep.diffusion.steps import ddim_step
from halfstep.generation.crossfade import crossfaded
from halfstep.generation.stationary import held_stationary
from halfstep.generation.window import WindowSampler, layout_of, nearer
from halfstep.vocoders.stereo import FRAMES_AT_ONCE, side_grid, side_of_mid

SPECTRA_AT_ONCE = 32
"""Frames of a recording that are analysed together."""
Array = Any
"""An array that is traced."""


def graphs(folder: ModelFolder) -> dict[str, bytes]:
    """What the page calls a graph -> its file. `packed` and `unpacked` lead into the network and out of it (of a model
    that follows a guide `packed` takes that too), `stepped` is one step of the sampler, `crossfaded` joins windows, and
    `crossfaded-N` the ends of a loop of N frames, which are too few for it. `log_mel`, `standardised` and `analysed`
    are about bands, `nearer` is a round of the search for the noise of what is known. `stationary`, of a model that has
    it, leads a stream's window back to the average. Of a model of two channels `imaged` is the image of a recording,
    and `side` what its mid is multiplied with for the side.
    """
    manifest, packing = folder.manifest, folder.packing
    mel, frames, bands = manifest.mel, manifest.frames, manifest.mel.rows
    layout, sampler = layout_of(manifest), WindowSampler(_no_network, manifest, manifest.default_steps, packing)
    window, x = (frames, bands), (1, manifest.channels, manifest.length)

    def packed(noise: Array, known: Array, mask: Array, *guides: Array) -> tuple[Array, ...]:
        known_x = packing.flat(known.T)
        context, held = packing.context(known_x, mask)
        given = [*([context] if manifest.context else []), *(packing.pack_rows(guide) for guide in guides)]
        aligned = np.concatenate(given, axis=-2) if given else context
        parts = (packing.noise(noise.T), known_x, held, aligned)
        return tuple(part[None] for part in parts)

    def stepped(
        z: Array, v: Array, known: Array, held: Array, alpha_t: Array, sigma_t: Array, alpha_s: Array, sigma_s: Array
    ) -> Array:
        at_t, at_s = Rates(alpha_t, sigma_t), Rates(alpha_s, sigma_s)
        return ddim_step(z, hold_known(v, z, known, held, at_t), at_t, at_s)

    def unpacked(z: Array) -> Array:
        return packing.unflat(z[0]).T

    def of_bands(old: Array, new: Array) -> Array:
        return crossfaded(old.T, new.T).T

    def log_mel(standardised: Array) -> Array:
        return sampler.log_mel(standardised.T).T

    def standardised(log_mel: Array) -> Array:
        return sampler.standardised(log_mel.T).T

    def analysed(magnitude: Array) -> Array:
        return magnitude_to_log_mel(magnitude.T, mel).T

    def imaged(of_left: Array, of_right: Array, of_both: Array) -> Array:
        return image_of((of_left, of_right, of_both), mel).T

    def side(power: Array, image: Array) -> tuple[Array, Array]:
        return side_of_mid(power, image.T, side_grid(mel))

    def closer(noise: Array, known: Array, rendered: Array, target: Array) -> Array:
        return nearer(noise.T, known.T, rendered.T, target, packing.scale).T

    def stationary(window: Array, past: Array, fresh: Array, ramp: Array) -> Array:
        assert manifest.stationary is not None
        return held_stationary(window.T, past, fresh, ramp, manifest.stationary, mel.n_mels).T

    times = dict.fromkeys(("past", "fresh", "ramp"), (frames,))
    one = dict.fromkeys(("alpha_t", "sigma_t", "alpha_s", "sigma_s"), (1,))
    fade, rows = (layout.crossfade, bands), guide_rows(manifest.guide)
    guide = {"guide": (rows, frames)} if rows else {}
    made = {
        "packed": onnx_graph(
            packed, {"noise": window, "known": window, "mask": (frames,), **guide}, ["z", "known_x", "held", "aligned"]
        ),
        "stepped": onnx_graph(stepped, {"z": x, "v": x, "known_x": x, "held": x, **one}, ["z_s"]),
        "unpacked": onnx_graph(unpacked, {"z": x}, ["window"]),
        "crossfaded": onnx_graph(of_bands, {"old": fade, "new": fade}, ["joined"]),
        "log_mel": onnx_graph(log_mel, {"window": window}, ["bands"]),
        "standardised": onnx_graph(standardised, {"bands": window}, ["window"]),
        "analysed": onnx_graph(analysed, {"magnitude": (SPECTRA_AT_ONCE, mel.bins)}, ["bands"]),
        "nearer": onnx_graph(
            closer, {"noise": window, "known": window, "rendered": window, "target": (frames,)}, ["nearer"]
        ),
    }
    for wrap in range(layout.grain, layout.crossfade, layout.grain):
        short = (wrap, bands)
        made[f"crossfaded-{wrap}"] = onnx_graph(of_bands, {"old": short, "new": short}, ["joined"])
    if mel.image_bands:
        size = (SPECTRA_AT_ONCE, mel.bins)
        spectra = {"of_left": size, "of_right": size, "of_both": size}
        grid = side_grid(mel)
        by_side = {"power": (FRAMES_AT_ONCE, grid.bins), "image": (FRAMES_AT_ONCE, 2 * mel.image_bands)}
        made["imaged"] = onnx_graph(imaged, spectra, ["image"])
        made["side"] = onnx_graph(side, by_side, ["real", "imag"])
    if manifest.stationary is not None:
        made["stationary"] = onnx_graph(stationary, {"window": window, **times}, ["stationary"])
    return made


def _no_network(*_: Any) -> np.ndarray:
    raise AssertionError("formulas alone are asked of it")
