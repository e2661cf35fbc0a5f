"""A run's figures, and what it sampled, as TensorBoard reads them."""

import os
import time
from pathlib import Path

import numpy as np
import torch
from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.record_writer import RecordWriter


class Board:
    """A TensorBoard event file, written in the caller's thread: one of the library's own outlives a full disk."""

    def __init__(self, folder: Path, first_step: int) -> None:
        folder.mkdir(exist_ok=True)
        self._records = RecordWriter((folder / f"events.out.tfevents.{time.time_ns()}.{os.getpid()}").open("xb"))
        self._write(0, file_version="brain.Event:2")
        self._write(first_step + 1, session_log=SessionLog(status=SessionLog.START))
        self.flush()

    def _write(self, step: int, **what: object) -> None:
        self._records.write(Event(wall_time=time.time(), step=step, **what).SerializeToString())

    def add(self, step: int, figures: dict[str, float]) -> None:
        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._write(step, summary=Summary(value=values))

    def show(self, step: int, path: Path) -> None:
        """A picture or a sound of a step; other files are none of its business."""
        from torch.utils.tensorboard import summary  # late: a second, and only some runs sample

        if path.suffix == ".png":
            from PIL import Image  # late, as below: a bare machine trains without either

            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            self._write(step, summary=summary.image("samples", pixels, dataformats="HWC"))
        elif path.suffix in (".flac", ".wav"):
            import soundfile

            samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
            mono = torch.from_numpy(samples.mean(axis=1, keepdims=True).T)
            self._write(step, summary=summary.audio("samples", mono, sample_rate=sample_rate))

    def flush(self) -> None:
        self._records.flush()

    def close(self) -> None:
        self._records.close()
