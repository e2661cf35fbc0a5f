"""Has music the tempo of drums that lead it, or that is asked?

    python studies/led_by_drums.py MODEL [--bpm 70 80 ...] [--steps K]

A plain drum track, as MIDI, leads the music of a model that was trained with a rhythm as its guide, or a tempo is asked
of it (`--bpm`). Judges that took no part in training: librosa's tempo, without its prior, and how many of the onsets
that librosa finds lie within 50 ms of the eighths. Beside each stands the music of the same seed that nothing led.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import librosa
import mido
import numpy as np

import halfstep

TICKS, BARS, BEATS = 480, 8, 4
KICK, SNARE, HAT, DRUMS = 36, 38, 42, 9
NEAR_SECONDS = 0.05
OBEYED = 0.04


def drum_track(path: Path, bpm: float) -> None:
    """Kick and snare on the beats by turns, a hat on every eighth: eight bars of four."""
    events: list[tuple[int, str, int, int]] = []
    for beat in range(BEATS * BARS):
        strokes = ((SNARE if beat % 2 else KICK, 110, 0), (HAT, 60, 0), (HAT, 45, TICKS // 2))
        for note, velocity, after in strokes:
            at = beat * TICKS + after
            events += [(at, "note_on", note, velocity), (at + TICKS // 8, "note_off", note, 0)]
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    now = 0
    for at, kind, note, velocity in sorted(events):
        track.append(mido.Message(kind, channel=DRUMS, note=note, velocity=velocity, time=at - now))
        now = at
    track.append(mido.MetaMessage("end_of_track", time=BEATS * BARS * TICKS - now))
    mido.MidiFile(ticks_per_beat=TICKS, tracks=[track]).save(path)


def judged(samples: np.ndarray, sample_rate: int, bpm: float) -> tuple[float, float]:
    """Its tempo, and the share of onsets on the eighths of `bpm`."""
    strength = librosa.onset.onset_strength(y=samples, sr=sample_rate)
    tempo = float(librosa.feature.tempo(onset_envelope=strength, sr=sample_rate, prior=None)[0])
    onsets = librosa.onset.onset_detect(y=samples, sr=sample_rate, units="time")
    eighth = 30 / bpm
    off_grid = np.abs((onsets + eighth / 2) % eighth - eighth / 2)
    return tempo, float(np.mean(off_grid < NEAR_SECONDS))


def off(tempo: float, bpm: float) -> tuple[float, float]:
    """How far a tempo is from the wanted one, as a share, and that up to factors of two."""
    octaves = np.log2(tempo / bpm)
    return abs(tempo / bpm - 1), abs(2 ** (octaves - round(octaves)) - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--bpm", type=float, nargs="+", default=[70, 80, 90, 100, 110, 120, 130, 140])
    parser.add_argument("--seeds", type=int, default=2, help="at each tempo")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--bars", type=int, help="loops of so many bars of four, played twice over, in place of pieces")
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    model = halfstep.load(options.model)
    rows: dict[str, list[tuple[float, float, float]]] = {"led": [], "asked": [], "by nothing": []}
    curve: dict[str, list[str]] = {name: [] for name in rows}
    with TemporaryDirectory() as folder:
        track = Path(folder) / "drums.mid"
        for bpm in options.bpm:
            drum_track(track, bpm)
            for seed in range(options.seeds):
                ways: dict[str, dict[str, Any]] = {"led": {"guide": track}, "asked": {"tempo": bpm}, "by nothing": {}}
                for name, way in ways.items():
                    loop = options.bars is not None
                    seconds = options.bars * BEATS * 60 / bpm if loop else options.seconds
                    made = model.generate(seconds, seed=seed, steps=options.steps, loop=loop, **way)
                    sound = np.tile(made.samples.mean(axis=0), 2 if loop else 1)
                    tempo, on_grid = judged(sound, made.sample_rate, bpm)
                    rows[name].append((*off(tempo, bpm), on_grid))
                    curve[name].append(f"{bpm:g}: {tempo:.1f}")
    chance = np.mean([min(1.0, 2 * NEAR_SECONDS / (30 / bpm)) for bpm in options.bpm])
    for name, values in rows.items():
        wrong, octaves, on_grid = np.array(values).T
        print(name, "asked: obtained", *curve[name], sep="  ")
        print(
            f"{name} ({len(wrong)}): median off {np.median(wrong):.3f}, {np.median(octaves):.3f} up to octaves, "
            f"within {OBEYED:g}: {np.mean(octaves < OBEYED):.2f}, "
            f"not an octave off either {np.mean(wrong < OBEYED):.2f}; "
            f"onsets on eighths {on_grid.mean():.2f} (chance {chance:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
