from pathlib import Path

import numpy as np
import pytest

from halfstep.audio.mel import MelConfig, band_edges_hz
from halfstep.data.bands import moments_of
from halfstep.data.catalogue import Failed, Skipped, Used, counted_once, emphasised, manifest, report
from halfstep.data.sources import Found


def used(name: str, sound: str, fingerprint: str = "", notes: tuple[str, ...] = ()) -> Used:
    rng = np.random.default_rng(list(name.encode()))
    facts = {
        "frames": 100,
        "seconds": 1.5,
        "loudness_lufs": -20.0,
        "trimmed_seconds": [0.0, 0.25],
        "notes": list(notes),
        "format": {},
        "mel_sha256": sound,
        "fingerprint": fingerprint or rng.bytes(126).hex(),
        "moments": moments_of(rng.normal(size=(100, 4))).to_json(),
    }
    return Used(file=found(name), track=f"{sound}-settings", facts=facts)


def found(name: str) -> Found:
    return Found(path=Path(name), name=name)


def test_found_is_used_and_skipped_and_failed():
    outcomes = counted_once(
        [
            used("m/a.wav", "1"),
            used("m/b.wav", "2", notes=("cut off",)),
            used("m/c.wav", "1"),
            Skipped(file=found("m/d.txt"), reason="not audio: text"),
            Failed(file=found("m/e.wav"), reason="the decoder crashed (SIGSEGV)"),
        ]
    )
    summary = report(outcomes, manifest(outcomes, MelConfig(), 0.1))
    assert (summary.found, summary.used, summary.seconds, summary.heldout_seconds) == (5, 2, 3.0, 1.5)
    assert summary.skipped == [
        {"source": "m/c.wav", "reason": "the same sound as m/a.wav"},
        {"source": "m/d.txt", "reason": "not audio: text"},
    ]
    assert summary.failed == [{"source": "m/e.wav", "reason": "the decoder crashed (SIGSEGV)"}]
    assert summary.flagged == [{"source": "m/b.wav", "reason": "cut off"}]


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_near_duplicates_share_a_side(share):
    prints = [np.random.default_rng(number).bytes(126).hex() for number in range(6)]
    outcomes = [
        used(f"m/{kind}-{number}.wav", f"{kind}{number}", prints[number]) for kind in "ab" for number in range(6)
    ]
    dataset = manifest(outcomes, MelConfig(), share)
    assert [pair["sources"] for pair in dataset["near_duplicates"]] == [
        [f"m/a-{number}.wav", f"m/b-{number}.wav"] for number in range(6)
    ]
    sides = {track["source"]: track["split"] for track in dataset["tracks"]}
    assert all(sides[f"m/a-{number}.wav"] == sides[f"m/b-{number}.wav"] for number in range(6))
    assert set(sides.values()) == {"train", "heldout"}


def test_emphasis_is_a_power_of_frequency_between_its_limits():
    """The scale of a band is what its deviation is divided by; bands of a third of an octave and less."""
    mel = MelConfig(n_fft=8192, window_length=4096, n_mels=192, fmin_hz=30.0, spacing="log", break_hz=150.0)
    curve, centres_hz = emphasised(mel, 0.5), band_edges_hz(mel)[1:-1]
    assert curve[0] == 2.2
    assert curve[-1] == 0.6
    between = (curve > 0.6) & (curve < 2.2)
    np.testing.assert_allclose(curve[between] ** 2 * centres_hz[between], 1000)
    outcomes = [used("m/a.wav", "1"), used("m/b.wav", "2")]
    four = MelConfig(n_mels=4)
    plain, weighed = (manifest(outcomes, four, 0.5, emphasis=emphasis)["bands"]["std"] for emphasis in (0.0, 0.5))
    np.testing.assert_allclose(np.array(plain) / weighed, emphasised(four, 0.5))
