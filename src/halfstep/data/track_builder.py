"""Samples in, frames of one track out to its file, the silence at both ends left out."""

import numpy as np

from halfstep.arrays import Float32, Int
from halfstep.audio.loudness import ABSOLUTE_GATE_LUFS, LoudnessMeter
from halfstep.audio.mel import MagnitudeStream, MelConfig
from halfstep.data.odd import FULL_SCALE, BandMeter, level_notes
from halfstep.data.stores import LOG_MEL, STORES, Store
from halfstep.data.track_file import TrackWriter

KEPT_SILENCE_SECONDS = 0.1
QUIET_PEAK = 1e-3  # a constant level above it is no silence, but no sound either
CLIPPED_SHARE = 0.01
LOUDEST_PEAK = 100.0  # 40 dB above full scale: no recording but a wrong format


class UnusableError(Exception):
    """The file is what it is: no track comes of it. The message is the reason."""


class TrackBuilder:
    """Frames whose own loudness is below BS.1770's absolute gate, -70 LUFS, are silent.

    Memory does not grow with the track, but for 8 bytes a frame in the loudness meter.
    """

    def __init__(
        self,
        writer: TrackWriter,
        mel: MelConfig,
        min_frames: int,
        store: Store = STORES[LOG_MEL],
        own_rate: int | None = None,
    ) -> None:
        """own_rate: of the recording, before it was brought to the rate of the mel."""
        self._writer, self._mel, self._min_frames = writer, mel, min_frames
        self._meter = LoudnessMeter(mel)
        self._spectra = MagnitudeStream(mel)
        self._framer = store.framer(mel)
        self._kept_silence = round(KEPT_SILENCE_SECONDS * mel.frames_per_second)
        self._edge = mel.reach + 1
        self._bands = BandMeter(mel, own_rate or mel.sample_rate, self._edge)
        self._held = np.zeros((store.width(mel), 0), np.float32)  # silence that may turn out to lead in
        self._frames = 0
        self._first: int | None = None
        self._end = 0
        self._peak = 0.0
        self._samples = self._full = 0

    @property
    def seconds(self) -> float:
        """Of sound so far."""
        return self._frames / self._mel.frames_per_second

    @property
    def trimmed_seconds(self) -> list[float]:
        """What was left out at the beginning and at the end."""
        assert self._first is not None, "known once there was sound"
        left_out = (self._first, self._frames - self._end)
        return [round(frames / self._mel.frames_per_second, 3) for frames in left_out]

    @property
    def loudness_lufs(self) -> float:
        """Never below the gate: a few clicks in silence have no loudness by the standard."""
        return round(max(self._meter.integrated(), ABSOLUTE_GATE_LUFS), 2)

    def notes(self) -> list[str]:
        """What is odd about the sound, though it is used."""
        share = self._full / max(1, self._samples)
        clipped = [f"{share:.0%} of the samples are at full scale"] if share > CLIPPED_SHARE else []
        return [*clipped, *level_notes(self.loudness_lufs), *self._bands.notes()]

    def push(
        self, samples: Float32[np.ndarray, "samples"], pair: Float32[np.ndarray, "2 samples"] | None = None
    ) -> None:
        """samples [n] at the mel's rate; of a mel with an image the mid, and `pair` are left and right. UnusableError
        if they are no numbers, or absurd.
        """
        peak = float(np.abs(samples).max(initial=0))
        if not np.isfinite(peak):
            raise UnusableError("holds samples that are NaN or infinite")
        if peak > LOUDEST_PEAK:
            raise UnusableError(f"holds samples of {peak:.3g} times full scale")
        if peak >= FULL_SCALE:
            self._full += int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
        self._peak = max(self._peak, peak)
        self._samples += len(samples)
        self._framer.hear(samples[None] if pair is None else pair)
        magnitude = self._spectra.push(samples)
        loud = np.flatnonzero(self._meter.push(magnitude) > ABSOLUTE_GATE_LUFS)
        # Frames that reach over an end of the file hear a constant level begin or end: no sound.
        self._take(magnitude, loud[loud >= self._edge - self._frames])

    def finish(self) -> None:
        """Cut the file to what is kept. UnusableError if that is nothing, or too little."""
        magnitude = self._spectra.finish()
        self._meter.push(magnitude)
        self._take(magnitude, np.zeros(0, np.intp))
        if self._samples == 0:
            raise UnusableError("no samples")
        self._expect_a_window(self._frames)
        if self._first is None:
            raise UnusableError("a constant level, no sound" if self._peak > QUIET_PEAK else "silence")
        self._end = min(self._frames, self._end + self._kept_silence)
        self._expect_a_window(self._end - self._first)
        self._writer.close_at(self._end - self._first)

    def _expect_a_window(self, frames: int) -> None:
        if frames < self._min_frames:
            rate = self._mel.frames_per_second
            window = f"a window of {self._min_frames / rate:.2f} s"
            raise UnusableError(f"{frames / rate:.2f} s of sound, shorter than {window}")

    def _take(self, magnitude: Float32[np.ndarray, "bins frames"], loud: Int[np.ndarray, "loud"]) -> None:
        """The next spectra [bins, k]; `loud` are those of them in which there is sound."""
        self._bands.push(magnitude)
        frames = self._framer.take(magnitude)
        if self._first is None:
            frames = self._after_silence(frames, int(loud[0]) if len(loud) else None)
        if len(loud):
            self._end = self._frames + int(loud[-1]) + 1
        self._frames += magnitude.shape[1]
        self._writer.append(frames)

    def _after_silence(
        self, frames: Float32[np.ndarray, "bands frames"], first_loud: int | None
    ) -> Float32[np.ndarray, "bands kept"]:
        """What of `frames`, and of the silence held before them, is to be written by now."""
        held = self._held.shape[1]
        frames = np.concatenate([self._held, frames], axis=1)
        sound = frames.shape[1] if first_loud is None else held + first_loud
        start = max(0, sound - self._kept_silence)
        if first_loud is None:
            self._held = frames[:, start:]
            return frames[:, :0]
        self._first = self._frames - held + start
        return frames[:, start:]
