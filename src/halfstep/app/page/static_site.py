"""A static site that makes music in the visitor's browser: the page, the networks, and what runs them.

All numbers that follow from a model's settings are worked out here, once, and written into site.json: what runs in the
browser is arithmetic on them.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from halfstep.app.page.floats import without_doubles
from halfstep.app.page.graphs import SPECTRA_AT_ONCE, graphs
from halfstep.app.page.runtime import RUNTIME_FILES
from halfstep.atomic import folder_aside, replacing
from halfstep.audio.bass import bass_share
from halfstep.audio.bass_grid import bass_bins
from halfstep.audio.chord_names import MOST_CHORDS
from halfstep.audio.chroma import A_HZ, A_NOTE, KEYS, NOTES, RANGE_NEPERS, pitched_bands, semitones
from halfstep.audio.chroma import MAJOR as MAJOR_PROFILE
from halfstep.audio.chroma import MINOR as MINOR_PROFILE
from halfstep.audio.grids import synthesis_grid
from halfstep.audio.guide import (
    CHORDS,
    GUIDE_KINDS,
    GUIDES,
    RHYTHM,
    SILENT,
    SOUNDS,
    STRONG,
    group_edges,
    guide_rows,
    rows_of_kind,
    smoothing_reach,
)
from halfstep.audio.mel import band_edges_hz
from halfstep.audio.onsets import LEAST_NEPERS
from halfstep.audio.onsets import RANGE_NEPERS as ONSET_RANGE
from halfstep.audio.tones import (
    ATTACK_SECONDS,
    DRUM_SECONDS,
    HARMONICS,
    HELD,
    HIGH_DRUMS,
    LOW_DRUMS,
    LOW_HZ,
    RELEASE_SECONDS,
    STRUCK_SECONDS,
)
from halfstep.bundle import DenoiserFile, Manifest, ModelFolder, VocoderFiles
from halfstep.bundle.session import OnnxNetwork
from halfstep.conditioning import shown
from halfstep.diffusion.process import DDIM
from halfstep.errors import InputError
from halfstep.generation.guiding import MOST_STRETCHED, ROUND_SECONDS
from halfstep.generation.harmony import (
    CHORD_BEATS,
    CHORD_SECONDS,
    FASTEST,
    MAJOR,
    MINOR,
    PASSAGE,
    PHRASE,
    PLAYED,
    SLOWEST,
    chord_shapes,
)
from halfstep.generation.noise import PLAN
from halfstep.generation.planning import KEPT_FRAMES, LOUDER, MOST_TRIED, PARTS, PLAIN, SOFTENED, SOFTEST
from halfstep.generation.sides import band_widths_hz, model_level
from halfstep.generation.strokes import OF_A_BAR, STROKES, stroke_shapes, uneven_gaps
from halfstep.generation.window import OPTIMISING_ROUNDS, layout_of
from halfstep.own_folder import SITE as SITE_FOLDER
from halfstep.own_folder import check, enter, members
from halfstep.vocoders.stereo import FRAMES_AT_ONCE

SITE = Path(str(resources.files("halfstep.app.page") / "site"))
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; media-src {media}; worker-src 'self'; font-src 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = """/*
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
  X-Content-Type-Options: nosniff
"""
"""For hosts that read a file of this name: with these, networks run on several threads."""
FROM_SERVER = '<meta name="halfstep-source" content="server">'


def write_site(out: Path, folders: Sequence[ModelFolder], runtime: Path, server: str | None = None) -> int:
    """Write the site into a folder, which is made if it is not there; how many bytes it has.

    runtime: a folder with onnxruntime-web's files. server: the address of a `halfstep serve` whose stream is played
    where a device is too slow. InputError for a model that browsers cannot play, or a folder with other things in it.
    """
    check(out, SITE_FOLDER, _is_site)
    described = [_described(folder) for folder in folders]
    out.parent.mkdir(parents=True, exist_ok=True)
    with folder_aside(out) as made:
        for path in sorted(SITE.iterdir()):
            if path.name != "server.js":
                (made / path.name).write_bytes(path.read_bytes())
        (made / "index.html").write_text(_index(server), encoding="utf-8")
        (made / "_headers").write_text(HEADERS, encoding="ascii")
        (made / "ort").mkdir()
        for name in RUNTIME_FILES:
            (made / "ort" / name).write_bytes((runtime / name).read_bytes())
        for folder in folders:
            _write_files(made, folder)
        enter(out, SITE_FOLDER, _is_site)
        for path in sorted(made.rglob("*")):
            if path.is_file():
                _move(path, out / path.relative_to(made))
        # It says what is there: last.
        with replacing(out / "site.json") as partial:
            partial.write_text(json.dumps({"models": described}, allow_nan=False), encoding="utf-8")
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def _is_site(folder: Path) -> bool:
    """Whether a folder without a mark is one nevertheless: they had none once."""
    return "models" in members(folder / "site.json") and (folder / "maker.js").is_file()


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)


def _index(server: str | None) -> str:
    page = (SITE / "index.html").read_text(encoding="utf-8")
    media = "'self' blob:" + (f" {server}" if server else "")
    metas = ['<meta name="halfstep-source" content="browser">']
    metas += [f'<meta name="halfstep-server" content="{server}">'] if server else []
    metas += [f'<meta http-equiv="Content-Security-Policy" content="{POLICY.format(media=media)}">']
    assert FROM_SERVER in page, "the page says where its music comes from"
    return page.replace(FROM_SERVER, "\n".join(metas))


def _networks(folder: ModelFolder) -> dict[str, tuple[str, bytes]]:
    """What the page calls a network -> its file on the site, and what is in it. One that is kept as a change of another
    is whole there, under a name of its own.
    """
    vocoder = folder.manifest.vocoder
    parts = {} if vocoder is None else {"prior": vocoder.prior, "refiner": vocoder.refiner, "bass": vocoder.bass}
    networks = {name: (file, folder.read(file)) for name, file in parts.items() if file is not None}
    for one in folder.manifest.denoisers:
        file = one.file if one.change is None else f"denoiser-{one.steps}.onnx"
        networks[f"denoiser-{one.steps}"] = (file, folder.network(one))
    return {name: (file, without_doubles(data)) for name, (file, data) in networks.items()}


def _write_files(out: Path, folder: ModelFolder) -> None:
    place = out / "models" / folder.manifest.id
    place.mkdir(parents=True, exist_ok=True)
    for one in (folder, folder.planner):
        for name, data in () if one is None else _files(one).values():
            (place / name).write_bytes(data)


def _files(folder: ModelFolder) -> dict[str, tuple[str, bytes]]:
    """What the page calls a network or a graph -> its file on the site, and what is in it. Those of a plan, which
    has no vocoder, lie beside the others.
    """
    prefix = "graph" if folder.manifest.vocoder else "plan-graph"
    made = {name: (f"{prefix}-{name}.onnx", data) for name, data in graphs(folder).items()}
    return _networks(folder) | made


def _path(manifest: Manifest, one: DenoiserFile) -> list[tuple[float, float, float, float]]:
    """alpha and sigma at the two ends of every step."""
    return [(*at_t, *at_s) for at_t, at_s in manifest.sampling(one).path(one.steps)]


def _described(folder: ModelFolder) -> dict[str, Any]:
    """All that the browser must know of a model."""
    manifest = folder.manifest
    mel, packing = manifest.mel, folder.packing
    vocoder = _vocoder_of(manifest)
    if not manifest.process.distillable or any(one.sampler != DDIM for one in manifest.denoisers):
        raise InputError(f"model {manifest.id}: browsers sample by DDIM; this one is sampled otherwise")
    if not packing.shifts:
        raise InputError(f"model {manifest.id}: its packing {packing.name} is not one that browsers play")
    return {
        **_windows(folder), "plan": None if folder.planner is None else _plan(folder, folder.planner),
        "id": manifest.id, "description": manifest.description, "output_licence": manifest.output_licence,
        "steps": list(manifest.steps), "drawn": manifest.drawn, "beatless": manifest.beatless,
        "unplanned": manifest.unplanned,
        "strokes": _strokes(manifest), "harmony": _harmony(manifest), "guide": _guide(manifest),
        "credits": [{"title": one.title, "licence": one.licence} for one in manifest.trained_on],
        "band_hz": [round(float(hz), 1) for hz in band_edges_hz(mel)[1:-1]],
        "window_seconds": manifest.seconds, "spectra_at_once": SPECTRA_AT_ONCE,
        "level": model_level(manifest), "band_width_hz": band_widths_hz(mel).tolist(),
        "mel": {
            "n_fft": mel.n_fft, "window": mel.window, "lead": mel.lead, "bands": mel.n_mels, "channels": mel.channels,
        },
        "side_frames": FRAMES_AT_ONCE,
        "floor": float(np.log(mel.floor)),
        "floor_magnitude": mel.floor,
        "grid": _grid(manifest), "vocoder": _shapes(folder, vocoder),
    }  # fmt: skip


def _windows(folder: ModelFolder) -> dict[str, Any]:
    """What a browser must know of a network and its windows to sample them."""
    manifest, layout = folder.manifest, layout_of(folder.manifest)
    return {
        "default_steps": manifest.default_steps,
        "paths": {one.steps: _path(manifest, one) for one in manifest.denoisers},
        "conditions": [shown(condition) for condition in manifest.asks.all],
        "guided": [one.name for one in manifest.asks.guided],
        "sample_rate": manifest.mel.sample_rate, "hop_length": manifest.mel.hop_length, "bands": manifest.mel.rows,
        "frames": manifest.frames, "planes": manifest.planes, "channels": manifest.channels,
        "length": manifest.length, "aligned": manifest.aligned_channels, "context": manifest.context,
        "guide_rows": guide_rows(manifest.guide),
        "overlap": layout.overlap, "crossfade": layout.crossfade, "grain": layout.grain,
        "optimising_rounds": OPTIMISING_ROUNDS,
        "files": {
            name: {"path": f"models/{manifest.id}/{file}?v={_short(data)}", "integrity": _integrity(data)}
            for name, (file, data) in _files(folder).items()
        },
    }  # fmt: skip


def _plan(folder: ModelFolder, planner: ModelFolder) -> dict[str, Any]:
    """What a browser makes plans by."""
    kinds = [{"values": GUIDE_KINDS[kind].values, "chords": kind == CHORDS} for kind in GUIDES[folder.manifest.guide]]
    return _windows(planner) | {
        "kinds": kinds, "stream": PLAN, "tried": MOST_TRIED, "kept": KEPT_FRAMES,
        "parts": PARTS, "softest": SOFTEST, "louder": LOUDER, "softened": SOFTENED,
        "sounds": SOUNDS, "notes": NOTES, "major": MAJOR_PROFILE, "minor": MINOR_PROFILE, "plain": PLAIN,
    }  # fmt: skip


def _guide(manifest: Manifest) -> dict[str, Any] | None:
    """How a browser measures what music is to follow; None of a model that follows nothing."""
    mel, kinds = manifest.mel, GUIDES[manifest.guide]
    if not kinds:
        return None
    first, stop = pitched_bands(mel)
    return {
        "kinds": kinds, "values": [GUIDE_KINDS[kind].values for kind in kinds],
        CHORDS: {
            "first": first, "stop": stop, "semitones": semitones(mel).tolist(), "range": RANGE_NEPERS,
            "reach": smoothing_reach(mel), "silent": SILENT,
        },
        RHYTHM: {"edges": group_edges(mel), "range": ONSET_RANGE, "least": LEAST_NEPERS, "strong": STRONG},
        "tones": {
            "round": ROUND_SECONDS, "harmonics": HARMONICS, "attack": ATTACK_SECONDS, "release": RELEASE_SECONDS,
            "struck": STRUCK_SECONDS, "held": HELD, "drum_seconds": DRUM_SECONDS, "low_hz": LOW_HZ,
            "low": sorted(LOW_DRUMS), "high": sorted(HIGH_DRUMS), "a_hz": A_HZ, "a_note": A_NOTE,
        },
    }  # fmt: skip


def _strokes(manifest: Manifest) -> dict[str, Any] | None:
    """What a browser lays strokes by, of a model that follows a rhythm."""
    if RHYTHM not in GUIDES[manifest.guide]:
        return None
    return {
        "first": rows_of_kind(RHYTHM, manifest.guide).start, "strokes": STROKES, "accents": OF_A_BAR, "strong": STRONG,
        "least": LEAST_NEPERS, "gaps": uneven_gaps().tolist(), "shapes": stroke_shapes(manifest.mel).tolist(),
    }  # fmt: skip


def _harmony(manifest: Manifest) -> dict[str, Any] | None:
    """What a browser lays chords by, of a model that follows chords."""
    if CHORDS not in GUIDES[manifest.guide]:
        return None
    return {
        "first": rows_of_kind(CHORDS, manifest.guide).start, "most": MOST_CHORDS,
        "shapes": {kind: shape.tolist() for kind, shape in chord_shapes(manifest.mel).items()},
        "reach": smoothing_reach(manifest.mel), "keys": KEYS, "notes": NOTES, "slowest": SLOWEST, "fastest": FASTEST,
        "phrase": PHRASE, "passage": PASSAGE, "played": PLAYED, "major": asdict(MAJOR), "minor": asdict(MINOR),
        "seconds": CHORD_SECONDS, "beats": CHORD_BEATS, "stretched": MOST_STRETCHED,
    }  # fmt: skip


def _vocoder_of(manifest: Manifest) -> VocoderFiles:
    if manifest.vocoder is None:
        raise InputError(f"model {manifest.id} has no learned vocoder, which browsers need; export it with one")
    return manifest.vocoder


def _grid(manifest: Manifest) -> dict[str, Any]:
    grid = synthesis_grid(manifest.mel)
    if grid.n_fft & (grid.n_fft - 1):
        raise InputError(f"model {manifest.id}: frames of {grid.n_fft} samples, where browsers need a power of two")
    return {
        "n_fft": grid.n_fft, "hop": grid.hop_length, "window": grid.window, "bins": grid.bins, "lead": grid.lead,
        "own": grid == manifest.mel,
    }  # fmt: skip


def _shapes(folder: ModelFolder, files: VocoderFiles) -> dict[str, Any]:
    """Sizes of the vocoder's states, as its networks have them."""

    def network(name: str) -> OnnxNetwork:
        return OnnxNetwork(folder.read(name), str(folder.path / name), 1)

    prior, refiner, mel = network(files.prior), network(files.refiner), folder.manifest.mel
    shapes: dict[str, Any] = {
        "prior_delay": prior.fixed_size("mels", 1), "prior_state": prior.fixed_size("state", 1),
        "refiner_delay": refiner.fixed_size("waiting", 2), "refiner_state": refiner.fixed_size("state", 1),
        "kept": prior.fixed_size("state", 2), "width": refiner.fixed_size("hidden", 2), "bass_delay": 0,
        "bass_share": [],
    }  # fmt: skip
    if files.bass is not None:
        bass = network(files.bass)
        shapes |= {
            "bass_block": bass.fixed_size("log_mel", 0), "bass_delay": bass.fixed_size("targets", 0),
            "frames": [bass.fixed_size("frames", axis) for axis in (0, 1)],
            "targets": [bass.fixed_size("targets", axis) for axis in (0, 1)],
            "bass_share": [float(share) for share in bass_share(mel)[: bass_bins(mel)]],
        }  # fmt: skip
    return shapes


def _integrity(data: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode("ascii")


def _short(data: bytes) -> str:
    """What changes in an address when the contents do: a cache may keep it for ever."""
    return hashlib.sha256(data).hexdigest()[:12]
