"""What is odd about a recording, each with its figure; and that nothing is said of an ordinary one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.audio.mel import MelConfig
from halfstep.data.decode import DecodeConfig, decode
from halfstep.data.sources import stamp_of
from halfstep.data.track_builder import UnusableError

RATE = 44100
CONFIG = DecodeConfig(mel=MelConfig(), min_frames=32)
RNG = np.random.default_rng(0)
NOISE = 0.05 * RNG.standard_normal(3 * RATE)
OTHER = 0.05 * RNG.standard_normal(3 * RATE)


def low_passed(samples: np.ndarray, cutoff_hz: float) -> np.ndarray:
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / RATE) > cutoff_hz] = 0
    return np.fft.irfft(spectrum, len(samples))


def stereo(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.stack([left, right], axis=1)


TONE = 0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)
SECOND = np.arange(3 * RATE) // RATE
TURNED = np.where(SECOND == 1, -NOISE, NOISE)
CASES = [
    ("plain", NOISE, []),
    ("a pure tone", TONE, []),
    ("wide", stereo(NOISE, OTHER), []),
    ("panned", stereo(NOISE + 0.1 * OTHER, 0.3 * NOISE + 0.1 * OTHER), []),
    ("codec", low_passed(NOISE, 16_000), ["band-limited: nothing above 16.0 kHz"]),
    ("better codec", low_passed(NOISE, 19_000), ["band-limited: nothing above 19.0 kHz"]),
    ("converter", low_passed(NOISE, 21_000), []),
    ("quiet", NOISE * 0.02, ["very quiet: -"]),
    ("offset", NOISE * 0.2 - 0.1, ["a constant offset of -0.100 of full scale"]),
    ("begins in a tone", low_passed(NOISE, 16_000) + 0.9 * np.cos(np.arange(3 * RATE) / 16), ["nothing above 16.0"]),
    ("turned down", 0.5 * np.clip(NOISE * 20, -1, 1), ["turned down: 32% of the samples are at its peak, -6.0 dB"]),
    ("clipped", np.clip(NOISE * 20, -1, 1), ["% of the samples are at full scale"]),
    (
        "out of phase",
        stereo(NOISE, 0.02 * OTHER - NOISE),
        ["left and right are out of phase: correlation -1.00", "very quiet"],
    ),
    ("same", stereo(NOISE, NOISE), ["mono in two channels: they differ by -120 dB"]),
    ("one side", stereo(NOISE, 0 * NOISE), ["only the left channel has sound: the other is at -120 dB"]),
    ("out for a third", stereo(NOISE, TURNED), ["left and right are out of phase in 1 of 3 s"]),
    ("out where soft", stereo(NOISE, TURNED) * np.where(SECOND == 1, 0.002, 1)[:, None], []),
    ("one side for a third", stereo(OTHER, NOISE * (SECOND != 1)), ["only one channel has sound in 1 of 3 s"]),
    ("side to side", stereo(NOISE * (SECOND != 1), NOISE * (SECOND == 1)), ["channel has sound in 3 of 3 s"]),
    ("offsets that cancel", NOISE * 0.2 + np.where(SECOND == 1, 0.05, -0.025), ["a constant offset in 3 of 3 s"]),
    ("telephone", low_passed(NOISE, 3400), ["band-limited: nothing above 3.4 kHz"]),
    ("old", low_passed(NOISE, 11_025), ["band-limited: nothing above 11.0 kHz"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "samples", "said"), CASES, ids=[name for name, *_ in CASES])
def test_what_is_odd_is_said_with_its_figure(tmp_path: Path, name: str, samples: np.ndarray, said: list[str]):
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, RATE, "FLOAT")
    notes = decode(path, stamp_of(path), tmp_path / "a.npy", CONFIG, lambda _: None)["notes"]
    assert len(notes) == len(said), notes
    assert all(part in note for part, note in zip(said, notes, strict=True))


def test_a_file_of_a_low_rate_is_not_band_limited(tmp_path: Path):
    path = tmp_path / "a.wav"
    soundfile.write(path, NOISE[:RATE], 22050, "PCM_16")
    assert decode(path, stamp_of(path), tmp_path / "a.npy", CONFIG, lambda _: None)["notes"] == []


def test_channels_that_cancel_are_no_silence_without_a_reason(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", stereo(NOISE, -NOISE), RATE)
    said = r"^silence; left and right are out of phase: correlation -1\.00$"
    with pytest.raises(UnusableError, match=said):
        decode(tmp_path / "a.wav", stamp_of(tmp_path / "a.wav"), tmp_path / "a.npy", CONFIG, lambda _: None)
    assert not (tmp_path / "a.npy").exists()
