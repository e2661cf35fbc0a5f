"""What a piece is to follow: a recording, or a MIDI file, as the guide that its model was trained with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.files.io import Audio, read
from halfstep.audio.files.midi import MOST_SECONDS, is_midi, read_midi
from halfstep.audio.guide import CHORDS, GUIDES, NO_GUIDE, RHYTHM, kind_rows, measured_guide
from halfstep.audio.mel import LogMelStream, MelConfig
from halfstep.audio.tones import tones
from halfstep.bundle import Manifest
from halfstep.errors import InputError
from halfstep.generation.incoming import incoming
from halfstep.generation.requests import Recording, refuse
from halfstep.generation.takes import Take

Bands = Float32[np.ndarray, "bands frames"]


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


def guide_of(source: Recording, manifest: Manifest) -> Guide:
    """InputError for a model that follows none, and for what cannot be read, is silent, or lacks what is followed."""
    if manifest.guide == NO_GUIDE:
        refuse(f"{{guide}}: model {manifest.id} follows none; train one with music.guide, or leave it out")
    if isinstance(source, Audio) or not is_midi(Path(source)):
        of_kind, seconds = _of_recording(source, manifest)
    else:
        of_kind, seconds = _of_midi(Path(source), manifest)
    rows = measured_guide(manifest.guide, of_kind, manifest.mel)
    if not any(rows[at][:-1].any() for at in kind_rows(manifest.guide)):
        name = "the guide" if isinstance(source, Audio) else str(source)
        raise InputError(f"{name}: silent: nothing of it can be followed")
    return Guide(rows, seconds * manifest.mel.frames_per_second)


def _of_recording(source: Recording, manifest: Manifest) -> tuple[Mapping[str, Bands], float]:
    """The bands of which each kind is measured, and its seconds."""
    take = Take(source)
    if take.seconds > MOST_SECONDS:
        raise InputError(f"{take.name}: {take.seconds:.0f} s, at most {MOST_SECONDS:g} can be followed; cut it")
    blocks, most = list[Bands](), MOST_SECONDS * manifest.mel.frames_per_second + 1
    for block in incoming(take, manifest).bands():
        blocks.append(block)
        if sum(one.shape[1] for one in blocks) > most:
            raise InputError(f"{take.name}: more than {MOST_SECONDS:g} s can not be followed; cut it")
    bands = np.concatenate(blocks, axis=1)
    return dict.fromkeys((CHORDS, RHYTHM), bands), min(take.seconds, bands.shape[1] / manifest.mel.frames_per_second)


def _of_midi(path: Path, manifest: Manifest) -> tuple[Mapping[str, Bands], float]:
    """The same; its drums have no chords."""
    score, mel = read_midi(path), manifest.mel
    pitched = [note for note in score.notes if not note.drum]
    wanted = {CHORDS: pitched, RHYTHM: list(score.notes)}
    of_kind = {
        kind: _bands(tones(wanted[kind], score.seconds, mel.sample_rate), mel)
        for kind in GUIDES[manifest.guide]
        if wanted[kind]
    }
    if not of_kind:
        raise InputError(f"{path}: drums alone, and model {manifest.id} follows {manifest.guide}; give one with notes")
    return of_kind, score.seconds


def sound_of(source: Path, sample_rate: int) -> Float32[np.ndarray, "samples"]:
    """A recording, or what a MIDI file is measured by, as one channel. InputError where it cannot be read."""
    if is_midi(source):
        score = read_midi(source)
        return np.concatenate(list(tones(score.notes, score.seconds, sample_rate)))
    return read(source, sample_rate, mono=True).samples[0].astype(np.float32, copy=False)


def _bands(blocks: Iterator[Float32[np.ndarray, "samples"]], mel: MelConfig) -> Bands:
    stream = LogMelStream(mel)
    return np.concatenate([*(stream.push(block) for block in blocks), stream.finish()], axis=1)
