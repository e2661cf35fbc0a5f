"""Music that takes a while: one job after the other in one thread, with progress, kept for an hour to be fetched."""

import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from halfstep.app.serve.limits import RETRY_SECONDS, Limits
from halfstep.app.serve.refusals import CONFLICT, NOT_FOUND, TOO_MANY, Refusal
from halfstep.errors import InputError

LOG = logging.getLogger("halfstep.serve")
WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
OUR_FAULT = "the model failed; the server's log says more"

Report = Callable[[float], None]
"""The share that is done, 0 to 1. Raises Cancelled where nobody wants it any more."""
Work = Callable[[Path, Report], None]
"""Writes the file."""


class Cancelled(Exception):
    """Nobody wants what is being made."""


@dataclass(eq=False)
class Job:
    """One, from being asked for to being fetched."""

    id: str
    ending: str
    about: dict[str, Any]
    work: Work
    state: str = WAITING
    progress: float = 0.0
    error: str | None = None
    began: float | None = None
    ended: float | None = None
    path: Path | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def facts(self) -> dict[str, Any]:
        """What is said of it."""
        left = None
        if self.state == RUNNING and self.began is not None and self.progress > 0:
            left = round((time.monotonic() - self.began) * (1 - self.progress) / self.progress, 1)
        return {
            "id": self.id, "state": self.state, "progress": round(self.progress, 3), "seconds_left": left,
            "error": self.error, "request": self.about,
            "audio": f"/api/jobs/{self.id}/audio" if self.state == DONE else None,
        }  # fmt: skip


class Jobs:
    """All of them. `close` ends the thread and removes what was made."""

    def __init__(self, limits: Limits, clean: Callable[[InputError], str]) -> None:
        """clean: an error -> the line that may be shown to a stranger."""
        self._limits, self._clean = limits, clean
        self._folder = Path(tempfile.mkdtemp(prefix="halfstep-jobs-"))
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def add(self, ending: str, about: dict[str, Any], work: Work) -> Job:
        """One more. Refusal where too many wait."""
        with self._lock:
            self._forget_old()
            if sum(job.state in (WAITING, RUNNING) for job in self._jobs.values()) >= self._limits.waiting_jobs:
                raise Refusal(TOO_MANY, "as many jobs as this server takes; try again soon", RETRY_SECONDS)
            job = Job(secrets.token_urlsafe(12), ending, about, work)
            self._jobs[job.id] = job
        self._queue.put(job)
        return job

    def get(self, id: str) -> Job:
        """Refusal for one that there is not, or no more."""
        with self._lock:
            self._forget_old()
            if id not in self._jobs:
                raise Refusal(NOT_FOUND, "no such job, or no longer")
            return self._jobs[id]

    def audio(self, id: str) -> Path:
        """Where its sound is. Refusal where it is not done."""
        job = self.get(id)
        if job.state != DONE or job.path is None:
            raise Refusal(CONFLICT, f"the job is {job.state}")
        return job.path

    def cancel(self, id: str) -> Job:
        """It stops, or what it made is removed."""
        job = self.get(id)
        with self._lock:
            job.cancelled.set()
            if job.state != RUNNING:
                self._forget(job)
                job.state = CANCELLED
        return job

    def close(self) -> None:
        """No more."""
        with self._lock:
            for job in self._jobs.values():
                job.cancelled.set()
        self._queue.put(None)
        self._thread.join(timeout=5)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> None:
        while job := self._queue.get():
            if not job.cancelled.is_set():
                self._do(job)

    def _do(self, job: Job) -> None:
        path = self._folder / f"{job.id}{job.ending}"

        def report(share: float) -> None:
            if job.cancelled.is_set():
                raise Cancelled
            job.progress = share

        job.state, job.began = RUNNING, time.monotonic()
        try:
            job.work(path, report)
            job.progress, job.path, job.state = 1.0, path, DONE
        except Cancelled:
            job.state = CANCELLED
        except InputError as error:
            job.state, job.error = FAILED, self._clean(error)
        except Exception as error:  # one job's failure is no other's
            LOG.error("job %s: %s: %s", job.id, type(error).__name__, " ".join(str(error).split()))
            job.state, job.error = FAILED, OUR_FAULT
        finally:
            job.ended = time.monotonic()
            job.work = _nothing  # and with it the upload that it holds

    def _forget_old(self) -> None:
        """What is too old, or the oldest where there is too much."""
        ended = sorted(
            ((job.ended, job) for job in self._jobs.values() if job.ended is not None), key=lambda pair: pair[0]
        )
        sizes = [job.path.stat().st_size if job.path and job.path.exists() else 0 for _, job in ended]
        for (when, job), size in zip(ended, _upto_end(sizes), strict=True):
            old = time.monotonic() - when > self._limits.kept_seconds
            if old or size > self._limits.kept_bytes or len(self._jobs) > self._limits.kept_jobs:
                self._forget(job)

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        if job.path is not None:
            job.path.unlink(missing_ok=True)


def _upto_end(sizes: list[int]) -> Iterator[int]:
    """Of each, the sum from it to the last."""
    for place in range(len(sizes)):
        yield sum(sizes[place:])


def _nothing(path: Path, report: Report) -> None:
    """The work of a job that is over."""
