"""What a browser computes is what numpy computes: noise, windows, phases; and, with onnxruntime-web, music."""

import base64
import functools
import http.server
import io
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile

import halfstep
from halfstep.app.cli import run
from halfstep.app.page.runtime import RUNTIME_FILES
from halfstep.app.serve.formats import levels
from halfstep.audio.circular import stretched
from halfstep.audio.files.midi import read_midi
from halfstep.audio.guide import BOTH, CHORDS, RHYTHM, guide_rows, measured_guide
from halfstep.audio.image import rows_of
from halfstep.audio.joining import joined
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.audio.steady import steady_units
from halfstep.bundle import Manifest
from halfstep.conditioning import Conditions, shown
from halfstep.errors import NamedError
from halfstep.generation import canvas
from halfstep.generation.canvas import Canvas, mel_stream, placements
from halfstep.generation.guiding import guide_for
from halfstep.generation.noise import BOUNDARY, piece_noise, seed_noise
from halfstep.generation.passages import PASSAGE_FRAMES
from halfstep.generation.requests import ClosedLoop, Continuation, Loop, Piece
from halfstep.generation.window import WindowSampler, layout_of

from ..serve.conftest import CONTROLS
from .chromium import BINARY, MINUTE, SOFTWARE_WEBGPU, Tab, browser, flows

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BINARY is None, reason="no Chromium on this machine")]
PAGE = Path(halfstep.__file__).parent / "app" / "page" / "site"
RUNTIME = Path(os.environ.get("HALFSTEP_ONNXRUNTIME_WEB", "/nowhere"))


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files, without a log."""

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, singing_model: Path, wide_model: Path) -> Iterator[str]:
    """The address of a site; with onnxruntime-web in it, if there is one here."""
    out = tmp_path_factory.mktemp("site")
    runtime = RUNTIME
    if not RUNTIME.is_dir():
        runtime = tmp_path_factory.mktemp("runtime")
        for name in RUNTIME_FILES:
            (runtime / name).write_bytes(b"export const env = { wasm: {} };")
    models = ["--model", halfstep.load().manifest.id, "--model", "soundtrack"]
    models += [word for path in (singing_model, wide_model) for word in ("--model", str(path))]
    assert run(["page", "--out", str(out), "--runtime", str(runtime), *models]) == 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(out)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory, served: str) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("chromium")) as tab:
        tab.go(served)
        yield tab


def numbers(tab: Tab, script: str) -> np.ndarray:
    """A Float32Array that an expression gives."""
    return np.frombuffer(tab.saved(f"({script}).then((all) => new Blob([Float32Array.from(all)]))"), "<f4")


@pytest.mark.parametrize("seed", [0, 7, 123456789012345, 2**64 - 1])
def test_noise_is_numpys(tab: Tab, seed: int):
    found = numbers(tab, f"import('./noise.js').then((noise) => noise.seedNoise(40, {seed}n)(30, 400))")
    expected = seed_noise(40, seed)(30, 400)
    np.testing.assert_allclose(found.reshape(-1, 40).T, expected, atol=1e-6)
    phases = numbers(
        tab,
        f"import('./noise.js').then(({{defaultRng}}) => {{ const next = defaultRng({seed}n);"
        " return [next(), next()]; })",
    )
    np.testing.assert_array_equal(phases, np.random.default_rng(seed).random(2).astype(np.float32))


def test_drifts_and_variations_are_the_same(tab: Tab):
    for variation, toward in ((None, 9), (0.3, None), (0.3, 9)):
        tune = f"{{seed: 3n, variation: {json.dumps(variation)}, toward: {f'{toward}n' if toward else 'null'}}}"
        found = numbers(tab, f"import('./noise.js').then((noise) => noise.tuneNoise(8, {tune}, 100.5)(0, 120))")
        expected = piece_noise(8, 3, toward, variation, 100.5)(0, 120)
        np.testing.assert_allclose(found.reshape(-1, 8).T, expected, atol=2e-6)


CANVASES = [
    (0, None, 0),
    (3, None, 0),
    (40, None, 0),
    (0, 5, 30),
    (40, 3, 40),
    (40, 17, 9),
    (25, 70, 40),
    (40, 200, 40),
]


ASKED = [
    {}, {"style": "strings"}, {"style": "piano:2, strings:.5 ,piano", "tempo": "96.5"}, {"tempo": "180"},
    {"tempo": "60"}, {"style": "piano..strings..piano:1,strings", "tempo": "6e1..120"},
]  # fmt: skip
REFUSED = [
    {"style": "brass"}, {"style": "piano:0"}, {"style": "piano:x"}, {"style": ""}, {"style": "piano.."},
    {"tempo": "181"}, {"tempo": ""}, {"tempo": "nan"}, {"tempo": "fast"}, {"tempo": "60..x"},
]  # fmt: skip


def test_the_site_says_what_its_models_can_be_asked_for(tab: Tab, singing_model: Path):
    asked = tab.run("Object.fromEntries(halfstep.source.site.models.map((one) => [one.id, one.conditions]))")
    by_strokes = halfstep.load(singing_model).manifest.asks.guided
    assert [one.name for one in by_strokes] == ["density"]  # its tempo is its network's own
    assert asked["styled"] == json.loads(json.dumps([shown(one) for one in (*CONTROLS, *by_strokes)]))
    assert asked[halfstep.load().manifest.id] == []


def test_what_only_a_server_does_is_not_shown_and_refused_by_name(tab: Tab):
    assert tab.run("['restyling', 'like'].map((id) => document.getElementById(id).hidden)") == [True, True]
    refused = "halfstep.source.make('restylings', {}, null, null, null).catch((error) => error.message)"
    assert tab.run(refused) == "restyling needs a server: halfstep serve"


def test_a_loop_of_bars_is_asked_for_at_their_tempo(tab: Tab):
    """Of a model that knows tempo, unless it is asked for another: what the worker is sent."""
    script = """(async () => { const source = halfstep.source, { worker } = source, sent = [];
      source.worker = { postMessage(data) { sent.push(data.tune.asked);
        queueMicrotask(() => source.waiting.get(data.id)({ channels: [new Float32Array(1)] })); } };
      for (const asked of [{ model: 'styled' }, { model: 'styled', tempo: '90' }, {}])
        await source.make('loops', { bars: 1, beats: 4, bpm: '96', ...asked }, null, null, new EventTarget());
      source.worker = worker;
      return sent; })()"""
    assert tab.run(script) == [{"tempo": "96"}, {"tempo": "90"}, {}]


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_asked_for_has_the_weights_it_has_here(tab: Tab, asked: dict[str, str]):
    three = (*CONTROLS[:1], replace(CONTROLS[1], values=(60.0, 90.0, 180.0)))
    known, shares = json.dumps([asdict(one) for one in three]), [0, 0.3, 0.5, 0.9, 1, 1.5]
    script = f"""import('./conditions.js').then((conditions) => {{
      const course = conditions.course({known}, {json.dumps(asked)});
      return {shares}.flatMap((share) => [course.drifts, ...course.at(share)]); }})"""
    course = Conditions(three).course(asked, "tiny-gauss")
    expected = [[course.drifts, *course.at(share)] for share in shares]
    np.testing.assert_allclose(numbers(tab, script).reshape(len(shares), -1), expected, atol=1e-6)


@pytest.mark.parametrize("asked", REFUSED)
def test_what_is_refused_here_is_refused_there(tab: Tab, asked: dict[str, str]):
    with pytest.raises(NamedError):
        Conditions(CONTROLS).course(asked, "tiny-gauss")
    known = json.dumps([asdict(one) for one in CONTROLS])
    script = f"""import('./conditions.js').then(({{ course }}) => {{
      try {{ course({known}, {json.dumps(asked)}); return ''; }} catch (error) {{ return error.message; }} }})"""
    assert tab.run(script).startswith(next(iter(asked)))


def test_windows_lie_where_they_do_here(tab: Tab, tiny_manifest: Manifest):
    layout = layout_of(tiny_manifest)
    script = f"""import('./sampling.js').then(({{ placements }}) => {json.dumps(CANVASES)}.map((canvas) => {{
      const all = [];
      for (const place of placements({json.dumps(asdict(layout))}, ...canvas)) {{
        if (all.push(place) > 6) break; }}
      return all; }}))"""
    expected = [[asdict(place) for place in islice(placements(layout, *canvas), 7)] for canvas in CANVASES]
    assert tab.run(script) == expected


class Halved:
    """A sampler whose windows are half their noise, and what is known where it is known: in a browser, the same."""

    shifts, n_mels, rows, stationary = True, 2, 2, object()
    SCRIPT = """{ about, logMel: async (x) => x, standardised: async (x) => x,
      async inpainted(noise, known, mask) {
        return noise.map((one, at) => mask[Math.floor(at / 2)] ? known[at] : one / 2); },
      async optimised(noise, known, mask, target) {
        return noise.map((one, at) => one + target[Math.floor(at / 2)] * (known[at] - one / 2)); },
      graphs: { async crossfaded({ old, new: young }) {
        return { joined: old.map((one, at) => (one + 3 * young[at]) / 4) }; },
        async stationary({ window, past, fresh, ramp }) {
          const moved = (one, of) => one * (1 - ramp[of] / 2) + past[of] - fresh[of];
          return { stationary: window.map((one, at) => moved(one, Math.floor(at / 2))) }; } } }"""

    def __init__(self, manifest: Manifest) -> None:
        self.layout = layout_of(manifest)

    def standardised(self, bands: np.ndarray) -> np.ndarray:
        return bands

    log_mel = standardised

    def inpainted(self, noise: np.ndarray, known: np.ndarray, mask: np.ndarray, *_: object) -> np.ndarray:
        return np.where(mask == 1, known, noise / 2)

    def optimised(
        self, noise: np.ndarray, known: np.ndarray, mask: np.ndarray, target: np.ndarray, begun: object = None
    ) -> np.ndarray:
        return noise + target * (known - noise / 2)


@pytest.mark.parametrize(("before", "frames", "after"), [(0, None, 0), (40, None, 0), (40, 150, 40), (20, 9, 40)])
def test_windows_follow_each_other_as_they_do_here(
    tab: Tab, tiny_manifest: Manifest, monkeypatch: pytest.MonkeyPatch, before: int, frames: int | None, after: int
):
    """Streams, continuations and gaps, with a window that is arithmetic: what formulas give is tested as graphs."""
    monkeypatch.setattr(canvas, "crossfaded", lambda old, new: (old + 3 * new) / 4)
    moved = lambda window, past, fresh, ramp, *_: window * (1 - ramp / 2) + past - fresh  # noqa: E731
    monkeypatch.setattr(canvas, "held_stationary", moved)
    layout, rng = layout_of(tiny_manifest), np.random.default_rng(0)
    sides = [rng.standard_normal((2, size)).astype(np.float32) if size else None for size in (before, after)]
    about = {**asdict(layout), "bands": 2, "optimising_rounds": 1}
    rows = [None if side is None else side.T.ravel().tolist() for side in sides]
    script = f"""Promise.all([import('./sampling.js'), import('./noise.js')]).then(async ([sampling, noise]) => {{
      const about = {json.dumps(about)};
      const [before, after] = {json.dumps(rows)}.map((one) => one && Float32Array.from(one));
      const canvas = {{ noise: noise.seedNoise(2, 5n), boundary: noise.seedNoise(2, 5n, noise.BOUNDARY),
        before, after, frames: {json.dumps(frames)} }}, sampler = {Halved.SCRIPT}, all = [];
      if (after) return await sampling.filled(sampler, canvas, () => {{}});
      for await (const block of sampling.bandStream(sampler, canvas)) {{
        all.push(...block);
        if (all.length > 400) return all;
      }} }})"""
    found = numbers(tab, script).reshape(-1, 2).T
    one = Canvas(
        init_noise=seed_noise(2, 5), boundary_noise=seed_noise(2, 5, BOUNDARY),
        before=sides[0], after=sides[1], frames=frames,
    )  # fmt: skip
    sampler = cast(WindowSampler, Halved(tiny_manifest))
    if after:
        expected = canvas.filled(sampler, one)
    else:
        expected = np.concatenate(list(islice(mel_stream(sampler, one), 24)), axis=1)[:, : found.shape[1]]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("count", [100, 9000])
def test_sounds_join_as_they_do_here(tab: Tab, count: int):
    times = np.arange(count) / 8000
    left, right = (np.sin(2 * np.pi * 440 * times + phase).astype(np.float32) for phase in (0.0, 2.0))
    rows = json.dumps([left.tolist(), right.tolist()])
    script = (
        f"""import('./joining.js').then(({{ joined }}) => joined(...{rows}.map((one) => Float32Array.from(one))))"""
    )
    np.testing.assert_allclose(numbers(tab, script), joined(left, right), atol=2e-3)


@pytest.mark.parametrize(("count", "size"), [(900, 907), (907, 900), (64, 66)])
def test_what_repeats_is_stretched_as_it_is_here(tab: Tab, count: int, size: int):
    places = np.arange(count) / count
    period = np.sin(2 * np.pi * 5 * places + 1).astype(np.float32) + np.cos(2 * np.pi * 17 * places).astype(np.float32)
    both = json.dumps(np.stack([period, 2 * period], axis=1).ravel().tolist())
    script = f"import('./joining.js').then(({{ stretched }}) => stretched(Float32Array.from({both}), 2, {size}))"
    found = numbers(tab, script).reshape(size, 2).T
    np.testing.assert_allclose(found, stretched(np.stack([period, 2 * period]), size), atol=5e-3)


def test_steady_tones_turn_alike(tab: Tab):
    mel = MelConfig(sample_rate=8000, n_fft=64, hop_length=16, n_mels=4)
    magnitude = np.abs(np.random.default_rng(0).standard_normal((20, 33))).astype(np.float32)
    grid = {"bins": 33, "hop": 16, "n_fft": 64}
    rows = base64.b64encode(magnitude.tobytes()).decode()
    script = f"""import('./vocoder.js').then(({{ Vocoder }}) => {{
      const magnitude = new Float32Array(Uint8Array.from(atob('{rows}'), (one) => one.charCodeAt(0)).buffer);
      const self = {{ grid: {json.dumps(grid)}, phases: new Float32Array(33).fill(0.5) }};
      const units = Vocoder.prototype.steady.call(self, magnitude, 20);
      return [...units.real, ...units.imag]; }})"""
    real, imag = numbers(tab, script).reshape(2, 20, 33)
    expected = steady_units(magnitude, np.full(33, 0.5, np.float32), mel)
    np.testing.assert_allclose(real + 1j * imag, expected, atol=1e-4)


def streamed(tab: Tab, asked: str, n_mels: int) -> tuple[np.ndarray, np.ndarray]:
    """The first eight blocks of what the browser makes: bands [n_mels, frames] as levels, and samples [n], of two
    channels [2, n].
    """
    script = f"""(async () => {{
      const {{ source }} = halfstep, blocks = [];
      await new Promise((done, fail) => {{
        const stream = source.open({asked}, {{
          hello({{ channels }}) {{ blocks.push(Uint8Array.of(channels)); }}, status() {{}}, speed() {{}},
          left: () => 0, ended: (error) => fail(new Error(error)),
          block(frame, int16, levels) {{
            blocks.push(new Uint8Array(int16.buffer), levels);
            if (blocks.length >= 17) {{ stream.close(); done(); }}
          }} }});
      }});
      const head = Int32Array.from(blocks, (one) => one.length);
      return new Blob([Int32Array.of(blocks.length), head, ...blocks]); }})()"""
    data = tab.saved(script)
    (count,) = np.frombuffer(data, "<i4", 1)
    sizes = np.frombuffer(data, "<i4", count, 4)
    parts = np.split(np.frombuffer(data[4 + 4 * count :], np.uint8), np.cumsum(sizes)[:-1])
    (channels,), *parts = parts
    bands = np.concatenate([part.reshape(-1, n_mels) for part in parts[1::2]]).T
    sound = [part.view("<i2").reshape(channels, -1) for part in parts[0::2]]
    samples = np.concatenate(sound, axis=1).astype(np.float32) / 32767
    return bands, samples if channels > 1 else samples[0]


def rows_in(data: bytes, mel: MelConfig) -> np.ndarray:
    """Of a file that the browser made."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    assert (rate, samples.shape[1]) == (mel.sample_rate, mel.channels)
    return rows_of(np.ascontiguousarray(samples.T), mel)


@pytest.mark.skipif(not RUNTIME.is_dir(), reason="HALFSTEP_ONNXRUNTIME_WEB names no folder of onnxruntime-web")
@pytest.mark.parametrize("steps", halfstep.load().manifest.steps)
def test_the_browser_makes_the_music_of_the_command_line(tab: Tab, steps: int):
    """The bands agree to what a byte holds. The waveform cannot: its bass is a search that any rounding sends another
    way, on the command line too; so it is its bands that are compared.
    """
    model = halfstep.load()
    bands, samples = streamed(tab, f"{{ model: 'piano', seed: '7', steps: {steps} }}", model.manifest.mel.n_mels)
    expected = np.concatenate(list(islice(model.mels(7, steps), 2)), axis=1)[:, : bands.shape[1]]
    assert np.abs(bands.astype(int) - levels(expected).astype(int)).max() <= 2
    here = model.generate(len(samples) / 44100, seed=7, steps=steps).samples[0]
    ours, theirs = (log_mel(one, model.manifest.mel) for one in (here, samples))
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99


@pytest.mark.skipif(not RUNTIME.is_dir(), reason="HALFSTEP_ONNXRUNTIME_WEB names no folder of onnxruntime-web")
def test_the_browser_makes_loops_and_goes_on_from_a_recording(tab: Tab, tmp_path: Path):
    """As many samples as the command line makes, the recording's own among them; the bands of what is new agree."""
    model, take = halfstep.load(), tmp_path / "take.wav"
    mel = model.manifest.mel
    recorded = model.generate(5, seed=9, steps=1).samples
    soundfile.write(take, recorded.T, 44100, "PCM_16")
    given = base64.b64encode(take.read_bytes()).decode()

    def made(kind: str, asked: str, file: str) -> np.ndarray:
        data = tab.saved(f"""halfstep.source.make('{kind}', {{ seed: '7', steps: 1, {asked} }}, {file}, () => {{}},
          new AbortController().signal)""")
        return soundfile.read(io.BytesIO(data), dtype="float32")[0]

    file = f"new File([Uint8Array.from(atob('{given}'), (one) => one.charCodeAt(0))], 'take.wav')"
    loops = Loop(seconds=2, seed=7, steps=1)
    going = Continuation(seconds=2, seed=7, steps=1, context=take)
    closing = ClosedLoop(seconds=2, seed=7, steps=1, context=take)
    for request, kind, asked, sent in (
        (loops, "loops", "seconds: 2", "null"),
        (going, "continuations", "seconds: 2", file),
        (closing, "continuations", "seconds: 2, loop: true", file),
    ):
        theirs, ours = made(kind, asked, sent), model.play(request).samples[0]
        assert len(theirs) == len(ours)
        first = 0 if sent == "null" else len(recorded[0])
        one, other = (log_mel(samples[first:], mel) for samples in (theirs, ours))
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.97, kind
        if sent != "null":
            np.testing.assert_array_equal(theirs[80_000:150_000], ours[80_000:150_000])


@pytest.mark.skipif(not RUNTIME.is_dir(), reason="HALFSTEP_ONNXRUNTIME_WEB names no folder of onnxruntime-web")
@pytest.mark.skipif(not MINUTE, reason="HALFSTEP_FLOW_SECONDS says not for how long")
def test_music_made_in_the_browser_flows(tab: Tab, served: str):
    """On a machine that is not busy: the model in its usual number of steps, which it keeps."""
    tab.go(served)
    tab.until("document.documentElement.dataset.warm === 'yes'", 120)
    tab.click("play")
    tab.until("halfstep.player.state.running && halfstep.player.state.left > 2", 60)
    flows(tab)
    steps = tab.run("document.querySelector('input[name=steps]:checked').value")
    assert int(steps) == halfstep.load().manifest.default_steps


@pytest.mark.skipif(not RUNTIME.is_dir(), reason="HALFSTEP_ONNXRUNTIME_WEB names no folder of onnxruntime-web")
def test_a_style_is_the_same_in_the_browser(tab: Tab, singing_model: Path):
    """In a stream that drifts from one to another, from its beginning and from a moment on, and in a loop."""
    model = halfstep.load(singing_model)
    asked, n_mels = {"style": "piano..strings"}, model.manifest.mel.n_mels
    for at in (0, 12):
        words = json.dumps({"model": "styled", "seed": "7", "steps": 1, "over": 20, "at": at, **asked})
        bands, _ = streamed(tab, words, n_mels)
        piece = Piece(seconds=20, seed=7, steps=1, asked=asked)
        first = round(at * model.manifest.mel.frames_per_second)
        passages = islice(model.passages(piece, first), bands.shape[1] // PASSAGE_FRAMES + 1)
        expected = levels(np.concatenate([one.log_mel for one in passages], axis=1)[:, : bands.shape[1]])
        assert np.abs(bands.astype(int) - expected.astype(int)).max() <= 2, at
    loop = (
        "halfstep.source.make('loops', {{ model: 'styled', seed: '7', steps: 1, seconds: 2, style: '{}' }}, null, {})"
    )
    rest = "() => {}, new AbortController().signal"
    data = tab.saved(loop.format("piano", rest))
    theirs = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    styles: tuple[dict[str, Any], ...] = ({"style": "piano"}, {})
    ours, plain = (model.generate(2, seed=7, steps=1, loop=True, **one).samples[0] for one in styles)
    of_theirs, of_ours, of_plain = (log_mel(one, model.manifest.mel) for one in (theirs, ours, plain))
    assert np.corrcoef(of_theirs.ravel(), of_ours.ravel())[0, 1] > 0.97
    assert np.abs(of_theirs - of_plain).mean() > 3 * np.abs(of_theirs - of_ours).mean()
    with pytest.raises(AssertionError, match="cannot drift"):
        tab.run(loop.format("piano..strings", rest))


@pytest.mark.skipif(not RUNTIME.is_dir(), reason="HALFSTEP_ONNXRUNTIME_WEB names no folder of onnxruntime-web")
def test_two_channels_are_the_same_in_the_browser(tab: Tab, wide_model: Path, tmp_path: Path):
    """In a stream, a loop, and what a recording of two channels is continued with and closed by."""
    model, take = halfstep.load(wide_model), tmp_path / "take.wav"
    mel = model.manifest.mel

    def alike(theirs: np.ndarray, ours: np.ndarray, least: float) -> None:
        assert theirs.shape == ours.shape
        one, other = (rows_of(np.ascontiguousarray(sound), mel) for sound in (theirs, ours))
        for rows in (slice(mel.n_mels), slice(mel.n_mels, mel.rows)):
            assert np.corrcoef(one[rows].ravel(), other[rows].ravel())[0, 1] > least
        assert np.abs(one[mel.n_mels :] - other[mel.n_mels :]).mean() < 0.1

    bands, samples = streamed(tab, "{ model: 'wide', seed: '7', steps: 1 }", mel.n_mels)
    expected = np.concatenate(list(islice(model.mels(7, 1), 5)), axis=1)[: mel.n_mels, : bands.shape[1]]
    assert np.abs(bands.astype(int) - levels(expected).astype(int)).max() <= 2
    here = model.generate(samples.shape[1] / 44100, seed=7, steps=1).samples
    alike(samples, here, 0.97)
    image = rows_of(samples, mel)[mel.n_mels :]
    assert image[: mel.image_bands].mean() > 0.5, "left is the louder one"

    soundfile.write(take, here[:, : 6 * 44100].T, 44100, "PCM_16")
    given = base64.b64encode(take.read_bytes()).decode()
    file = f"new File([Uint8Array.from(atob('{given}'), (one) => one.charCodeAt(0))], 'take.wav')"
    for request, kind, asked, sent in (
        (Loop(seconds=2, seed=7, steps=1), "loops", "seconds: 2", "null"),
        (Continuation(seconds=3, seed=7, steps=1, context=take), "continuations", "seconds: 3", file),
        (ClosedLoop(seconds=3, seed=7, steps=1, context=take), "continuations", "seconds: 3, loop: true", file),
    ):
        data = tab.saved(f"""halfstep.source.make('{kind}', {{ model: 'wide', seed: '7', steps: 1, {asked} }}, {sent},
          () => {{}}, new AbortController().signal)""")
        theirs, ours = soundfile.read(io.BytesIO(data), dtype="float32")[0].T, model.play(request).samples
        first = 0 if sent == "null" else 6 * 44100
        alike(theirs[:, first:], ours[:, first:], 0.95)
        if sent != "null":
            np.testing.assert_array_equal(theirs[:, 120_000:150_000], ours[:, 120_000:150_000])


@pytest.mark.parametrize(
    ("drawn", "asked", "loop"),
    [
        ((), {"tempo": "97"}, None),
        ((), {"tempo": "120", "density": "5"}, None),
        ((), {"density": "3.3"}, None),
        ((), {"key": "F#m"}, 11.0),
        (("key",), {}, None),
        (("key", "tempo"), {}, None),
        (("key", "tempo"), {}, 21.7),
        (("key", "tempo"), {"key": "Bb"}, 1.3),
        (("key",), {"chords": "Am F#m7 | Cb, Gsus4 - Bbmaj7"}, 30.0),
        (("key", "tempo"), {"key": "free", "tempo": "80"}, None),
        (("key", "tempo"), {"style": "orchestral:2,piano"}, None),
    ],
)
def test_music_is_led_as_on_the_command_line(
    tab: Tab, drawn: tuple[str, ...], asked: dict[str, str], loop: float | None
):
    """In a stream, from a moment of it on, and around a loop."""
    manifest, seed = replace(halfstep.load("soundtrack").manifest, drawn=drawn), 2**40 + 3
    request = Piece(seconds=1, seed=seed, asked=asked) if loop is None else Loop(seconds=loop, seed=seed, asked=asked)
    guide = guide_for(request, manifest)
    assert guide is not None
    script = """Promise.all([import('./leading.js'), import('./guide.js')]).then(([leading, guides]) => {{
      const {{ leader }} = leading, {{ following, around }} = guides;
      const about = {{ ...halfstep.source.about({{ model: 'soundtrack' }}), drawn: {} }};
      return {}(leader(about, {}, {{ seed: {}n, beside: false, loop: {} }})); }})"""
    said, rows = (json.dumps(asked), seed, json.dumps(loop)), guide_rows(BOTH)
    for first in (0, 5000):
        found = numbers(
            tab, script.format(json.dumps(drawn), f"((guide) => following(guide, {first})(-20, 3000))", *said)
        )
        np.testing.assert_allclose(found.reshape(rows, -1), guide(first - 20, first + 3000), atol=1e-5)
    found = numbers(tab, script.format(json.dumps(drawn), "((guide) => around(guide, 100, 700, 1.01)(0, 1500))", *said))
    places = (np.arange(1500) - 100) % 700 * 1.01
    np.testing.assert_allclose(found.reshape(rows, -1), guide.at(places), atol=1e-5)


@pytest.mark.skipif(not RUNTIME.is_dir(), reason="HALFSTEP_ONNXRUNTIME_WEB names no folder of onnxruntime-web")
@pytest.mark.parametrize("asked", [{}, {"style": "orchestral"}, {"style": "piano", "key": "F#m"}])
def test_music_is_planned_as_on_the_command_line(tab: Tab, asked: dict[str, Any]):
    """A stream from its beginning, and a loop."""
    model = halfstep.load("soundtrack")
    assert model.manifest.plan is not None
    n_mels, tune = model.manifest.mel.n_mels, {"model": "soundtrack", "seed": "9", "steps": 1, **asked}
    bands, _ = streamed(tab, json.dumps(tune), n_mels)
    passages = islice(
        model.passages(Piece(seconds=20, seed=9, steps=1, asked=asked)), bands.shape[1] // PASSAGE_FRAMES + 1
    )
    expected = levels(np.concatenate([one.log_mel for one in passages], axis=1)[:n_mels, : bands.shape[1]])
    assert np.abs(bands.astype(int) - expected.astype(int)).max() <= 3
    for seconds in (4, 0.7):  # the shorter one has one bar of the plan, and no room for a whole crossfade
        words = json.dumps({**tune, "seconds": seconds})
        data = tab.saved(f"halfstep.source.make('loops', {words}, null, () => {{}}, new AbortController().signal)")
        of_theirs = rows_in(data, model.manifest.mel)
        of_ours = rows_of(model.generate(seconds, seed=9, steps=1, loop=True, **asked).samples, model.manifest.mel)
        assert np.corrcoef(of_theirs.ravel(), of_ours.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("text", ["", "H", "am", "A B7b9", "C#b", "CtoString"])
def test_what_is_no_chord_is_said_in_the_browser_too(tab: Tab, text: str):
    with pytest.raises(AssertionError, match="chord"):
        tab.run(f"""import('./leading.js').then(({{ leader }}) => {{
          const about = halfstep.source.about({{ model: 'soundtrack' }});
          return leader(about, {{ chords: {json.dumps(text)} }}, {{ seed: 0n, beside: false, loop: null }}); }})""")


def test_beside_a_recording_nothing_is_drawn_in_the_browser(tab: Tab):
    script = """import('./leading.js').then(({ leader }) => {
      const about = { ...halfstep.source.about({ model: 'soundtrack' }), drawn: ['key', 'tempo'] };
      const piece = { seed: 3n, loop: null };
      return [true, false].map((beside) => leader(about, {}, { ...piece, beside }) === null); })"""
    assert tab.run(script) == [True, False]


def test_a_guide_is_measured_as_on_the_command_line(tab: Tab):
    """Of tones that move between semitones, clicks, a rest, and of silence."""
    mel = halfstep.load("soundtrack").manifest.mel
    frames, rng = 400, np.random.default_rng(0)
    hz = 220 * 2 ** (np.repeat(rng.uniform(0, 3, (3, 20)), 4410, axis=1) + np.zeros((3, 1)))
    sound = np.sin(2 * np.pi * np.cumsum(hz, axis=1) / 44100).sum(axis=0) * 0.1
    sound[rng.integers(0, len(sound), 12)] += 0.8
    sound[30_000:50_000] = 0
    bands = log_mel(sound.astype(np.float32), mel)[:, :frames]
    for one in (bands, np.full((mel.n_mels, 30), np.log(mel.floor), np.float32)):
        sent = base64.b64encode(one.T.astype("<f4").tobytes()).decode()
        found = numbers(
            tab,
            f"""import('./guide.js').then(({{ measuredGuide }}) => {{
          const bytes = Uint8Array.from(atob('{sent}'), (one) => one.charCodeAt(0));
          const bands = new Float32Array(bytes.buffer), about = halfstep.source.about({{ model: 'soundtrack' }});
          const rows = measuredGuide(about, {{ chords: bands, rhythm: bands }});
          return rows.flatMap((row) => [...row]); }})""",
        )
        expected = measured_guide(BOTH, dict.fromkeys((CHORDS, RHYTHM), one), mel)
        np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=2e-5)
    assert expected[:-1].sum() == pytest.approx(30)  # of silence nothing but that it is given


def test_following_is_offered_of_models_that_can(tab: Tab):
    shown = """['soundtrack', 'piano'].map((model) => {
      document.getElementById('model').value = model;
      document.getElementById('model').onchange();
      return !document.getElementById('follow').hidden; })"""
    assert tab.run(shown) == [True, False]


@pytest.mark.skipif(not RUNTIME.is_dir(), reason="HALFSTEP_ONNXRUNTIME_WEB names no folder of onnxruntime-web")
def test_the_browser_follows_a_recording_as_the_command_line_does(tab: Tab, tmp_path: Path):
    model, take = halfstep.load("soundtrack"), tmp_path / "take.wav"
    beats = np.arange(0, 3, 0.5)
    along = np.arange(3 * 44100) / 44100
    chord = sum(np.sin(2 * np.pi * hz * along) for hz in (261.63, 329.63, 392.0))
    sound = 0.1 * chord * np.exp(-6 * (along % 0.5)) * (along >= beats[0])
    soundfile.write(take, sound.astype(np.float32), 44100, "PCM_16")
    given = base64.b64encode(take.read_bytes()).decode()
    file = f"new File([Uint8Array.from(atob('{given}'), (one) => one.charCodeAt(0))], 'take.wav')"
    asked = "{ model: 'soundtrack', seed: '7', steps: 1, seconds: 5, style: 'piano'%s }"
    made = "halfstep.source.make('guided', {}, {}, () => {{}}, new AbortController().signal)"
    of_theirs = rows_in(tab.saved(made.format(asked % "", file)), model.manifest.mel)
    kept: tuple[dict[str, Any], ...] = ({"guide": take}, {})
    of_ours, of_free = (
        rows_of(model.generate(5, seed=7, steps=1, style="piano", **one).samples, model.manifest.mel) for one in kept
    )
    assert np.corrcoef(of_theirs.ravel(), of_ours.ravel())[0, 1] > 0.97
    assert np.abs(of_theirs - of_free).mean() > 3 * np.abs(of_theirs - of_ours).mean()
    for what, sent, said in (("tempo", file, "has a tempo of its own"), ("", "silence", "silent: nothing of it")):
        sent = sent if sent == file else file.replace(given, base64.b64encode(silence()).decode())
        with pytest.raises(AssertionError, match=said):
            tab.run(made.format(asked % (", tempo: '90'" if what else ""), sent))


def score(path: Path, *tracks: Any, tempi: tuple[tuple[int, int], ...] = ((0, 500_000),)) -> bytes:
    """A MIDI file of notes (pitch, velocity, channel, begin, end) in ticks of which a beat has 480, and tempi (tick,
    microseconds a beat) in a track of their own.
    """
    mido = pytest.importorskip("mido")
    file = mido.MidiFile(ticks_per_beat=480)
    messages = [[(tick, mido.MetaMessage("set_tempo", tempo=tempo)) for tick, tempo in tempi]]
    for notes in tracks:
        sounds = list[tuple[int, Any]]()
        for pitch, velocity, channel, begin, end in notes:
            sounds.append((begin, mido.Message("note_on", note=pitch, velocity=velocity, channel=channel)))
            # A key that is struck with no strength is let go of; MIDI files say either.
            off = {"type": "note_on", "velocity": 0} if pitch % 2 else {"type": "note_off", "velocity": 64}
            sounds.append((end, mido.Message(note=pitch, channel=channel, **off)))
        messages.append([(0, mido.Message("program_change", program=3)), *sounds])
    for one in messages:
        track, now = mido.MidiTrack(), 0
        for tick, message in sorted(one, key=lambda each: each[0]):
            track.append(message.copy(time=tick - now))
            now = tick
        track.append(mido.MetaMessage("end_of_track", time=240))
        file.tracks.append(track)
    file.save(path)
    return path.read_bytes()


def sent(data: bytes) -> str:
    """Bytes as an expression."""
    return f"Uint8Array.from(atob('{base64.b64encode(data).decode()}'), (one) => one.charCodeAt(0))"


CHORDS_OF_TWO_BARS = [
    (pitch + 12 * at, 90 - 5 * at, 0, 960 * bar, 960 * bar + 900)
    for bar, triad in enumerate(((60, 64, 67), (57, 60, 64), (65, 69, 72), (67, 71, 74)))
    for at, pitch in enumerate(triad)
]
A_BEAT = [(pitch, 100, 9, 480 * at, 480 * at + 60) for at in range(8) for pitch in ((36, 42) if at % 2 else (38,))]


def test_midi_is_read_as_on_the_command_line(tab: Tab, tmp_path: Path):
    tempi = ((0, 500_000), (700, 300_000), (2000, 900_000))
    data = score(tmp_path / "a.mid", CHORDS_OF_TWO_BARS, A_BEAT, tempi=tempi)
    wanted = read_midi(tmp_path / "a.mid")
    keys = "start, end, pitch, velocity, drum"
    found = numbers(
        tab,
        f"""import('./midi.js').then(({{ readMidi }}) => {{
      const {{ notes, seconds }} = readMidi({sent(data)});
      return [seconds, ...notes.flatMap(({{ {keys} }}) => [{keys}])]; }})""",
    )
    assert found[0] == pytest.approx(wanted.seconds)
    rows = [[getattr(note, key) for key in keys.split(", ")] for note in wanted.notes]
    np.testing.assert_allclose(found[1:].reshape(-1, 5), np.array(rows, float), atol=1e-5)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a MIDI file"), (b"RIFF", "does not begin with MThd"),
        (b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\x40\0\x90", "not a MIDI file"),
        (b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0", "no notes"),
        (b"MThd\0\0\0\6\0\0\0\1\xe8\x28MTrk\0\0\0\4\0\xff\x2f\0", "frames of film"),
        (b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\4\0\x3c\x40\0", "has no kind"),
    ],
)  # fmt: skip
def test_what_is_no_midi_is_said_in_the_browser_too(tab: Tab, data: bytes, said: str):
    with pytest.raises(AssertionError, match=said):
        tab.run(f"import('./midi.js').then(({{ readMidi }}) => readMidi({sent(data)}))")


@pytest.mark.skipif(not RUNTIME.is_dir(), reason="HALFSTEP_ONNXRUNTIME_WEB names no folder of onnxruntime-web")
@pytest.mark.parametrize("tracks", [(CHORDS_OF_TWO_BARS,), (CHORDS_OF_TWO_BARS, A_BEAT), (A_BEAT,)])
def test_the_browser_follows_midi_as_the_command_line_does(tab: Tab, tmp_path: Path, tracks: tuple[Any, ...]):
    """Noise of drums is drawn otherwise, and so a little louder or softer from band to band."""
    model, path = halfstep.load("soundtrack"), tmp_path / "a.mid"
    data = score(path, *tracks)
    asked = "{ model: 'soundtrack', seed: '7', steps: 1, seconds: 4, style: 'piano' }"
    made = f"halfstep.source.make('guided', {asked}, new File([{sent(data)}], 'a.mid'), () => {{}}, "
    of_theirs = rows_in(tab.saved(f"{made} new AbortController().signal)"), model.manifest.mel)
    of_ours = rows_of(model.generate(4, seed=7, steps=1, style="piano", guide=path).samples, model.manifest.mel)
    assert np.corrcoef(of_theirs.ravel(), of_ours.ravel())[0, 1] > (0.97 if A_BEAT not in tracks else 0.9)


def silence() -> bytes:
    """A WAV of two seconds."""
    data = io.BytesIO()
    soundfile.write(data, np.zeros(88_200, np.float32), 44100, "PCM_16", format="WAV")
    return data.getvalue()


def test_strokes_that_would_drift_are_refused_in_the_browser(tab: Tab):
    with pytest.raises(AssertionError, match="strokes or chords lead to it, which do not drift"):
        tab.run("""import('./conditions.js').then(({ course }) => {
          const about = halfstep.source.about({ model: 'styled' });
          return course(about.conditions, { density: '2..4' }, about.guided); })""")


@pytest.mark.skipif(not RUNTIME.is_dir(), reason="HALFSTEP_ONNXRUNTIME_WEB names no folder of onnxruntime-web")
def test_a_tempo_leads_a_loop_in_the_browser_as_on_the_command_line(tab: Tab):
    model, seconds = halfstep.load("soundtrack"), 8 * 60 / 100
    asked = {"model": "soundtrack", "seed": "7", "steps": 2, "bars": 2, "beats": 4, "bpm": 100, "style": "piano"}
    rest = "null, () => {}, new AbortController().signal"
    data = tab.saved(f"halfstep.source.make('loops', {json.dumps(asked)}, {rest})")
    of_theirs = rows_in(data, model.manifest.mel)
    tempi: tuple[dict[str, Any], ...] = ({"tempo": 100.0}, {"key": "free"})
    of_ours, of_free = (
        rows_of(model.generate(seconds, seed=7, steps=2, loop=True, style="piano", **tempo).samples, model.manifest.mel)
        for tempo in tempi
    )
    assert np.corrcoef(of_theirs.ravel(), of_ours.ravel())[0, 1] > 0.97
    assert np.abs(of_theirs - of_free).mean() > 3 * np.abs(of_theirs - of_ours).mean()


@pytest.mark.skipif(not RUNTIME.is_dir(), reason="HALFSTEP_ONNXRUNTIME_WEB names no folder of onnxruntime-web")
def test_a_browser_with_webgpu_plays_and_its_build_takes_every_denoiser(served: str, tmp_path: Path):
    """On a graphics card of software, which the page does not choose: a pass of the denoiser takes it half a minute."""
    with browser(tmp_path, *SOFTWARE_WEBGPU) as tab:
        tab.go(served)
        assert tab.run("navigator.gpu.requestAdapter().then((adapter) => adapter !== null)")
        tab.until("document.documentElement.dataset.warm === 'yes'", 120)
        streamed(tab, "{ model: 'piano', seed: '7', steps: 1 }", halfstep.load().manifest.mel.n_mels)
        taken = tab.run("""import('./ort/ort.jspi.min.mjs').then(async (ort) => {
          ort.env.wasm.wasmPaths = new URL('ort/', location).href;
          ort.env.wasm.numThreads = 1;
          const files = halfstep.source.site.models.flatMap((one) => Object.entries(one.files)), taken = [];
          for (const [name, { path }] of files.filter(([name]) => name.startsWith('denoiser'))) {
            const bytes = new Uint8Array(await (await fetch(path)).arrayBuffer());
            await ort.InferenceSession.create(bytes, { executionProviders: ['webgpu'] });
            taken.push(name); }
          return taken; })""")
        assert len(taken) == 2 * len(halfstep.load().manifest.steps) + 2
