"""prepare(): folders of recordings -> a data set on disk, resumable at any moment."""

import errno
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

from halfstep.atomic import FULL, remove_partials, write_json
from halfstep.audio.files.io import READABLE
from halfstep.audio.mel import MelConfig
from halfstep.data.catalogue import Failed, Outcome, Report, Skipped, Used, counted_once, manifest, report
from halfstep.data.dataset import CHECKSUMS, JOURNAL_NAME, MANIFEST_NAME, REPORT_NAME, TRACKS_FOLDER, Library
from halfstep.data.decode import DecodeConfig
from halfstep.data.journal import Journal, holds_facts
from halfstep.data.labels import TAGS, Labels, LabelSource
from halfstep.data.sources import Found, find
from halfstep.data.stores import LOG_MEL, STORES
from halfstep.data.supervisor import run_jobs
from halfstep.data.track_file import is_whole
from halfstep.data.worker import Answer, Job, decode_job, identify_job, tag_job
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.lock import folder_lock
from halfstep.own_folder import DATA_SET, enter, members
from halfstep.printable import printable

__all__ = ["DecodeConfig", "Library", "PrepareConfig", "Progress", "Report", "prepare"]

RECIPE = 3
"""Changes when the same settings give other tracks than before: old ones are then made again."""
TRACK_NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}")
"""The start of a recording's sha256, then that of its settings'."""
READING, READING_SHARE = "reading", 0.1
LABELLING = "reading tags"
SMALLEST_BITRATE = 6000  # bits a second of sound; a header that claims more seconds than that is not believed


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """Raises ValueError for a share outside [0, 1) or a time that is not above 0."""

    decode: DecodeConfig = field(default_factory=DecodeConfig)
    heldout_share: float = 0.1
    hang_seconds: float = 120.0
    """A decoder that shows no progress for so long is given up."""
    labels: tuple[LabelSource, ...] = ()
    """Whence the labels of the recordings come."""
    emphasis: float = 0.0
    """Of low bands over high ones, see `catalogue.emphasised`."""

    def __post_init__(self) -> None:
        if not 0 <= self.heldout_share < 1:
            raise ValueError(f"heldout_share is {self.heldout_share}, expected 0 or more and below 1")
        if not self.hang_seconds > 0:
            raise ValueError(f"hang_seconds is {self.hang_seconds}, expected above 0")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """files_done of files_total are through `stage`; audio_seconds of sound were decoded in it."""

    stage: str
    files_done: int
    files_total: int
    audio_seconds: float

    @property
    def share(self) -> float:
        """Of the whole work, 0 to 1: reading comes first, and is the smaller part."""
        done = self.files_done / max(1, self.files_total)
        return READING_SHARE * done if self.stage == READING else READING_SHARE + (1 - READING_SHARE) * done


Tell = Callable[[Progress], None]
RunJobs = Callable[[Sequence[Job], int, float, Callable[[Job, float], None]], Iterator[tuple[Job, Answer]]]
"""As `run_jobs`: (jobs, workers, hang_seconds, beat)."""


class NothingUsable(InputError):
    """No file gives a track; `report` says why, for each."""

    def __init__(self, report: Report, message: str) -> None:
        super().__init__(message)
        self.report = report


def prepare(
    sources: list[Path],
    out: Path,
    config: PrepareConfig,
    workers: int,
    progress: Tell = lambda _: None,
    jobs: RunJobs = run_jobs,
) -> Report:
    """Make `out` the data set of all that is found under `sources`; do only what is not done yet.

    Killed at any moment, the same call goes on from there, and ends with the bytes it would have ended with.
    jobs: who does the work: processes of this machine, or a cluster (`cluster/recordings.py`).

    Raises:
        InputError: a source is not there, nothing usable is found, or another process works on `out`.
        OSError: the disk is full (the message says how much is needed), or `out` cannot be written.
    """
    found = find(sources, leave_out=out)
    enter(out, DATA_SET, _is_data_set)
    with folder_lock(out):
        run = _Run(found, out, config, workers, progress, jobs)
        try:
            run.identify()
            run.decode()
            return run.commit()
        except OSError as error:
            if error.errno in FULL:
                run.stop_for_space(error)
            raise


def _is_data_set(folder: Path) -> bool:
    """Whether a folder without a mark is one nevertheless: they had none once."""
    facts = members(folder / MANIFEST_NAME)
    return {"format", "mel", "bands", "tracks"} <= facts.keys() or holds_facts(folder / JOURNAL_NAME)


class _Run:
    """One call of prepare: what is known of each file, and how the rest is learned."""

    def __init__(
        self, found: list[Found], out: Path, config: PrepareConfig, workers: int, tell: Tell, jobs: RunJobs
    ) -> None:
        self._found, self._out, self._config, self._workers, self._tell = found, out, config, workers, tell
        self._run_jobs = jobs
        self._settings = _settings_hash(config.decode)
        self._journal = Journal(out / JOURNAL_NAME)
        self._trouble: dict[str, Answer] = {}  # by path, or by track once that is known
        self._whole: dict[str, bool] = {}  # by track, of those that earlier runs made
        (out / TRACKS_FOLDER).mkdir(exist_ok=True)
        self._remove_partials()

    def identify(self) -> None:
        """Learn the content hash of every file that is new or changed."""
        files = {str(f.path): f for f in self._found if f.reason is None and self._content(f) is None}
        for job, answer in self._answers(READING, [identify_job(file) for file in files.values()]):
            file = files[job["path"]]
            if "done" in answer or "skipped" in answer:
                self._journal.add_content(job["path"], file.stamp, {**answer, "recipe": RECIPE})
            else:
                self._trouble[job["path"]] = answer

    def decode(self) -> None:
        """Make the track of every content that has none."""
        settings = asdict(self._config.decode)
        jobs = [decode_job(file, self._track_path(track), settings) for track, file in self._undone().items()]
        for job, answer in self._answers("decoding", jobs):
            track = Path(job["out"]).stem
            if "done" in answer or "skipped" in answer:
                self._journal.add_outcome(track, answer)
                self._whole[track] = True
            else:
                self._trouble[track] = answer

    def commit(self) -> Report:
        """Write the report, then the manifest that makes it so; clear away what neither of them names."""
        outcomes = counted_once(self._outcome(file) for file in self._found)
        used = {outcome.track for outcome in outcomes if isinstance(outcome, Used)}
        if not used:
            self._refuse(outcomes)
        labels = self._labels([outcome.file for outcome in outcomes if isinstance(outcome, Used)])
        dataset = manifest(
            outcomes,
            self._config.decode.mel,
            self._config.heldout_share,
            self._config.decode.stores,
            self._config.decode.min_frames,
            labels,
            self._config.emphasis,
        )
        done = report(outcomes, dataset)
        write_json(self._out / REPORT_NAME, asdict(done))
        write_json(self._out / MANIFEST_NAME, dataset)
        self._clear_away(used)
        return done

    def stop_for_space(self, error: OSError) -> NoReturn:
        """Say how many bytes the tracks still to come need."""
        mel, store = self._config.decode.mel, STORES[self._config.decode.stores]
        rate = mel.frames_per_second * store.width(mel) * store.dtype.itemsize
        files = list(self._undone().values())
        needed = round(sum(self._likely_seconds(file) for file in files) * rate)
        free = shutil.disk_usage(self._out).free
        message = f"No space left on device: about {needed} bytes needed for {len(files)} more tracks, {free} free"
        raise OSError(errno.ENOSPC, message, str(self._out)) from error

    def _labels(self, files: list[Found]) -> dict[str, Labels]:
        """Name of a file -> its labels, by all sources there are. InputError where one has none for any file."""
        sources = self._config.labels
        names, genres = {str(file.path): file.name for file in files}, dict[str, str]()
        if any(source.source == TAGS for source in sources):
            for job, answer in self._answers(LABELLING, [tag_job(file) for file in files]):
                genres[names[job["path"]]] = answer["done"][TAGS] if "done" in answer else ""
        labels: dict[str, dict[str, tuple[str, ...]]] = {}
        for source in sources:
            of_source = source.of(list(names.values()), genres)
            if not of_source:
                raise NamedError(
                    f"{{label}} {unbraced(source.name)}={unbraced(source.source)}: labels none of {len(files)} "
                    f"recordings; put them into folders, or list them in a file"
                )
            for name, some in of_source.items():
                labels.setdefault(name, {})[source.name] = some
        return dict[str, Labels](labels)

    def _answers(self, stage: str, jobs: list[Job]) -> Iterator[tuple[Job, Answer]]:
        seconds: dict[str, float] = {}
        done, total = 0, 0.0

        def tell() -> None:
            self._tell(Progress(stage=stage, files_done=done, files_total=len(jobs), audio_seconds=total))

        def beat(job: Job, so_far: float) -> None:
            nonlocal total
            total += so_far - seconds.get(job["path"], 0.0)
            seconds[job["path"]] = so_far
            tell()

        for job, answer in self._run_jobs(jobs, self._workers, self._config.hang_seconds, beat):
            if "disk_full" in answer:
                raise OSError(errno.ENOSPC, answer["disk_full"])
            done += 1
            tell()
            yield job, answer

    def _content(self, file: Found) -> Answer | None:
        known = self._journal.content(str(file.path), file.stamp)
        # what an older version could not read, this one may
        return None if known is not None and "skipped" in known and known.get("recipe") != RECIPE else known

    def _track(self, file: Found) -> str | None:
        """The name of the track that the file gives with these settings, if its content is known."""
        content = self._content(file) if file.reason is None else None
        return f"{content['done']['sha256'][:16]}-{self._settings}" if content and "done" in content else None

    def _track_path(self, track: str) -> Path:
        return self._out / TRACKS_FOLDER / f"{track}.npy"

    def _undone(self) -> dict[str, Found]:
        """A file for each track that is still to be made."""
        undone: dict[str, Found] = {}
        for file in self._found:
            track = self._track(file)
            if track is not None and not self._is_done(track):
                undone.setdefault(track, file)
        return undone

    def _is_done(self, track: str) -> bool:
        outcome = self._journal.outcome(track)
        if outcome is None or "done" not in outcome:
            return outcome is not None
        if track not in self._whole:
            self._whole[track] = self._is_whole(track, outcome["done"])
        return self._whole[track]

    def _is_whole(self, track: str, facts: Answer) -> bool:
        decode, kept = self._config.decode, self._track_path(track)
        store = STORES[decode.stores]
        sha256 = facts.get(CHECKSUMS[decode.stores])
        return is_whole(kept, facts["frames"], store, store.width(decode.mel), sha256)

    def _likely_seconds(self, file: Found) -> float:
        declared = (self._content(file) or {})["done"]["seconds"]
        return min(declared, 8 * file.size / SMALLEST_BITRATE)

    def _outcome(self, file: Found) -> Outcome:
        if file.reason is not None:
            return Skipped(file=file, reason=file.reason)
        track = self._track(file)
        known = self._journal.outcome(track) if track is not None else self._content(file)
        known = known or self._trouble[track or str(file.path)]
        if "done" in known:
            assert track is not None, "a content that is known to be sound has a track"
            return Used(file=file, track=track, facts=known["done"])
        if "failed" in known:
            return Failed(file=file, reason=known["failed"])
        return Skipped(file=file, reason=known.get("skipped") or known["unreadable"])

    def _refuse(self, outcomes: list[Outcome]) -> NoReturn:
        failed = sum(isinstance(outcome, Failed) for outcome in outcomes)
        others = [outcome.reason for outcome in outcomes if not isinstance(outcome, Used)]
        example = f" (the first: {others[0]})" if others else ""
        window = self._config.decode.min_frames / self._config.decode.mel.frames_per_second
        nothing = report(outcomes, {"tracks": [], "near_duplicates": []})
        write_json(self._out / REPORT_NAME, asdict(nothing))
        raise NothingUsable(
            nothing,
            f"nothing to learn from: {len(outcomes)} files found, 0 used, {len(outcomes) - failed} skipped, "
            f"{failed} failed{example}; name recordings of {window:.1f} s or more in {READABLE}; "
            f"{printable(self._out / REPORT_NAME)} says what became of each",
        )

    def _clear_away(self, used: set[str]) -> None:
        self._remove_partials()
        for path in (self._out / TRACKS_FOLDER).glob("*.npy"):
            if TRACK_NAME.fullmatch(path.stem) and path.stem not in used:
                path.unlink()
        tracks = {track for file in self._found if (track := self._track(file))}
        self._journal.keep_only({str(file.path) for file in self._found}, tracks)

    def _remove_partials(self) -> None:
        remove_partials(self._out)
        remove_partials(self._out / TRACKS_FOLDER)


def _settings_hash(config: DecodeConfig) -> str:
    settings = asdict(config)
    if config.stores == LOG_MEL:
        del settings["stores"]  # tracks made before there was a choice keep their names
    usual = asdict(MelConfig())
    for name in ("spacing", "break_hz", "window_length", "image_bands"):
        if settings["mel"][name] == usual[name]:
            del settings["mel"][name]
    text = json.dumps({"recipe": RECIPE, **settings}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
