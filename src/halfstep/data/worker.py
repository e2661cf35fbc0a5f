"""A worker process: takes jobs as lines of JSON on stdin, answers on stdout, ends when stdin does.

Decoders run here and nowhere else, so that one that crashes or hangs takes a single file with it.
"""

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from halfstep.atomic import FULL
from halfstep.audio.mel import MelConfig
from halfstep.data.decode import Beat, DecodeConfig, decode, genre_of, identify
from halfstep.data.labels import TAGS
from halfstep.data.sources import Found
from halfstep.data.track_builder import UnusableError

Job = dict[str, Any]
Answer = dict[str, Any]


def identify_job(file: Found) -> Job:
    return {"task": "identify", "path": str(file.path), "stamp": file.stamp}


def decode_job(file: Found, out: Path, config: dict[str, Any]) -> Job:
    """`config` is a DecodeConfig as a dictionary."""
    return {"task": "decode", "path": str(file.path), "stamp": file.stamp, "out": str(out), "config": config}


def tag_job(file: Found) -> Job:
    return {"task": "tags", "path": str(file.path)}


def _tags(job: Job, beat: Beat) -> Answer:
    return {TAGS: genre_of(Path(job["path"]))}


def _identify(job: Job, beat: Beat) -> Answer:
    return identify(Path(job["path"]), tuple(job["stamp"]), beat)


def _decode(job: Job, beat: Beat) -> Answer:
    settings: dict[str, Any] = {**job["config"], "mel": MelConfig(**job["config"]["mel"])}
    path, out, stamp = Path(job["path"]), Path(job["out"]), tuple(job["stamp"])
    return decode(path, stamp, out, DecodeConfig(**settings), beat)


TASKS: dict[str, Callable[[Job, Beat], Answer]] = {"identify": _identify, "decode": _decode, "tags": _tags}


def answer_to(job: Job, beat: Beat) -> Answer:
    """What became of a job: {"done": facts}, or why there are none.

    {"skipped": why} is so whenever it is tried. {"unreadable": why}, {"failed": why} and {"disk_full": why}
    may be otherwise another time.
    """
    try:
        return {"done": TASKS[job["task"]](job, beat)}
    except UnusableError as error:
        return {"skipped": str(error)}
    except OSError as error:
        if error.errno in FULL:
            return {"disk_full": str(error)}
        return {"unreadable": f"cannot be read: {error.strerror}"}
    except Exception as error:  # one file's trouble, whatever it is, must not end the others'
        return {"failed": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Until stdin ends."""
    for number in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
        signal.signal(number, signal.SIG_IGN)  # the parent hears Ctrl-C and a closed terminal too, and ends us
    answers = _private_stdout()
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    while True:
        answer = answer_to(json.loads(jobs.get()), lambda seconds: _send(answers, {"beat": seconds}))
        _send(answers, answer)


def _listen(jobs: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)  # whoever asked is gone, and the main thread may be deep in a decoder


def _private_stdout() -> int:
    """The pipe to the parent; what a decoder prints on descriptor 1 goes where its complaints go."""
    pipe = os.dup(1)
    os.dup2(2, 1)
    return pipe


def _send(pipe: int, answer: Answer) -> None:
    line = memoryview(json.dumps(answer).encode() + b"\n")
    while line:
        line = line[os.write(pipe, line) :]


if __name__ == "__main__":
    main()
