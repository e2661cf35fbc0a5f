"""Music of a minute, real and made: a window is too short for a pulse."""

from dataclasses import replace

import numpy as np

from halfstep.arrays import Float32
from halfstep.data.dataset import Library
from halfstep.data.windows import Windows
from halfstep.errors import InputError
from halfstep.evaluation.hearing import Row
from halfstep.evaluation.real import REFERENCE, REFERENCE_NAME, shuffled, voiced_and_plain
from halfstep.evaluation.settings import Options
from halfstep.evaluation.sounds import NewVocoder, Place, Source, noise_mels, through_vocoder
from halfstep.evaluation.subject import Subject
from halfstep.generation.render import first_samples


def stream_rows(library: Library, subject: Subject, options: Options) -> tuple[list[Row], list[str]]:
    """Reference, other half, held out, ceiling, every student, noise; and what to know. Nothing if none is asked for.

    What the data set has no tracks for is left out.
    """
    if not options.streams or not options.stream_seconds:
        return [], []
    frames = round(options.stream_seconds * library.mel.frames_per_second)
    rows, notes = _real(library, subject, options, frames)
    for steps in reversed(subject.model.manifest.streamed):
        source = model_streams(subject, steps, subject.vocoder, options.seed, frames)
        name = f"{subject.name}, {steps} step" + "s" * (steps > 1)
        about = f"endless music of the seeds {options.seed} to {options.seed + options.streams - 1}"
        rows.append(Row(name=name, kind="student", source=source, windows=options.streams, steps=steps, about=about))
    noise = through_vocoder(noise_mels(library, frames, options.seed), library.mel, subject.vocoder)
    about = "Gaussian noise with the mean and deviation of every band"
    return [*rows, Row(name="noise", kind="noise", source=noise, windows=options.streams, about=about)], notes


def _real(library: Library, subject: Subject, options: Options, frames: int) -> tuple[list[Row], list[str]]:
    notes, sides = list[str](), dict[str, list[Place]]()
    train, heldout = (_places(library, split, frames, count * options.streams) for split, count in
                      (("train", 2), ("heldout", 1)))  # fmt: skip
    if len(train) >= 2:
        count = len(train) // 2 * 2
        sides = {REFERENCE: shuffled(train[0:count:2]), "real": shuffled(train[1:count:2])}
    if len(train) < 2 * options.streams:
        notes.append(
            f"streams: {len(train) // 2} of real music, not {options.streams}: the training split holds no more "
            f"of {options.stream_seconds:g} s"
        )
    if heldout:
        sides["heldout"] = shuffled(heldout)
    names = {REFERENCE: REFERENCE_NAME, "real": "real, other half", "heldout": "real, held-out tracks"}
    voices, plain = voiced_and_plain(library, sides, frames, subject.vocoder)
    rows = [
        Row(name=names[key], kind=key, source=(plain or voices)[key], windows=len(its)) for key, its in sides.items()
    ]
    if plain is not None and "real" in sides:
        about = "the other half again, its mel through the model's vocoder"
        voiced_row = Row(
            name="real through mel and vocoder", kind="ceiling", source=voices["real"], windows=len(sides["real"]),
            about=about,
        )  # fmt: skip
        rows.append(voiced_row)
    return rows, notes


def _places(library: Library, split: str, frames: int, count: int) -> list[Place]:
    """As many as there are without overlap, and at most `count`."""
    try:
        windows = Windows(library, split, frames)
    except InputError:
        return []
    return windows.apart(min(count, windows.count))


def model_streams(subject: Subject, steps: int, vocoder: NewVocoder, seed: int, frames: int) -> Source:
    """Endless music from its beginning; stream k of the seed `seed` + k. Its bands are not kept: no measure asks."""

    def stream(k: int) -> Float32[np.ndarray, "bands frames"]:
        return np.concatenate(list(first_samples(subject.mels(seed + k, steps), frames)), axis=1)

    source = through_vocoder(lambda numbers: np.stack([stream(k) for k in numbers]), subject.mel, vocoder)
    return lambda numbers: replace(source(numbers), log_mel=None)
