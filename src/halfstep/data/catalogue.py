"""What became of each file found, and the manifest and report that say so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from halfstep.arrays import Float64
from halfstep.audio.mel import MelConfig, band_edges_hz
from halfstep.audio.mel_fields import mel_to_json
from halfstep.data.bands import BandMoments, merged
from halfstep.data.dataset import FORMAT, PLAIN_FORMAT, TRACKS_FOLDER
from halfstep.data.fingerprint import Fingerprint, near_duplicates
from halfstep.data.labels import Labels
from halfstep.data.sources import Found
from halfstep.data.splits import held_end, heldout_groups, linked_groups
from halfstep.data.stores import LOG_MEL
from halfstep.printable import printable

Json = dict[str, Any]

LEAST_EMPHASIS, MOST_EMPHASIS = 0.6, 2.2


@dataclass(frozen=True, kw_only=True)
class Used:
    """A file whose track is stored under `track`."""

    file: Found
    track: str
    facts: Json


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A file that is no use, and why."""

    file: Found
    reason: str


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A file that we could not cope with, and how that showed."""

    file: Found
    reason: str


Outcome = Used | Skipped | Failed


@dataclass(frozen=True, kw_only=True)
class Report:
    """found = used + skipped + failed. Flagged files and near duplicates are among the used."""

    found: int
    used: int
    skipped: list[dict[str, str]]
    failed: list[dict[str, str]]
    flagged: list[dict[str, str]]
    near_duplicates: list[Json]
    seconds: float
    heldout_seconds: float


def counted_once(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The same, with all but the first of the files that hold the very same sound skipped."""
    first: dict[str, Found] = {}
    result: list[Outcome] = []
    for outcome in outcomes:
        if isinstance(outcome, Used):
            original = first.setdefault(outcome.facts["mel_sha256"], outcome.file)
            if original is not outcome.file:
                reason = f"the same sound as {printable(original.name)}"
                outcome = Skipped(file=outcome.file, reason=reason)
        result.append(outcome)
    return result


def manifest(
    outcomes: Sequence[Outcome],
    mel: MelConfig,
    heldout_share: float,
    stores: str = LOG_MEL,
    window: int = 1,
    labels: Mapping[str, Labels] | None = None,
    emphasis: float = 0.0,
) -> Json:
    """dataset.json, of outcomes of which one at least is used; what it `stores` is said where it is not log-mel.

    Of one recording, or variants of one, the end is held out: `window` frames at least.
    labels: name of a file -> what it is labelled with. emphasis: see `emphasised`.
    """
    used = [outcome for outcome in outcomes if isinstance(outcome, Used)]
    pairs = _near_duplicates(used)
    groups = {one.file.name: one.file.group for one in used}
    linked = linked_groups(set(groups.values()), [(groups[a], groups[b]) for a, b, _ in pairs])
    heldout = heldout_groups(set(linked.values()), heldout_share)
    trained = [one for one in used if linked[one.file.group] not in heldout]
    rate = mel.frames_per_second
    tracks = [_entry(one, linked[one.file.group] in heldout, (labels or {}).get(one.file.name, {})) for one in used]
    if not heldout:
        tracks = [part for track in tracks for part in _with_end_held(track, heldout_share, window, rate)]
    bands = merged(BandMoments.from_json(one.facts["moments"]) for one in trained)
    std = bands.std / emphasised(mel, emphasis) if emphasis else bands.std
    return {
        "format": FORMAT if any("labels" in track for track in tracks) else PLAIN_FORMAT,
        **({} if stores == LOG_MEL else {"stores": stores}),
        "mel": mel_to_json(mel),
        "bands": {"mean": bands.mean.tolist(), "std": std.tolist()},
        "tracks": tracks,
        "near_duplicates": _named_pairs(pairs),
    }


def emphasised(mel: MelConfig, emphasis: float) -> Float64[np.ndarray, "{mel.rows}"]:
    """[rows]: the deviation that each band has in the data set's scale, (f / 1 kHz)^-emphasis, in LEAST_EMPHASIS to
    MOST_EMPHASIS, and 1 for those of the image. What has more of it has less noise beside it at every time of the
    diffusion.
    """
    bands = np.clip((band_edges_hz(mel)[1:-1] / 1000) ** -emphasis, LEAST_EMPHASIS, MOST_EMPHASIS)
    return np.concatenate([bands, np.ones(2 * mel.image_bands)])


def _entry(one: Used, heldout: bool, labels: Labels) -> Json:
    copied = ("seconds", "frames", "loudness_lufs", "trimmed_seconds", "notes", "format", "mel_sha256")
    return {
        "id": one.track.split("-")[0],
        "source": printable(one.file.name),
        "group": printable(one.file.group),
        "split": "heldout" if heldout else "train",
        "file": f"{TRACKS_FOLDER}/{one.track}.npy",
        **{key: one.facts[key] for key in copied},
        **{key: one.facts[key] for key in ("stored_sha256",) if key in one.facts},
        **({"labels": {name: list(some) for name, some in labels.items()}} if labels else {}),
    }


def _with_end_held(track: Json, share: float, window: int, rate: float) -> list[Json]:
    """The track in two parts, the end held out; in one where it is too short for that."""
    held = held_end(track["frames"], share, window)
    if not held:
        return [track]
    first = track["frames"] - held
    before, after = track["trimmed_seconds"]
    learned = {"frames": first, "seconds": _rounded(first / rate)}
    kept = {"frames": held, "seconds": _rounded(held / rate), "first_frame": first, "split": "heldout"}
    return [
        {**track, **learned, "trimmed_seconds": [before, _rounded(after + held / rate)]},
        {**track, **kept, "trimmed_seconds": [_rounded(before + first / rate), after]},
    ]


def _rounded(seconds: float) -> float:
    return round(seconds, 3)


def report(outcomes: Sequence[Outcome], dataset: Json) -> Report:
    """The report on those outcomes and the manifest made of them."""
    used = [outcome for outcome in outcomes if isinstance(outcome, Used)]
    tracks = dataset["tracks"]
    return Report(
        found=len(outcomes),
        used=len(used),
        skipped=[_because(one.file, one.reason) for one in outcomes if isinstance(one, Skipped)],
        failed=[_because(one.file, one.reason) for one in outcomes if isinstance(one, Failed)],
        flagged=[_because(one.file, note) for one in used for note in one.facts["notes"]],
        near_duplicates=dataset["near_duplicates"],
        seconds=_seconds(tracks),
        heldout_seconds=_seconds(track for track in tracks if track["split"] == "heldout"),
    )


def _because(file: Found, reason: str) -> dict[str, str]:
    return {"source": printable(file.name), "reason": reason}


def _seconds(tracks: Iterable[Json]) -> float:
    return round(sum(track["seconds"] for track in tracks), 3)


def _near_duplicates(used: list[Used]) -> list[tuple[str, str, float]]:
    return near_duplicates(
        [Fingerprint(name=one.file.name, frames=one.facts["frames"], digest=one.facts["fingerprint"]) for one in used]
    )


def _named_pairs(pairs: list[tuple[str, str, float]]) -> list[Json]:
    return [{"sources": [printable(a), printable(b)], "bits_that_differ": share} for a, b, share in pairs]
