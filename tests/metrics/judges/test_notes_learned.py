"""Where the judges' notes come from: patches read and played, samples that soundfonts share, families of programs."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

RECIPES = Path(__file__).parents[3] / "recipes" / "judges"
RATE = 22050
CYCLES = np.sin(2 * np.pi * 441 * np.arange(RATE) / RATE)


@pytest.fixture(scope="module", autouse=True)
def recipes():
    sys.path.insert(0, str(RECIPES))
    yield
    sys.path.remove(str(RECIPES))


def patch(mode: int = 1, loop: tuple[int, int] = (0, 0), envelope: tuple[int, ...] = (0,) * 12) -> bytes:
    """One sample, a sine of 441 Hz at 22 050 Hz, 16 bits, as a Gravis Ultrasound patch."""
    samples = (20000 * CYCLES).astype("<i2").tobytes()
    head = bytearray(239)
    head[:12], head[198] = b"GF1PATCH110\0", 1
    first, end = (2 * at for at in loop)
    hz = (8000, 12543000, 441000)
    fields = (b"sine", 0, len(samples), first, end, RATE, *hz, 0, 7, *envelope, *(0,) * 6, mode, 60, 1024)
    return bytes(head) + struct.pack("<7sB3IH3IHB6B6B3B3BBhH36x", *fields) + samples


def loudest_hz(samples: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * rate / len(samples))


@pytest.mark.parametrize(("key", "away"), [(57, 0), (69, 0), (69, 2), (81, -2), (93, 0)])
def test_a_patch_sounds_at_the_pitch_asked_for(key: int, away: int):
    from gus_patches import played, read

    (sample,) = read(patch(mode=1 | 4, loop=(0, RATE)))
    samples = played([sample], key, away, held=16000, length=16000, sample_rate=16000)
    assert loudest_hz(samples, 16000) == pytest.approx(440 * 2 ** ((key - 69) / 12), abs=1)
    assert np.abs(samples[:8000]).max() == pytest.approx(20000 / 32768, rel=0.05)


def test_what_lies_above_half_the_rate_is_not_folded_back():
    from gus_patches import played, read

    (sample,) = read(patch(mode=1 | 4, loop=(0, RATE)))
    assert np.abs(played([sample], 69 + 54, 0, held=8000, length=8000, sample_rate=16000)[500:-500]).max() < 0.02


def test_without_a_loop_it_ends_and_a_sustained_envelope_holds_until_it_is_let_go():
    from gus_patches import played, read

    (once,) = read(patch(mode=1))
    result = played([once], 69, 0, held=40000, length=40000, sample_rate=16000)
    assert np.abs(result[:15000]).max() > 0.5
    assert np.abs(result[17000:]).max() < 1e-3
    # Up at once, held at the third level, then down to nothing at once.
    envelope = (63, 63, 63, 63, 63, 63, 246, 246, 246, 0, 0, 0)
    (held,) = read(patch(mode=1 | 4 | 32 | 64, loop=(0, RATE), envelope=envelope))
    result = played([held], 69, 0, held=20000, length=30000, sample_rate=16000)
    assert np.abs(result[10000:19000]).max() > 0.4
    assert np.abs(result[22000:]).max() < 0.01


def test_what_is_no_patch_is_refused():
    from gus_patches import read

    with pytest.raises(ValueError, match="GF1PATCH110"):
        read(b"RIFF" + bytes(300))


def test_programs_that_share_samples_are_found_and_others_are_not(tmp_path: Path):
    from shared_samples import font, shared

    rng = np.random.default_rng(0)
    data = {name: rng.integers(-20000, 20000, 5000, dtype=np.int16).tobytes() for name in ("piano", "flute", "reed")}
    folders = {"one": {"000_Piano": "piano", "073_Flute": "flute"}, "two": {"004_Rhodes": "piano", "065_Sax": "reed"}}
    for folder, names in folders.items():
        (tmp_path / folder).mkdir()
        for name, sample in names.items():
            (tmp_path / folder / f"{name}.pat").write_bytes(bytes(239) + bytes(96) + data[sample])
    assert shared(font(tmp_path / "one"), font(tmp_path / "two"), rng) == {4: {0}}


def test_a_recording_resampled_is_told_from_another_of_the_same_pitch():
    from shared_samples import likeness

    rng = np.random.default_rng(0)
    seconds = np.arange(9600) / 16000
    one, other = (
        sum(rng.normal() * np.sin(2 * np.pi * (220 * k * seconds + rng.random())) for k in range(1, 12))
        * np.exp(-5 * seconds)
        for _ in range(2)
    )
    later = 0.3 * np.interp(np.arange(4800) + 0.4, np.arange(9600), one)
    assert likeness(one[:4800], later) > 0.98
    assert likeness(one[:4800], other[:4800]) < 0.9


def test_families_are_apart_and_every_one_is_of_pitched_programs():
    from labelled_notes import FAMILIES, PITCHES, PROGRAMS, RANGES

    programs = [program for family in FAMILIES.values() for program in family]
    assert len(programs) == len(set(programs))
    assert set(programs) <= set(PROGRAMS)
    assert len(FAMILIES) >= 7
    assert all(PITCHES[0] <= low < high <= PITCHES[-1] for low, high in RANGES.values())


def test_the_odds_of_a_class_are_the_sum_of_those_of_its_parts():
    pytest.importorskip("onnx")
    from train_judges import Judge, OfClasses

    classes = np.array([0, 0, 1, 2, 2, 2])
    asked = OfClasses(Judge(128, 6, 16, (2, 2)), classes).eval()
    mel = torch.rand(3, 128, 32)
    with torch.no_grad():
        parts, result = (net(mel).softmax(1).numpy() for net in (asked.judge, asked))
    np.testing.assert_allclose(result, np.stack([parts[:, classes == k].sum(1) for k in range(3)], 1), atol=1e-6)
