"""What a piece is to follow, as the guide that its model was trained with: a recording, a MIDI file, the strokes and
chords that lead it to a tempo and a key, or a plan.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.chord_names import Chord
from halfstep.audio.files.io import Audio, read
from halfstep.audio.files.midi import MOST_SECONDS, Score, is_midi, read_midi
from halfstep.audio.guide import CHORDS, GUIDES, NO_GUIDE, RHYTHM, guide_rows, kind_rows, measured_guide, rows_of_kind
from halfstep.audio.tones import tone_bands, tones
from halfstep.bundle import Manifest
from halfstep.bundle.manifest import FREE
from halfstep.conditioning import DENSITY, KEY, TEMPO, ChordsCondition, LabelCondition, NumberCondition
from halfstep.errors import InputError
from halfstep.generation.harmony import CHORD_BEATS, CHORD_SECONDS, Progression
from halfstep.generation.incoming import incoming
from halfstep.generation.leaders import Guide, Harmony, Leader, Together
from halfstep.generation.planning import OnSixteenths, planned
from halfstep.generation.requests import Leading, Loop, Piece, Recording, Request, refuse
from halfstep.generation.strokes import EVEN, OF_A_BAR, stroke_rows
from halfstep.generation.takes import Take

if TYPE_CHECKING:
    from halfstep.generation.engine import Engine

Bands = Float32[np.ndarray, "bands frames"]
MOST_STRETCHED = 1.3
"""A drawn tempo may be so many times faster or slower for whole chords to fit a loop."""
ROUND_SECONDS = 1.0
"""A score is measured so far into its next round: what sets in with it is seen half a window early, at its end."""


def guide_for(request: Request, manifest: Manifest, planner: "Engine | None" = None) -> Leader | None:
    """What the request is to follow: its guide; or strokes where it asks a tempo or a density, and chords where it asks
    them or a key, of a model that follows such (`Manifest.asks`). New music beside no recording, of which neither a
    density nor chords are asked, has a plan where the model makes one, in the key that is asked for, its onsets on the
    sixteenths of the tempo that is asked for or drawn; else it draws from its seed what the model says
    (`Manifest.drawn`). planner: the model of its plans; None of one without.

    InputError as for `guide_of`, for what is no such value, and for one beside a guide, which has its own.
    """
    asked = _asked(request, manifest)
    if request.guide is not None:
        return guide_of(request.guide, manifest)
    free = asked.key == FREE
    progression = Progression(None if free else asked.key, request.seed)
    draws = KEY in manifest.drawn and not free and not request.recordings
    draws_tempo = draws and TEMPO in manifest.drawn and (asked.tempo, asked.density) == (None, None)
    draws_tempo = draws_tempo and not _mostly(manifest.beatless, request, manifest)
    tempo = _fitting(progression.tempo, request) if draws_tempo else asked.tempo
    plans = not free and (asked.density, asked.chords) == (None, None)
    plans = plans and not _mostly(manifest.unplanned, request, manifest)
    if planner is not None and plans and isinstance(request, Piece | Loop):
        plan = planned(planner, request, manifest.guide, asked.key)
        return plan if tempo is None else OnSixteenths(plan, manifest.guide, tempo, manifest.mel, not draws_tempo)
    harmony = None
    if asked.chords is not None:
        chords = asked.chords
        harmony = _harmony(lambda number: chords[number % len(chords)], tempo, request, manifest, len(chords))
    elif draws or (asked.key is not None and not free):
        harmony = _harmony(progression, tempo, request, manifest)
    strokes = None
    if tempo is not None or asked.density is not None:
        strokes = _of_strokes(tempo, asked.density, manifest, OF_A_BAR if draws_tempo else EVEN)
    parts = tuple(part for part in (strokes, harmony) if part is not None)
    return Together(parts) if len(parts) > 1 else next(iter(parts), None)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is asked of that which leads the music, None where it is not. key: of KEYS, or FREE."""

    tempo: float | None
    density: float | None
    key: str | None
    chords: tuple[Chord, ...] | None


def _asked(request: Request, manifest: Manifest) -> _Asked:
    """InputError for what is no such value, and for what does not go with another."""
    asked = {one.name: one for one in manifest.asks.guided if one.name in request.asked}
    if request.guide is not None:
        for name in asked:
            refuse(f"{{{name}}}: the {{guide}} has a {name} of its own; leave one of the two out")
    if KEY in asked and CHORDS in asked:
        refuse("{key}: {chords} have a key of their own; leave one of the two out")
    numbers = {name: one.number(request.asked[name]) for name, one in asked.items() if isinstance(one, NumberCondition)}
    key, chords = asked.get(KEY), asked.get(CHORDS)
    return _Asked(
        tempo=numbers.get(TEMPO), density=numbers.get(DENSITY),
        key=key.label(request.asked[KEY]) if isinstance(key, LabelCondition) else None,
        chords=chords.chords(request.asked[CHORDS]) if isinstance(chords, ChordsCondition) else None,
    )  # fmt: skip


def _mostly(labels: tuple[str, ...], request: Request, manifest: Manifest) -> bool:
    """Whether more than half of what is asked for at first are these labels."""
    weights = manifest.asks.course(request.asked, manifest.id).at(0)
    return sum(weights[[label in labels for label in manifest.labels]]) > 0.5


def _fitting(tempo: float, request: Request) -> float | None:
    """A drawn tempo; of a loop the nearest at which whole chords go round, or none where that is another pace."""
    if not isinstance(request, Loop):
        return tempo
    beats = CHORD_BEATS * max(1, round(request.seconds * tempo / 60 / CHORD_BEATS))
    fitting = beats * 60 / request.seconds
    return fitting if 1 / MOST_STRETCHED <= fitting / tempo <= MOST_STRETCHED else None


def _harmony(
    chord_at: Callable[[int], Chord], tempo: float | None, request: Request, manifest: Manifest, whole: int = 1
) -> Harmony:
    """Of a loop as many chords, `whole` together, as come nearest to their usual length, so that it goes round."""
    seconds = CHORD_SECONDS if tempo is None else CHORD_BEATS * 60 / tempo
    chord_frames, count = seconds * manifest.mel.frames_per_second, None
    if isinstance(request, Loop):
        frames = request.samples(manifest.mel) / manifest.mel.hop_length
        count = whole * max(1, round(frames / chord_frames / whole))
        chord_frames = frames / count
    return Harmony(chord_at, chord_frames, manifest, count)


def _of_strokes(
    tempo: float | None, density: float | None, manifest: Manifest, accents: tuple[float, ...]
) -> Guide:  # fmt: skip
    of_rhythm, frames = stroke_rows(tempo, density, manifest.mel, accents)
    rows = np.zeros((guide_rows(manifest.guide), of_rhythm.shape[1]), np.float32)
    rows[rows_of_kind(RHYTHM, manifest.guide)] = np.concatenate(
        [of_rhythm, np.ones((1, of_rhythm.shape[1]), np.float32)]
    )
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
        kind: tone_bands(wanted[kind], score.seconds + ROUND_SECONDS, mel)
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
