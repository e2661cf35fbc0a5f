"""Every row's windows given to the judges, a few at a time, kept on the disk: a killed evaluation goes on there."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from halfstep.arrays import Float32
from halfstep.atomic import remove_partials, replacing, write_json
from halfstep.evaluation.sounds import Source, mids
from halfstep.metrics.judge import FIELDS, JudgeOutputs, hear
from halfstep.metrics.judges.embedding import Embedding
from halfstep.metrics.music_sets import Measured, measure_music
from halfstep.metrics.stereo_image import StereoMeasured, measure_stereo

AT_ONCE = 8
CLIPS = 3
WORK_FOLDER = "work"
KEPT = re.compile(r"settings\.json|ceiling\.json|asked\.json|continuity-\d+-\d+\.json")
Tell = Callable[[float, float, str], None]
Listen = Callable[[Float32[np.ndarray, "..."]], dict[str, np.ndarray]]
"""Windows [n, samples], or [n, 2, samples] -> arrays [n, ...] by name: what is kept of them."""


def listen_to_music(sample_rate: int) -> Listen:
    """The measures of music, and of two channels those of the image: what `JudgedRow.music` and `stereo` read."""

    def listen(samples: Float32[np.ndarray, "..."]) -> dict[str, np.ndarray]:
        measured = measure_music(mids(samples), sample_rate)
        kept = {field.name: getattr(measured, field.name) for field in fields(Measured)}
        if samples.ndim == 3:
            stereo = measure_stereo(samples, sample_rate)
            kept |= {field.name: getattr(stereo, field.name) for field in fields(StereoMeasured)}
        return kept

    return listen


def listen_to_all(sample_rate: int, embedding: Embedding) -> Listen:
    """The measures of music and the judges: what `JudgedRow.music` and `JudgedRow.judged` read."""
    music = listen_to_music(sample_rate)

    def listen(samples: Float32[np.ndarray, "..."]) -> dict[str, np.ndarray]:
        judged = hear(mids(samples), sample_rate, embedding)
        return music(samples) | {name: getattr(judged, name) for name in FIELDS}

    return listen


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One line of the report: windows 0 to `windows` - 1 of a source; steps if a model makes it."""

    name: str
    kind: str
    source: Source
    windows: int
    steps: int | None = None
    keep_mels: bool = False
    """Whether the log-mels are wanted afterwards, to look for memory."""
    about: str = ""

    @property
    def slug(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in self.name.lower())


Part = tuple[Row, range]
"""Some windows of a row, by their numbers: one piece of work."""
Elsewhere = Callable[[Path, list[Part]], Iterator[tuple[Row, range, int]]]
"""(work, parts) -> each part as it is done, into the folder `work`, and how many of its windows had still to be."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgedRow:
    """What came of a row: clips [CLIPS, samples], or [CLIPS, 2, samples], to listen to; processor seconds a window;
    log_mel if kept.

    kept: the arrays of `Listen`.
    """

    kept: dict[str, np.ndarray]
    clips: Float32[np.ndarray, "..."]
    make_seconds: float
    voice_seconds: float
    judge_seconds: float
    log_mel: Float32[np.ndarray, "..."] | None

    @property
    def judged(self) -> JudgeOutputs:
        return JudgeOutputs(*(self.kept[name] for name in FIELDS))

    @property
    def music(self) -> Measured:
        return Measured(*(self.kept[field.name] for field in fields(Measured)))

    @property
    def stereo(self) -> StereoMeasured | None:
        """Of two channels."""
        names = [field.name for field in fields(StereoMeasured)]
        return StereoMeasured(*(self.kept[name] for name in names)) if names[0] in self.kept else None


def _forget(work: Path) -> None:
    """Remove what was judged, and what else was kept with it; whatever else lies there is not ours."""
    kept = [path for path in work.glob("*.json") if KEPT.fullmatch(path.name)]
    for path in [*kept, *work.glob("*/[0-9][0-9][0-9][0-9][0-9][0-9].npz")]:
        path.unlink()


def part_path(work: Path, row: Row, numbers: range) -> Path:
    """Where what was heard of these windows is kept."""
    return work / row.slug / f"{numbers.start:06d}.npz"


def hear_part(work: Path, row: Row, numbers: range, listen: Listen) -> int:
    """Hear these windows into the folder `work`, unless they were; how many had still to be judged."""
    path = part_path(work, row, numbers)
    if path.exists():
        return 0
    sounds = row.source(numbers)
    began = time.thread_time()
    kept = listen(sounds.samples)
    seconds = [sounds.make_seconds, sounds.voice_seconds, time.thread_time() - began]
    arrays = kept | {"seconds": np.array(seconds)}
    if numbers.start == 0:
        arrays["clips"] = sounds.samples[:CLIPS]
    if row.keep_mels and sounds.log_mel is not None:
        arrays["log_mel"] = sounds.log_mel.astype(np.float16)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return len(numbers)


class Hearing:
    """Hears rows into the folder `work`, `at_once` windows a file. What other settings left there is thrown away."""

    def __init__(self, work: Path, listen: Listen, settings: dict[str, Any], at_once: int = AT_ONCE) -> None:
        self._work, self._listen, self._at_once = work, listen, at_once
        self.seconds = 0.0
        """Wall time spent in hear_all."""
        self.windows = 0
        """Judged in this process, not read back."""
        noted = self._work / "settings.json"
        if noted.exists() and json.loads(noted.read_text(encoding="utf-8")) != json.loads(json.dumps(settings)):
            _forget(self._work)
        self._work.mkdir(parents=True, exist_ok=True)
        write_json(noted, settings)

    def hear_all(
        self, rows: list[Row], tell: Tell, workers: int | None = None, elsewhere: Elsewhere | None = None
    ) -> dict[str, JudgedRow]:
        """Every row by name. Each few windows are one piece of work, the same in any process and order.

        elsewhere: who does the pieces; this process, in so many threads, if None.
        """
        began, total = time.perf_counter(), sum(row.windows for row in rows)
        for row in rows:
            (self._work / row.slug).mkdir(exist_ok=True)
            remove_partials(self._work / row.slug)
        waiting = [(row, numbers) for row in rows for numbers in self._parts(row)]
        parts = self._in_threads(waiting, workers) if elsewhere is None else elsewhere(self._work, waiting)
        done = 0
        for row, numbers, judged in parts:
            self.windows += judged
            done += len(numbers)
            tell(done, total, row.name)
        self.seconds += time.perf_counter() - began
        return {row.name: self._read(row) for row in rows}

    def _in_threads(self, waiting: list[Part], workers: int | None) -> Iterator[tuple[Row, range, int]]:
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            futures = [
                (row, numbers, pool.submit(hear_part, self._work, row, numbers, self._listen))
                for row, numbers in waiting
            ]
            try:
                for row, numbers, future in futures:
                    yield row, numbers, future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _path(self, row: Row, numbers: range) -> Path:
        return part_path(self._work, row, numbers)

    def _read(self, row: Row) -> JudgedRow:
        parts = [dict(np.load(self._path(row, numbers))) for numbers in self._parts(row)]
        seconds = np.sum([part["seconds"] for part in parts], axis=0) / row.windows
        names = [name for name in parts[-1] if name not in ("seconds", "clips", "log_mel")]
        kept = {name: np.concatenate([part[name] for part in parts]) for name in names}
        mels = [part["log_mel"] for part in parts if "log_mel" in part]
        return JudgedRow(
            kept=kept, clips=parts[0]["clips"], make_seconds=float(seconds[0]), voice_seconds=float(seconds[1]),
            judge_seconds=float(seconds[2]), log_mel=np.concatenate(mels).astype(np.float32) if mels else None,
        )  # fmt: skip

    def _parts(self, row: Row) -> list[range]:
        return [range(at, min(at + self._at_once, row.windows)) for at in range(0, row.windows, self._at_once)]
