"""What a piece is to follow, as the guide that its model was trained with: a recording, a MIDI file, or strokes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.files.io import Audio, read
from halfstep.audio.files.midi import MOST_SECONDS, Score, is_midi, read_midi
from halfstep.audio.guide import CHORDS, GUIDES, NO_GUIDE, RHYTHM, guide_rows, kind_rows, measured_guide
from halfstep.audio.mel import LogMelStream, MelConfig
from halfstep.audio.tones import tones
from halfstep.bundle import Manifest
from halfstep.conditioning import DENSITY, TEMPO
from halfstep.errors import InputError
from halfstep.generation.incoming import incoming
from halfstep.generation.requests import Leading, Recording, Request, refuse
from halfstep.generation.strokes import stroke_rows
from halfstep.generation.takes import Take

Bands = Float32[np.ndarray, "bands frames"]
ROUND_SECONDS = 1.0
"""A score is measured so far into its next round: what sets in with it is seen half a window early, at its end."""


@dataclass(frozen=True, eq=False)
class Guide:
    """rows [rows, n]: a frame of the guide each. frames: how long it is, in frames of the model: beyond its end it
    begins again, so that a bar goes round without drifting. Before frame 0 there is nothing to follow.
    """

    rows: Float32[np.ndarray, "rows guide"]
    frames: float

    def __call__(self, start: int, stop: int) -> Float32[np.ndarray, "rows frames"]:
        """[rows, stop - start] of a piece that it leads from frame 0 on."""
        return self.at(np.arange(start, stop, dtype=np.float64))

    def at(self, places: Float64[np.ndarray, "places"]) -> Float32[np.ndarray, "rows places"]:
        """The same at any places, in frames."""
        nearest = np.minimum((places % self.frames).astype(np.int64), self.rows.shape[1] - 1)
        return np.where(places >= 0, self.rows[:, nearest], np.float32(0))


def guide_for(request: Request, manifest: Manifest) -> Guide | None:
    """What the request is to follow: its guide, or strokes where it asks a tempo or a density of a model that follows a
    rhythm (`Manifest.asks`).

    InputError as for `guide_of`, for what is no such number, and for one beside a guide, which has its own.
    """
    wanted = {
        one.name: one.number(request.asked[one.name]) for one in manifest.asks.guided if one.name in request.asked
    }
    if not wanted:
        return None if request.guide is None else guide_of(request.guide, manifest)
    if request.guide is not None:
        name = next(iter(wanted))
        refuse(f"{{{name}}}: the {{guide}} has a {name} of its own; leave one of the two out")
    return _of_strokes(wanted.get(TEMPO), wanted.get(DENSITY), manifest)


def _of_strokes(tempo: float | None, density: float | None, manifest: Manifest) -> Guide:
    of_rhythm, frames = stroke_rows(tempo, density, manifest.mel)
    rows = np.zeros((guide_rows(manifest.guide), of_rhythm.shape[1]), np.float32)
    at = kind_rows(manifest.guide)[GUIDES[manifest.guide].index(RHYTHM)]
    rows[at] = np.concatenate([of_rhythm, np.ones((1, of_rhythm.shape[1]), np.float32)])
    return Guide(rows, frames)


def guide_of(source: Leading, manifest: Manifest) -> Guide:
    """InputError for a model that follows none, and for what cannot be read, is silent, or lacks what is followed."""
    if manifest.guide == NO_GUIDE:
        refuse(f"{{guide}}: model {manifest.id} follows none; train one with music.guide, or leave it out")
    name = "the guide" if isinstance(source, Audio | Score) else str(source)
    if isinstance(source, Score):
        guide = _followed(source, name, manifest)
    elif isinstance(source, Audio) or not is_midi(Path(source)):
        guide = _of_recording(source, manifest)
    else:
        guide = _followed(read_midi(Path(source)), name, manifest)
    if not any(guide.rows[at][:-1].any() for at in kind_rows(manifest.guide)):
        raise InputError(f"{name}: silent: nothing of it can be followed")
    return guide


def _of_recording(source: Recording, manifest: Manifest) -> Guide:
    """What sets in with it sets in after its end, as it goes round."""
    take = Take(source)
    if take.seconds > MOST_SECONDS:
        raise InputError(f"{take.name}: {take.seconds:.0f} s, at most {MOST_SECONDS:g} can be followed; cut it")
    blocks, most = list[Bands](), MOST_SECONDS * manifest.mel.frames_per_second + 1
    for block in incoming(take, manifest).bands():
        blocks.append(block)
        if sum(one.shape[1] for one in blocks) > most:
            raise InputError(f"{take.name}: more than {MOST_SECONDS:g} s can not be followed; cut it")
    bands = np.concatenate(blocks, axis=1)
    around = np.concatenate([bands[:, -1:], bands], axis=1)
    rows = measured_guide(manifest.guide, dict.fromkeys((CHORDS, RHYTHM), around), manifest.mel)
    return Guide(rows[:, 1:], min(take.seconds * manifest.mel.frames_per_second, bands.shape[1]))


def _followed(score: Score, name: str, manifest: Manifest) -> Guide:
    """InputError for one that has nothing of what is followed."""
    if RHYTHM not in GUIDES[manifest.guide] and all(note.drum for note in score.notes):
        raise InputError(f"{name}: drums alone, and model {manifest.id} follows {manifest.guide}; give one with notes")
    return _of_score(score, manifest)


def _of_score(score: Score, manifest: Manifest) -> Guide:
    """Its drums have no chords."""
    mel = manifest.mel
    again = [
        replace(note, start=note.start + score.seconds, end=note.end + score.seconds)
        for note in score.notes
        if note.start < ROUND_SECONDS
    ]
    notes = [*score.notes, *again]
    wanted = {CHORDS: [note for note in notes if not note.drum], RHYTHM: notes}
    of_kind = {
        kind: _bands(tones(wanted[kind], score.seconds + ROUND_SECONDS, mel.sample_rate), mel)
        for kind in GUIDES[manifest.guide]
        if wanted[kind]
    }
    return Guide(measured_guide(manifest.guide, of_kind, mel), score.seconds * mel.frames_per_second)


def sound_of(source: Path, sample_rate: int) -> Float32[np.ndarray, "samples"]:
    """A recording, or what a MIDI file is measured by, as one channel. InputError where it cannot be read."""
    if is_midi(source):
        score = read_midi(source)
        return np.concatenate(list(tones(score.notes, score.seconds, sample_rate)))
    return read(source, sample_rate, mono=True).samples[0].astype(np.float32, copy=False)


def _bands(blocks: Iterator[Float32[np.ndarray, "samples"]], mel: MelConfig) -> Bands:
    stream = LogMelStream(mel)
    return np.concatenate([*(stream.push(block) for block in blocks), stream.finish()], axis=1)
