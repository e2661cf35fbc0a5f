"""The picture beside a piece, drawn from the samples as they pass: a ten-hour piece costs no more memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr

from halfstep.arrays import Float32
from halfstep.audio.mel import LogMelStream, MelConfig

MOST_COLUMNS = 8192


class Thumbnail:
    """The log-mel of what was watched, its frames averaged by twos whenever they grow too many."""

    def __init__(self, mel: MelConfig, sample_rate: int | None = None) -> None:
        """sample_rate: of the blocks, if that is not the mel's."""
        self._mel = mel
        self._rate = sample_rate or mel.sample_rate
        self._stream = LogMelStream(mel)
        self.columns = np.zeros((mel.n_mels, 0), np.float32)
        self._rest = np.zeros((mel.n_mels, 0), np.float32)
        self.frames_a_column = 1

    def watching(
        self, blocks: Iterator[Float32[np.ndarray, "channels samples"]]
    ) -> Iterator[Float32[np.ndarray, "channels samples"]]:
        """The same blocks [channels, n]; the mean of their channels is what is drawn."""
        resampler = None
        if self._rate != self._mel.sample_rate:
            resampler = soxr.ResampleStream(self._rate, self._mel.sample_rate, 1, dtype="float32")
        for block in blocks:
            mono = block.mean(axis=0, dtype=np.float32)
            self._add(self._stream.push(mono if resampler is None else resampler.resample_chunk(mono)))
            yield block
        if resampler is not None:
            self._add(self._stream.push(resampler.resample_chunk(np.zeros(0, np.float32), last=True)))
        self._add(self._stream.finish())

    def save(self, path: Path) -> None:
        """Write the PNG."""
        # Late: Pillow is needed for this alone.
        from halfstep.audio.picture import spectrogram_png

        spectrogram_png(path, self.columns, self._mel, self.frames_a_column)

    def _add(self, frames: Float32[np.ndarray, "bands frames"]) -> None:
        self.columns = np.concatenate([self.columns, self._averaged(frames, self.frames_a_column)], axis=1)
        while self.columns.shape[1] > MOST_COLUMNS:
            even = self.columns.shape[1] // 2 * 2
            odd = np.repeat(self.columns[:, even:], self.frames_a_column, axis=1)
            self._rest = np.concatenate([odd, self._rest], axis=1)
            self.columns = self.columns[:, :even].reshape(len(odd), -1, 2).mean(axis=2)
            self.frames_a_column *= 2

    def _averaged(self, frames: Float32[np.ndarray, "bands frames"], by: int) -> Float32[np.ndarray, "bands columns"]:
        """Whole groups of `by` frames, each as its mean; what is left waits for the next call."""
        joined = np.concatenate([self._rest, frames], axis=1)
        whole = joined.shape[1] // by * by
        self._rest = joined[:, whole:]
        return joined[:, :whole].reshape(len(joined), -1, by).mean(axis=2)
