"""The API: what it makes is what the command line makes, and its document tells the truth."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.app.cli import run
from halfstep.app.serve.decoding import decoded_upload
from halfstep.app.serve.limits import USUAL
from halfstep.audio.guide import RHYTHM

from .conftest import Site, serving, until


def drum_file(path: Path) -> Path:
    mido = pytest.importorskip("mido")
    strokes = [mido.Message("note_on", note=36, velocity=90, channel=9, time=240) for _ in range(3)]
    mido.MidiFile(tracks=[mido.MidiTrack(strokes)], ticks_per_beat=480).save(path)
    return path


def by_command(model: Path, folder: Path, *options: str, ending: str = "wav") -> bytes:
    out = folder / f"out.{ending}"
    assert run(["generate", str(out), "--model", str(model), *options]) == 0
    return out.read_bytes()


def test_a_clip_has_the_bytes_of_the_command_line(site: Site, tiny_model: Path, tmp_path: Path):
    made = site.made("/api/clips?seconds=2&seed=5&steps=1&variation=0.5&format=flac")
    options = ("--seconds", "2", "--seed", "5", "--steps", "1", "--vary", "0.5")
    assert made == by_command(tiny_model, tmp_path, *options, ending="flac")


def test_a_loop_in_bars_has_the_bytes_of_the_command_line(site: Site, tiny_model: Path, tmp_path: Path):
    made = site.made("/api/loops?bars=2&bpm=120&beats=3&seed=9")
    options = ("--loop", "--bars", "2", "--bpm", "120", "--beats", "3", "--seed", "9")
    assert made == by_command(tiny_model, tmp_path, *options)
    assert b"smpl" in made


@pytest.mark.parametrize("loop", [False, True])
def test_an_upload_goes_on(site: Site, loop: bool):
    sound = io.BytesIO()
    times = np.arange(8000 * 2) / 8000
    soundfile.write(sound, 0.1 * np.sin(2 * np.pi * 300 * times), 8000, format="FLAC", subtype="PCM_16")
    made = site.made(f"/api/continuations?seconds=1&seed=1&loop={str(loop).lower()}", sound.getvalue())
    samples, rate = soundfile.read(io.BytesIO(made))
    assert (rate, len(samples)) == (8000, 3 * 8000)
    assert np.abs(np.fft.rfft(samples[4000:12000])).argmax() == 300


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
@pytest.mark.parametrize("loop", [False, True])
def test_an_upload_keeps_its_channels_rate_depth_and_level(
    site: Site, tiny_model: Path, tmp_path: Path, loop: bool, subtype: str
):
    """The bytes are the command line's, whose recordings come back as they were."""
    times = np.arange(11025 * 2) / 11025
    left = 0.01 * np.sin(2 * np.pi * 300 * times)
    soundfile.write(tmp_path / "take.wav", np.stack([left, 0.3 * left], axis=1), 11025, subtype)
    take = (tmp_path / "take.wav").read_bytes()
    made = site.made(f"/api/continuations?seconds=1&seed=1&loop={str(loop).lower()}", take)
    options = ["--continue", str(tmp_path / "take.wav"), "--seconds", "1", "--seed", "1", *["--loop"][:loop]]
    assert made == by_command(tiny_model, tmp_path, *options)
    info = soundfile.info(io.BytesIO(made))
    assert (info.channels, info.samplerate, info.frames, info.subtype) == (2, 11025, 3 * 11025, subtype)


def test_a_restyled_upload_has_the_bytes_of_the_command_line(site: Site, tiny_model: Path, tmp_path: Path):
    """And the recording's form."""
    times, take = np.arange(6000) / 11025, tmp_path / "take.wav"
    left = 0.1 * np.sin(2 * np.pi * 300 * times)
    soundfile.write(take, np.stack([left, 0.3 * left], axis=1), 11025, "PCM_24")
    made = site.made("/api/restylings?seed=3&steps=1&strength=0.4&format=flac", take.read_bytes())
    words = ("--restyle", str(take), "--seed", "3", "--steps", "1", "--strength", "0.4")
    assert made == by_command(tiny_model, tmp_path, *words, ending="flac")
    info = soundfile.info(io.BytesIO(made))
    assert (info.channels, info.samplerate, info.frames, info.subtype) == (2, 11025, 6000, "PCM_24")


def test_music_follows_an_upload_as_its_guide(site: Site, tmp_path: Path, write_model: Callable[..., Path]):
    """The samples are the command line's, whose file names the guide besides."""
    clicks = tmp_path / "clicks.wav"
    soundfile.write(clicks, np.tile(np.eye(1, 4000, 2000)[0], 2), 8000)
    model = write_model(tmp_path / "m", id="guided", guide=RHYTHM)
    score = drum_file(tmp_path / "drums.mid")
    asking = (
        ("seconds=.7", ("--seconds", ".7")),
        ("bars=1&bpm=180&beats=2", ("--bars", "1", "--bpm", "180", "--beats", "2")),
    )
    with serving(model) as own:
        about = own.json("GET", "/api/models")[1]["models"][0]
        assert (about["guide"], [one["name"] for one in about["conditions"]]) == (RHYTHM, ["tempo", "density"])
        fields = own.json("GET", "/api/openapi.json")[1]["paths"]["/api/clips"]["post"]["parameters"]
        (tempo,) = (field["description"] for field in fields if field["name"] == "tempo")
        assert tempo == "guided: number from 50 to 200 BPM."  # strokes do not drift
        plain = own.made("/api/loops?seconds=.7&seed=3")
        for length, words in asking:
            for guide in (clicks, score):
                made = own.made(f"/api/guided?{length}&seed=3&loop=true", guide.read_bytes())
                wanted = by_command(model, tmp_path, "--guide", str(guide), *words, "--seed", "3", "--loop")
                led, by_hand = (soundfile.read(io.BytesIO(one))[0] for one in (made, wanted))
                np.testing.assert_array_equal(led, by_hand)
                unled = soundfile.read(io.BytesIO(plain))[0]
                assert len(led) != len(unled) or np.abs(led - unled).max() > 1e-4
        status, answer = own.json("POST", "/api/clips?tempo=80..120")
        assert (status, answer["error"][:37]) == (400, "tempo 80..120: model guided is led to")
        broken = own.json("POST", "/api/guided", b"MThd" + bytes(90))[1]
        address = f"/api/jobs/{broken['id']}"
        until(lambda: own.json("GET", address)[1]["state"] == "failed")
        assert "not readable as MIDI" in own.json("GET", address)[1]["error"]
    status, answer = site.json("POST", "/api/guided", clicks.read_bytes())
    assert (status, answer["error"][:37]) == (400, "guide: model tiny-gauss follows none;")


def test_of_an_upload_as_much_is_used_as_is_allowed():
    sound = io.BytesIO()
    soundfile.write(sound, np.full((3000, 3), 0.25), 8000, format="WAV")
    assert decoded_upload(sound.getvalue(), replace(USUAL, upload_seconds=0.1)).samples.shape == (3, 800)
    assert decoded_upload(sound.getvalue(), replace(USUAL, upload_samples=300)).samples.shape == (3, 100)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/clips?bars=2", "bars and bpm"),
        ("/api/clips?bars=2&bpm=100&seconds=1", "give the length already"),
        ("/api/clips?bars=1000&bpm=10", "are made"),
        ("/api/clips?seconds=601", "0.1 to 600"),
        ("/api/clips?format=exe", "wav or flac"),
        ("/api/loops?format=mp3", "wav or flac or ogg"),
        ("/api/loops?seconds=0.1", "a loop takes"),
        ("/api/loops?toward=3", "ends where it began"),
        ("/api/clips?model=../x", "tiny-gauss was expected"),
        ("/api/continuations", "to be a recording"),
        ("/api/restylings", "to be a recording"),
        ("/api/restylings?strength=1.01", "strength: a number from 0 to 1 was expected"),
        ("/api/restylings?strength=nan", "strength: a number from 0 to 1 was expected"),
        ("/api/restylings?seconds=3", "seconds: a parameter that is not known"),
        ("/api/restylings?style=piano", "style: a parameter that is not known, and no control that a model here has"),
        ("/api/likenesses", "to be a recording"),
        ("/api/guided", "to be a recording"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(site: Site, path: str, said: str):
    status, answer = site.json("POST", path)
    assert status == 400
    assert said in answer["error"]


def test_a_loop_says_how_far_it_is(site: Site):
    job = site.json("POST", "/api/loops?seconds=600&seed=1")[1]
    shares: list[float] = []
    until(lambda: shares.append(site.json("GET", f"/api/jobs/{job['id']}")[1]["progress"]) or 0 < shares[-1] < 1, 60)
    assert shares == sorted(shares)
    assert site.json("GET", f"/api/jobs/{job['id']}")[1]["seconds_left"] > 0
    assert site.json("DELETE", f"/api/jobs/{job['id']}")[0] == 200


def test_jobs_are_bounded_and_can_be_cancelled(site: Site):
    first = [site.json("POST", "/api/clips?seconds=600") for _ in range(8)]
    assert [status for status, _ in first] == [202] * 8
    status, headers, _ = site.ask("POST", "/api/clips?seconds=600")
    assert (status, headers["retry-after"]) == (429, "5")
    running = first[0][1]["id"]
    assert site.json("GET", f"/api/jobs/{running}/audio")[0] == 409
    for _, job in first:
        assert site.json("DELETE", f"/api/jobs/{job['id']}")[0] == 200
    until(lambda: site.json("GET", f"/api/jobs/{running}")[1].get("state", "gone") in ("cancelled", "gone"))
    last = first[-1][1]["id"]  # it may have begun in the moment before it was cancelled
    until(lambda: site.json("GET", f"/api/jobs/{last}")[1].get("state", "gone") in ("cancelled", "gone"))


def test_the_document_names_every_address_and_its_bounds(site: Site):
    status, document = site.json("GET", "/api/openapi.json")
    assert status == 200
    paths = document["paths"]
    for path in (
        "/api/clips",
        "/api/loops",
        "/api/continuations",
        "/api/restylings",
        "/api/jobs/{id}",
        "/stream/{model}.mp3",
    ):
        assert path in paths
    for path, operations in paths.items():
        for method in operations:
            asked = path.replace("{id}", "x").replace("{model}", "tiny-gauss")
            if not path.startswith("/stream"):
                assert site.ask(method.upper(), asked)[0] != 405
    strength = next(field for field in paths["/api/restylings"]["post"]["parameters"] if field["name"] == "strength")
    assert strength["schema"] == {"type": "number", "minimum": 0, "maximum": 1}
    assert paths["/api/restylings"]["post"]["requestBody"]["required"]
    seed = next(field for field in paths["/api/clips"]["post"]["parameters"] if field["name"] == "seed")
    assert seed["schema"] == {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}
    json.dumps(document, allow_nan=False)


def test_models_say_what_the_page_needs(site: Site):
    _, answer = site.json("GET", "/api/models")
    (model,) = answer["models"]
    assert (model["id"], model["steps"], model["default_steps"]) == ("tiny-gauss", [1, 4], 4)
    assert "path" not in json.dumps(answer)
