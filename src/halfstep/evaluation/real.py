"""The rows that every evaluation has: real music twice, as the vocoder leaves it, held out, and noise."""

import numpy as np

from halfstep.data.dataset import Library
from halfstep.data.windows import Windows
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.evaluation.hearing import Row
from halfstep.evaluation.settings import Options
from halfstep.evaluation.sounds import (
    NewVocoder,
    Place,
    Source,
    noise_mels,
    recordings,
    source_paths,
    stored_mels,
    through_vocoder,
)
from halfstep.evaluation.subject import Subject

LEAST_WINDOWS = 10
REFERENCE, REFERENCE_NAME = "reference", "reference half"


def real_rows(library: Library, subject: Subject, options: Options) -> tuple[list[Row], list[str]]:
    """The reference (one half of the training split), the other half, held-out music, the ceiling; and what to know."""
    frames, notes = subject.frames, list[str]()
    halves, in_all = split_halves(library, frames, options)
    count = len(halves[0])
    if count < options.windows:
        notes.append(f"{count} windows a row, not {options.windows}: the training split holds {in_all} in all")
    sides = {REFERENCE: halves[0], "real": halves[1]} | _heldout(library, frames, count, notes)
    voices, plain = voiced_and_plain(library, sides, frames, subject.vocoder)
    if plain is None:
        notes.append(
            "the recordings are not where they were prepared from: real music is heard through mel and vocoder, as "
            "the model's is, and what the vocoder takes away is in no row"
        )
    said = {
        "reference": (REFERENCE_NAME, REFERENCE, "what every row is set against"),
        "real": ("real, other half", "real", "other windows of the training recordings: as good as it gets"),
        "heldout": ("real, held-out tracks", "heldout", "real recordings that nothing learned from"),
    }
    rows = [
        Row(name=said[key][0], kind=said[key][1], source=(plain or voices)[key], windows=len(sides[key]),
            about=said[key][2])
        for key in sides
    ]  # fmt: skip
    if plain is not None:
        about = "the other half again, as the model could at best sound: its mel through the same vocoder"
        ceiling = Row(
            name="real through mel and vocoder", kind="ceiling", source=voices["real"], windows=count, about=about
        )
        rows.append(ceiling)
    return rows, notes


def split_halves(library: Library, frames: int, options: Options) -> tuple[tuple[list[Place], list[Place]], int]:
    """Two halves of the training split, each of as many windows as are asked for or there are; and how many windows it
    holds in all. None overlaps another. InputError where that is too few.
    """
    split = Windows(library, "train", frames)
    count = min(options.windows, split.count // 2)
    if count < LEAST_WINDOWS:
        raise NamedError(
            f"{{data}} {unbraced(options.data)}: {split.count} windows in the training split; "
            f"at least {2 * LEAST_WINDOWS} are needed to set one half against the other: prepare more recordings"
        )
    apart = split.apart(2 * count)
    return (shuffled(apart[0::2]), shuffled(apart[1::2])), split.count


def voiced_and_plain(
    library: Library, sides: dict[str, list[Place]], frames: int, vocoder: NewVocoder
) -> tuple[dict[str, Source], dict[str, Source] | None]:
    """Windows of real music by their bands through the vocoder, and as they were recorded: None unless all recordings
    are where they were prepared from.
    """
    mel, paths = library.mel, source_paths(library)
    voices = {name: through_vocoder(stored_mels(library, its, frames), mel, vocoder) for name, its in sides.items()}
    if not all(track.id in paths for its in sides.values() for track, _ in its):
        return voices, None
    return voices, {name: recordings(its, paths, mel, frames) for name, its in sides.items()}


def _heldout(library: Library, frames: int, count: int, notes: list[str]) -> dict[str, list[Place]]:
    try:
        split = Windows(library, "heldout", frames)
    except InputError:
        split = None
    if split is None or split.count < LEAST_WINDOWS:
        notes.append("too little is held out for a row of its own, and for a search for memory")
        return {}
    return {"heldout": shuffled(split.apart(min(count, split.count)))}


def shuffled(places: list[Place]) -> list[Place]:
    """In an order of its own, always the same: the first few are heard on the page."""
    return [places[k] for k in np.random.default_rng(0).permutation(len(places))]


def noise_row(library: Library, subject: Subject, windows: int, seed: int) -> Row:
    source = through_vocoder(noise_mels(library, subject.frames, seed), library.mel, subject.vocoder)
    about = "Gaussian noise with the mean and deviation of every band: what sampling begins with"
    return Row(name="noise", kind="noise", source=source, windows=windows, about=about)
