"""Worker processes that may crash or hang without harm to the other files, or to the run."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import halfstep
from halfstep.processes import AwakeSeconds

Job = dict[str, Any]
Answer = dict[str, Any]

WORKER = (sys.executable, "-m", "halfstep.data.worker")
LOOK_SECONDS = 0.2
SETTINGS = {
    # The workers are the parallelism; threads in each would fight for the same cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # glibc otherwise hands every large block back to the system and faults its pages in again: .1 of the time.
    "MALLOC_MMAP_THRESHOLD_": "67108864",
    "MALLOC_TRIM_THRESHOLD_": "67108864",
}


def run_jobs(
    jobs: Sequence[Job],
    workers: int,
    hang_seconds: float,
    beat: Callable[[Job, float], None],
    command: Sequence[str] = WORKER,
) -> Generator[tuple[Job, Answer], None, None]:
    """Each job with its answer, in the order in which they finish (see `worker.answer_to`).

    A worker that dies, or gives no sign for `hang_seconds`, fails the job it had and is replaced.
    """
    pool = _Pool(jobs, workers, hang_seconds, beat, command)
    try:
        while pool.fill():
            yield from pool.hung()
            yield from pool.answers()
    finally:
        pool.stop()


class _Pool:
    def __init__(
        self,
        jobs: Sequence[Job],
        workers: int,
        hang_seconds: float,
        beat: Callable[[Job, float], None],
        command: Sequence[str],
    ) -> None:
        self._waiting = list(reversed(jobs))
        self._most, self._hang_seconds, self._beat, self._command = workers, hang_seconds, beat, command
        self._answers: queue.Queue[tuple[_Worker, Answer | None]] = queue.Queue()
        self._busy: dict[_Worker, Job] = {}
        self._idle: list[_Worker] = []

    def fill(self) -> bool:
        """Give jobs out while there are some and room for more; whether there is still one to wait for."""
        while self._waiting and len(self._busy) < self._most:
            worker = self._idle.pop() if self._idle else _Worker(self._command, self._answers)
            job = self._waiting.pop()
            self._busy[worker] = job
            worker.give(job)
        return bool(self._busy)

    def hung(self) -> Iterator[tuple[Job, Answer]]:
        for worker in [worker for worker in self._busy if worker.silent_seconds() > self._hang_seconds]:
            job = self._busy.pop(worker)
            worker.stop()
            yield job, {"failed": f"the decoder hung: no progress for {self._hang_seconds:g} s"}

    def answers(self) -> Iterator[tuple[Job, Answer]]:
        """The next message, if one comes soon."""
        try:
            worker, answer = self._answers.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            return
        if worker not in self._busy:
            return  # it hung and was stopped; its job has its answer
        if answer is None:
            yield self._busy.pop(worker), {"failed": f"the decoder crashed ({worker.stop()})"}
        elif "beat" in answer:
            self._beat(self._busy[worker], answer["beat"])
        else:
            self._idle.append(worker)
            yield self._busy.pop(worker), answer

    def stop(self) -> None:
        for worker in [*self._busy, *self._idle]:
            worker.stop()


class _Worker:
    """One process, and the thread that hears it."""

    def __init__(self, command: Sequence[str], inbox: "queue.Queue[tuple[_Worker, Answer | None]]") -> None:
        self._silence = AwakeSeconds()
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders complain there about every odd file
            env=_environment(),
        )
        self._listener = threading.Thread(target=self._listen, args=(inbox,), daemon=True)
        self._listener.start()

    def silent_seconds(self) -> float:
        return self._silence.passed()

    def give(self, job: Job) -> None:
        self._silence.restart()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is dead; `answers` tells
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()

    def stop(self) -> str:
        """End the process, if it has not ended by itself; how it ended."""
        self._process.kill()
        code = self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._listener.join()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def _listen(self, inbox: "queue.Queue[tuple[_Worker, Answer | None]]") -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                self._silence.restart()
                if line.endswith(b"\n"):  # else the process died in the middle of it
                    inbox.put((self, json.loads(line)))
        inbox.put((self, None))


def _environment() -> dict[str, str]:
    """Ours, with this very package on the path of modules however we came by it."""
    package = str(Path(halfstep.__path__[0]).parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **SETTINGS, "PYTHONPATH": os.pathsep.join(paths)}
