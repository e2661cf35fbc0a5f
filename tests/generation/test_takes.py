"""A recording comes back as it was, sample by sample, but for what is new and what passes into it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import halfstep
from halfstep.audio.files.depth import BITS
from halfstep.audio.files.io import Audio, read
from halfstep.errors import InputError
from halfstep.generation.model import Model
from halfstep.generation.requests import Mend
from halfstep.generation.takes import Form, Take, form_of


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return halfstep.load(tiny_model)


def stereo(seconds: float, rate: int, level: float = 0.3) -> np.ndarray:
    """[n, 2]: two tones that rise, each in a channel of its own."""
    time = np.arange(round(seconds * rate)) / rate
    return level * np.stack([np.sin(2 * np.pi * (hz + 40 * time) * time) for hz in (300, 410)], axis=1)


def written(folder: Path, samples: np.ndarray, rate: int, subtype: str) -> Path:
    path = folder / "take.wav"
    soundfile.write(path, samples, rate, subtype)
    return path


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_every_sample_outside_the_blend_is_as_it_was(model: Model, tmp_path: Path, subtype: str):
    """At every depth, from a file to blocks that are asked for: the tiny model's window is 24 frames of 64 samples."""
    path = written(tmp_path, stereo(2, 11025), 11025, subtype)
    coming = model.coming(Mend(recording=path, start=0.9, stop=1.1))
    assert coming.form == Form(sample_rate=11025, channels=2, subtype=None if subtype == "ULAW" else subtype)
    out, take = np.concatenate(list(coming.blocks), axis=1), soundfile.read(path)[0].T
    assert out.shape == take.shape == (2, coming.samples)
    blend = round(2 * 256 / 8000 * 11025)
    first, last = round(0.9 * 11025), round(1.1 * 11025)
    for kept in (slice(0, first - blend), slice(last + blend, None)):
        np.testing.assert_array_equal(out[:, kept], take[:, kept])
    assert np.abs(out[:, first:last] - take[:, first:last]).max() > 0.01


@pytest.mark.parametrize(("start", "stop"), [(0, 0.5), (1.5, 2), (0, 0.01), (1.99, 2)])
def test_the_beginning_and_the_end_can_be_mended(model: Model, tmp_path: Path, start: float, stop: float):
    path = written(tmp_path, stereo(2, 8000), 8000, "PCM_24")
    take, out = (soundfile.read(path)[0].T, model.mend(path, start, stop))
    first, last = round(start * 8000), round(stop * 8000)
    assert out.samples.shape == take.shape and out.subtype == "PCM_24"
    kept = slice(last + 512, None) if first == 0 else slice(0, first - 512)
    np.testing.assert_array_equal(out.samples[:, kept], take[:, kept].astype(np.float32))
    assert np.abs(out.samples[:, first:last] - take[:, first:last]).max() > 0.01
    levels = [20 * np.log10(np.std(part)) for part in (out.samples[:, first:last], take)]
    assert levels[0] == pytest.approx(levels[1], abs=8)


@pytest.mark.parametrize("decibels", [0, -20, -40, -60])
def test_new_sound_has_the_level_of_its_surroundings(model: Model, decibels: float):
    """Music as loud beside it, at any level: mended, gone on from, led into, closed."""
    factor = np.float32(10 ** (decibels / 20))
    take = stereo(2, 8000, level=0.1).T.astype(np.float32)  # what is new is far from the limiter
    ways: list[Callable[[Audio], Audio]] = [
        lambda one: model.mend(one, 0.8, 1.2),
        lambda one: model.generate(0.5, context=one),
        lambda one: model.generate(0.5, context=one, into=one),
        lambda one: model.generate(0.5, context=one, loop=True),
    ]
    for way in ways:
        usual, other = (way(Audio(part, 8000)).samples for part in (take, take * factor))
        changed = np.flatnonzero((usual != np.resize(take, usual.shape)).any(axis=0))
        new = slice(changed[len(changed) // 4], changed[-len(changed) // 4])
        levels = [20 * np.log10(np.std(part[:, new])) for part in (usual, other, take)]
        assert levels[1] - levels[0] == pytest.approx(decibels, abs=0.5)
        assert levels[0] == pytest.approx(levels[2], abs=6)


def test_between_two_levels_it_goes_from_one_to_the_other(model: Model):
    loud = stereo(2, 8000).T.astype(np.float32)
    out = model.generate(2, context=Audio(loud, 8000), into=Audio(loud * np.float32(0.01), 8000)).samples
    levels = [20 * np.log10(np.std(out[:, 16000 + start : 16000 + start + 2000])) for start in range(0, 16000, 2000)]
    assert levels[0] - levels[-1] == pytest.approx(35, abs=6)
    assert (np.diff(levels) < 3).all()


@pytest.mark.parametrize("samples", [1, 2, 8, 80])
def test_a_gap_of_a_few_samples_is_no_louder_than_its_surroundings(model: Model, samples: int):
    """A click that is taken out: what has no level of its own is not matched by it."""
    take = stereo(2, 8000).T.astype(np.float32)
    out = model.mend(Audio(take, 8000), 1, 1 + samples / 8000).samples
    levels = [20 * np.log10(np.std(part[:, 7744 : 8256 + samples])) for part in (out, take)]
    assert levels[0] == pytest.approx(levels[1], abs=4)


def test_a_constant_level_stays(model: Model):
    take = (stereo(2, 8000) + np.array([0.2, 0.0])).T.astype(np.float32)
    out = model.mend(Audio(take, 8000), 0.5, 1.5).samples[:, 4000:12000]
    assert out.mean(axis=1) == pytest.approx([0.2, 0.0], abs=0.03)


def test_channels_out_of_phase_are_heard_and_stay_so(model: Model):
    tone = stereo(2, 8000)[:, 0].astype(np.float32)
    new = model.generate(1, context=Audio(np.stack([tone, -tone]), 8000)).samples[:, 16000:]
    assert np.std(new) > 0.02
    np.testing.assert_allclose(new[0], -new[1], atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_a_sample_that_is_no_number_is_the_recordings_fault(model: Model, tmp_path: Path, value: float):
    samples = stereo(2, 8000)
    samples[12000, 1] = value
    path = written(tmp_path, samples, 8000, "FLOAT")
    for recording, name in ((path, str(path)), (Audio(samples.T.astype(np.float32), 8000), "the recording")):
        for way in (lambda one: model.mend(one, 0.2, 0.4), lambda one: model.generate(1, context=one), model.vocode):
            with pytest.raises(
                InputError,
                match=rf"{name}: a sample at 1\.5\d\d s is (NaN or infinite|more than 1e.10 times full scale)",
            ):
                way(recording)


def test_a_second_recording_is_given_the_form_of_the_first(model: Model, tmp_path: Path):
    soundfile.write(tmp_path / "b.flac", stereo(2, 16000)[:, 0], 16000, "PCM_24")
    first = written(tmp_path, stereo(2, 8000), 8000, "PCM_16")
    out = model.generate(0.5, context=first, into=tmp_path / "b.flac")
    assert (out.samples.shape, out.sample_rate, out.subtype) == ((2, 16000 + 4000 + 16000), 8000, "PCM_16")
    finest = form_of([Take(first), Take(Audio(np.zeros((2, 10), np.float32), 8000, "PCM_24"))])
    assert finest.subtype == "PCM_24"


@pytest.mark.parametrize("rate", [8000, 16000, 6000])
def test_a_part_is_counted_in_samples_of_its_form(rate: int):
    """And how long the whole is, is said in seconds whatever the form."""
    samples = stereo(2, 8000).T.astype(np.float32)
    take = Take(Audio(samples, 8000)).formed(Form(sample_rate=rate, channels=1))
    assert (take.seconds, take.samples_declared) == (2, 2 * rate)
    part = np.concatenate(list(take.part(rate // 2, rate).blocks()), axis=1)
    whole = np.concatenate(list(take.blocks()), axis=1)
    assert part.shape == (1, rate - rate // 2)
    np.testing.assert_array_equal(part, whole[:, rate // 2 : rate])


def test_what_it_saves_is_as_fine_as_what_it_read(model: Model, tmp_path: Path):
    path = written(tmp_path, stereo(2, 8000), 8000, "PCM_24")
    model.mend(read(path), 0.9, 1.1).save(tmp_path / "out.wav")
    one, other = (soundfile.read(name, dtype="int32")[0][:6000] for name in (path, tmp_path / "out.wav"))
    np.testing.assert_array_equal(one, other)
    assert BITS[soundfile.info(tmp_path / "out.wav").subtype] == 24


def test_no_samples_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="holds no samples"):
        Take(written(tmp_path, np.zeros((0, 2)), 8000, "PCM_16"))
