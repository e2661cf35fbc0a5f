"""What a model can be asked for, asked of a server: by jobs, streams and blocks, with the command line's own words."""

import io
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
import soundfile

import halfstep
from halfstep.app.cli import run
from halfstep.app.serve.formats import as_int16
from halfstep.audio.files.io import Audio
from halfstep.generation.requests import Piece

from .conftest import Site, serving
from .test_streams import block_of, live


@pytest.fixture(scope="module")
def site(styled_model: Path) -> Iterator[Site]:
    with serving(styled_model) as site:
        yield site


def noise(hz: float) -> np.ndarray:
    """A second of white noise within half an octave of hz, at 8 kHz."""
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(8000))
    away = np.abs(np.log2(np.maximum(np.fft.rfftfreq(8000, 1 / 8000), 1) / hz))
    return (0.1 * np.fft.irfft(spectrum * np.exp(-away))).astype(np.float32)


def test_models_and_document_say_what_can_be_asked(site: Site):
    (model,) = site.json("GET", "/api/models")[1]["models"]
    assert model["conditions"] == [
        {"name": "style", "kind": "label", "values": ["piano", "strings"]},
        {"name": "tempo", "kind": "number", "values": [60, 180], "unit": "bpm"},
    ]
    assert model["known_by_sound"] == ["style"]
    paths = site.json("GET", "/api/openapi.json")[1]["paths"]
    for path, method in (("/api/clips", "post"), ("/api/loops", "post"), ("/stream/{model}.mp3", "get")):
        fields = {field["name"]: field for field in paths[path][method]["parameters"]}
        assert "piano, strings" in fields["style"]["description"]
        assert "from 60 to 180 bpm; A..B drifts" in fields["tempo"]["description"]


@pytest.mark.parametrize("style", ["piano:2,strings", "piano..strings"])
def test_a_clip_in_a_style_has_the_bytes_of_the_command_line(
    site: Site, styled_model: Path, tmp_path: Path, style: str
):
    made = site.made("/api/clips?" + urlencode({"seconds": 1, "seed": 5, "style": style, "tempo": 90}))
    asked = ["--style", style, "--control", "tempo=90"]
    bytes_of = []
    for number, options in enumerate((asked, [])):
        out = tmp_path / f"{number}.wav"
        words = ["generate", str(out), "--model", str(styled_model), "--seconds", "1", "--seed", "5", *options]
        assert run(words) == 0
        bytes_of.append(out.read_bytes())
    assert made == bytes_of[0]
    assert made != bytes_of[1]


def test_a_loop_of_bars_is_asked_for_at_their_tempo_and_a_restyled_take_in_its_style(
    site: Site, styled_model: Path, tmp_path: Path
):
    """The bytes are the command line's, whose comment says what was asked."""
    take, out = tmp_path / "take.wav", tmp_path / "out.wav"
    soundfile.write(take, noise(3000), 8000)
    restyle = ["--restyle", str(take), "--strength", "0.5", "--style", "piano..strings"]
    for query, body, options in (
        ("loops?bars=1&bpm=120", None, ["--loop", "--bars", "1", "--bpm", "120"]),
        ("restylings?strength=0.5&style=piano..strings", take.read_bytes(), restyle),
    ):
        assert run(["generate", str(out), "--model", str(styled_model), "--seed", "5", *options]) == 0
        assert site.made(f"/api/{query}&seed=5", body) == out.read_bytes()
    status, answer = site.json("POST", "/api/loops?bars=1&bpm=300")
    assert (status, answer["error"]) == (400, "tempo 300: a number from 60 to 180 bpm was expected")
    with soundfile.SoundFile(io.BytesIO(site.made("/api/loops?bars=1&bpm=120&tempo=90"))) as sound:
        assert "tempo 90" in sound.comment


def test_an_upload_says_which_style_it_is_like(site: Site, styled_model: Path):
    sounds = {name: io.BytesIO() for name in ("low", "high")}
    for hz, sound in zip((150, 3000), sounds.values(), strict=True):
        soundfile.write(sound, noise(hz), 8000, format="FLAC")
    low, high = (site.json("POST", "/api/likenesses", sound.getvalue()) for sound in sounds.values())
    shares = halfstep.load(styled_model).like(Audio(noise(3000)[None], 8000))
    assert high == (200, {"condition": "style", "shares": shares, "asked": "strings:1"})
    assert low[1]["asked"] == "piano:1"
    upload = sounds["low"].getvalue()
    status, answer = site.json("POST", "/api/likenesses?condition=tempo", upload)
    assert (status, answer["error"][:30]) == (400, "tempo: is a number from 60 to ")
    status, answer = site.json("POST", "/api/likenesses?condition=mood", upload)
    assert (status, answer["error"][:46]) == (400, "mood: model tiny-gauss has no such control (it")
    assert site.json("POST", "/api/likenesses", bytes(1000))[0] == 400
    assert not site.server.resemblance._busy.locked()
    with site.server.resemblance._busy:
        assert site.json("POST", "/api/likenesses", upload)[0] == 429


def test_blocks_are_the_music_of_the_style(site: Site, styled_model: Path):
    with live(site, "?seed=3&style=strings&tempo=120") as websocket:
        hello = json.loads(websocket.recv())
        blocks = [block_of(websocket.recv()) for _ in range(4)]
    assert hello["asked"] == {"style": "strings", "tempo": "120"}
    piece = Piece(seconds=9, seed=3, asked={"style": "strings", "tempo": 120.0})
    for (_, samples, _), passage in zip(blocks, islice(halfstep.load(styled_model).passages(piece), 4), strict=True):
        np.testing.assert_array_equal(samples, as_int16(passage.samples)[0])


def test_two_styles_are_two_pieces(site: Site):
    with live(site, "?seed=4&style=piano") as one, live(site, "?seed=4&style=strings") as other:
        means = []
        for listener in (one, other):
            listener.recv()
            means.append(block_of(listener.recv())[2].astype(float).mean())
    assert means[1] > means[0] + 2  # levels of a byte: the network takes more off, and v points away from the music


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("style=brass", "style 'brass': not known; it is of piano, strings"),
        ("tempo=300", "tempo 300: a number from 60 to 180 bpm was expected"),
        ("mood=glad", "mood: a parameter that is not known, and no control that a model here has"),
        ("a%20mood=glad", "a parameter that is not known, and no control"),
    ],
)
def test_what_the_model_has_not_is_refused_in_a_line(site: Site, query: str, said: str):
    for method, path in (("POST", "/api/clips"), ("GET", "/stream/tiny-gauss.mp3")):
        status, answer = site.json(method, f"{path}?{query}")
        assert status == 400
        assert said in answer["error"]
    with live(site, f"?{query}") as websocket:
        assert said in json.loads(websocket.recv())["error"]
    status, answer = site.json("POST", "/api/loops?style=piano..strings")
    assert status == 400
    assert "cannot drift" in answer["error"]
