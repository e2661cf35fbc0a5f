"""The graphs that browsers run give what numpy gives; and what has no graph is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import halfstep
from halfstep.app.page.graphs import SPECTRA_AT_ONCE, graphs
from halfstep.app.page.tracing import onnx_graph
from halfstep.audio.guide import BOTH, guide_rows
from halfstep.audio.image import image_rows, products
from halfstep.audio.mel import magnitude_to_log_mel
from halfstep.bundle import load_folder
from halfstep.bundle.onnx_bytes import onnx_problems
from halfstep.diffusion.forms import hold_known
from halfstep.diffusion.rates import Rates
from halfstep.diffusion.steps import ddim_step
from halfstep.generation.crossfade import crossfaded
from halfstep.generation.stationary import held_stationary, shares
from halfstep.generation.window import WindowSampler, layout_of, nearer
from halfstep.vocoders.stereo import FRAMES_AT_ONCE, side_grid, side_spectra


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return graphs(halfstep.load().folder)


def answers(graph: bytes, **inputs: np.ndarray) -> list[np.ndarray]:
    """What a graph gives, in order."""
    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    assert onnx_problems(graph) == []
    return [np.asarray(one) for one in onnxruntime.InferenceSession(graph).run(None, inputs)]


def test_what_leads_into_the_network_and_out_of_it(made: dict[str, bytes]):
    model, rng = halfstep.load(), np.random.default_rng(0)
    packing, manifest = model.folder.packing, model.manifest
    noise, known = rng.standard_normal((2, manifest.frames, manifest.mel.n_mels)).astype(np.float32)
    mask = (np.arange(manifest.frames) < 335).astype(np.float32)  # the last of its patches is known in part
    z, known_x, held, aligned = answers(made["packed"], noise=noise, known=known, mask=mask)
    context, where = packing.context(packing.flat(known.T), mask)
    for found, expected in ((z, packing.noise(noise.T)), (known_x, packing.flat(known.T)), (held, where)):
        np.testing.assert_allclose(found[0], expected, atol=1e-4)
    np.testing.assert_allclose(aligned[0], context, atol=1e-4)
    (window,) = answers(made["unpacked"], z=z)
    np.testing.assert_allclose(window, packing.unflat(z[0]).T, atol=1e-4)


def test_a_guide_stands_below_the_context(made: dict[str, bytes]):
    folder, rng = halfstep.load().folder, np.random.default_rng(0)
    manifest, rows = replace(folder.manifest, guide=BOTH), guide_rows(BOTH)
    guided = graphs(replace(folder, manifest=manifest))["packed"]
    noise, known = rng.standard_normal((2, manifest.frames, manifest.mel.n_mels)).astype(np.float32)
    mask, guide = np.ones(manifest.frames, np.float32), rng.random((rows, manifest.frames)).astype(np.float32)
    *others, aligned = answers(guided, noise=noise, known=known, mask=mask, guide=guide)
    *expected, context = answers(made["packed"], noise=noise, known=known, mask=mask)
    for found, plain in zip((*others, aligned[:, : context.shape[1]]), (*expected, context), strict=True):
        np.testing.assert_array_equal(found, plain)
    assert aligned.shape[1] == manifest.aligned_channels
    np.testing.assert_allclose(aligned[0, context.shape[1] :], folder.packing.pack_rows(guide), atol=1e-6)


def test_a_step_of_the_sampler(made: dict[str, bytes]):
    manifest, rng = halfstep.load().manifest, np.random.default_rng(0)
    shape = (1, manifest.channels, manifest.length)
    z, v, known_x = (rng.standard_normal(shape).astype(np.float32) for _ in range(3))
    held = (rng.random(shape) < 0.5).astype(np.float32)
    at_t, at_s = Rates(0.6, 0.8), Rates(0.96, 0.28)
    rates = dict(zip(("alpha_t", "sigma_t", "alpha_s", "sigma_s"), (*at_t, *at_s), strict=True))
    given = {name: np.array([rate], np.float32) for name, rate in rates.items()}
    (found,) = answers(made["stepped"], z=z, v=v, known_x=known_x, held=held, **given)
    np.testing.assert_allclose(found, ddim_step(z, hold_known(v, z, known_x, held, at_t), at_t, at_s), atol=1e-5)


def test_bands(made: dict[str, bytes]):
    model, rng = halfstep.load(), np.random.default_rng(0)
    manifest, folder = model.manifest, model.folder
    sampler = WindowSampler(lambda *_: np.zeros(0, np.float32), manifest, 1, folder.packing)
    window, other = rng.standard_normal((2, manifest.frames, manifest.mel.n_mels)).astype(np.float32)
    (bands,) = answers(made["log_mel"], window=window)
    np.testing.assert_allclose(bands, sampler.log_mel(window.T).T, atol=1e-5)
    (again,) = answers(made["standardised"], bands=bands)
    np.testing.assert_allclose(again, sampler.standardised(bands.T).T, atol=1e-5)
    fade = layout_of(manifest).crossfade
    (joined,) = answers(made["crossfaded"], old=window[:fade], new=other[:fade])
    np.testing.assert_allclose(joined, crossfaded(window[:fade].T, other[:fade].T).T, atol=1e-5)
    short = layout_of(manifest).grain
    (joined,) = answers(made[f"crossfaded-{short}"], old=window[:short], new=other[:short])
    np.testing.assert_allclose(joined, crossfaded(window[:short].T, other[:short].T).T, atol=1e-5)
    target = rng.random(manifest.frames).astype(np.float32)
    (better,) = answers(made["nearer"], noise=window, known=other, rendered=bands, target=target)
    expected = nearer(window.T, other.T, bands.T, target, folder.packing.scale).T
    np.testing.assert_allclose(better, expected, atol=1e-5)
    assert manifest.stationary is not None
    past, fresh, ramp = parts = shares(manifest.frames, layout_of(manifest).overlap)
    (steady,) = answers(made["stationary"], window=window, past=past, fresh=fresh, ramp=ramp)
    expected = held_stationary(window.T, *parts, manifest.stationary, manifest.mel.n_mels).T
    np.testing.assert_allclose(steady, expected, atol=1e-5)
    magnitude = rng.random((SPECTRA_AT_ONCE, manifest.mel.bins)).astype(np.float32)
    (logs,) = answers(made["analysed"], magnitude=magnitude)
    np.testing.assert_allclose(logs, magnitude_to_log_mel(magnitude.T, manifest.mel).T, atol=1e-5)


def test_the_image_of_two_channels_and_the_side_of_a_mid(wide_model: Path):
    folder, rng = load_folder(wide_model), np.random.default_rng(0)
    made, manifest = graphs(folder), folder.manifest
    mel = manifest.mel
    window = rng.standard_normal((manifest.frames, mel.rows)).astype(np.float32)
    (rows,) = answers(made["log_mel"], window=window)
    sampler = WindowSampler(lambda *_: np.zeros(0, np.float32), manifest, 1, folder.packing)
    np.testing.assert_allclose(rows, sampler.log_mel(window.T).T, atol=1e-5)

    left, right = rng.standard_normal((2, 2, SPECTRA_AT_ONCE, mel.bins)).astype(np.float32)
    left, right = left[0] + 1j * left[1], left[0] + 1j * right[1]
    of_left, of_right, of_both = products(left, right)
    (image,) = answers(made["imaged"], of_left=of_left, of_right=of_right, of_both=of_both)
    np.testing.assert_allclose(image, image_rows(left, right, mel).T, atol=1e-4)

    grid = side_grid(mel)
    mid = (rng.standard_normal((2, FRAMES_AT_ONCE, grid.bins))).astype(np.float32)
    mid = (mid[0] + 1j * mid[1]).astype(np.complex64)
    real, imag = answers(made["side"], power=np.abs(mid) ** 2, image=image[:FRAMES_AT_ONCE])
    expected = side_spectra(mid, image[:FRAMES_AT_ONCE].T, grid)
    np.testing.assert_allclose((real + 1j * imag) * mid, expected, atol=1e-4)


def test_what_has_no_operator_is_said():
    with pytest.raises(TypeError, match="tan"):
        onnx_graph(lambda x: np.tan(x), {"x": (2,)}, ["y"])
    with pytest.raises(TypeError, match="roll"):
        onnx_graph(lambda x: np.roll(x, 1), {"x": (2,)}, ["y"])
    with pytest.raises(TypeError, match="not known until"):
        onnx_graph(lambda x: x * float(x[0]), {"x": (2,)}, ["y"])
