"""The learned vocoder: a prior of magnitudes, phases that run on as steady tones, a refiner.

See `learned_vocoder.networks`. The lowest bins are found from the mel itself: `audio.bass`.

In this file all but the mel is time-major: [frames, bins].
"""

import numpy as np

from halfstep.arrays import Complex64, Float32
from halfstep.audio.bass import as_complex, retrieve_round, with_bass
from halfstep.audio.circular import closing_tones, period_of_stream
from halfstep.audio.grids import synthesis_grid
from halfstep.audio.mel import MelConfig
from halfstep.audio.steady import scaled, steady_units
from halfstep.audio.stft import TINY, Circle, OverlapStream, framed, windowed_spectra
from halfstep.bundle import OnnxVocoder
from halfstep.vocoders.griffin_lim import LONGEST_CIRCLE_FRAMES, LOUDEST_LOG_MEL

BLOCK_FRAMES = 128
"""Larger ones take less time a frame, and memory; a window gives twice as many frames at once."""


LEAD_IN_FRAMES = 32
"""Of silence, shown before the first frame to networks that were trained on clips from the middle of recordings: those
of a mel with another grid. As far back as they look."""


class LearnedVocoder:
    """Log-mel blocks in, samples out, without seams; a `vocoders.base.Vocoder`.

    Works on blocks of its own size, so that the samples are the same however the mel is cut. All state is carried:
    of the networks, of the phases, of what still sounds.
    """

    def __init__(
        self, networks: OnnxVocoder, config: MelConfig, seed: int = 0, block_frames: int = BLOCK_FRAMES
    ) -> None:
        """`seed` draws the phases of the first frame; all others follow. No block hears farther ahead than
        `frames_ahead`: a smaller one gives its samples sooner, and takes longer.
        """
        self._networks, self._mel, self._block_frames = networks, config, block_frames
        self._grid = synthesis_grid(config)
        self._rng = np.random.default_rng(seed)
        self._begin()

    def _begin(self) -> None:
        mel, grid, bins = self._mel, self._grid, self._grid.bins
        self._phases = self._rng.uniform(0, 2 * np.pi, bins).astype(np.float32)
        self._networks.begin(self._rng)
        lead_in = 0 if grid == mel else LEAD_IN_FRAMES
        self._mels = np.full((mel.n_mels, lead_in), np.log(mel.floor), np.float32)
        # Of the frames that are still to be refined:
        self._hidden = np.zeros((0, self._networks.width), np.float32)
        self._magnitude = np.zeros((0, bins), np.float32)
        self._planned = np.zeros((0, bins), np.complex64)
        self._bass = np.zeros((0, 2 * self._networks.bass_bins), np.float32)  # before the spectra it is to replace
        self._sounding, self._sound = OverlapStream(grid), OverlapStream(grid)
        self._tones = np.zeros(0, np.float32)  # the tones' signal, from the first frame not yet analysed on
        self._frames = 0
        nets = self._networks
        self._skipped = [nets.prior_delay, nets.refiner_delay, nets.bass_delay]  # answers about no frame
        self._given = -grid.lead - lead_in * grid.hop_length

    @property
    def frames_ahead(self) -> int:
        """How many frames beyond its own a hop hears, in blocks of one frame; longer ones add what they wait for."""
        last = -(-(self._grid.lead + self._grid.hop_length) // self._grid.hop_length) - 1
        return self._networks.prior_delay + self._grid.reach + self._networks.refiner_delay + last

    def push(self, log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "samples"]:
        """log_mel [n_mels, k] -> the samples [n] that are settled by now; n may be 0."""
        self._frames += log_mel.shape[1]
        return self._blocks(log_mel)

    def finish(self) -> Float32[np.ndarray, "samples"]:
        """The samples that are left, [n]: with them each frame has given hop_length samples."""
        if self._frames == 0:
            return np.zeros(0, np.float32)
        left = self._frames * self._grid.hop_length - max(self._given, 0)
        waiting = self._mels.shape[1] + self.frames_ahead
        padding = waiting + -waiting % self._block_frames - self._mels.shape[1]
        floor = np.float32(np.log(self._mel.floor))
        rest = self._blocks(np.full((self._mel.n_mels, padding), floor, np.float32))[:left]
        self._begin()
        return rest

    def loop(self, log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "samples"]:
        """log_mel [n_mels, F] that repeats -> one period, [F * hop]; nothing pushed before or after.

        Frames, overlaps and what the networks hear run round the circle, and every tone turns a whole number of
        times. A long one is made as a stream that goes on past its end.
        """
        frames = log_mel.shape[1]
        if frames > LONGEST_CIRCLE_FRAMES:
            return period_of_stream(self, log_mel, self._grid.hop_length)
        nets, circle = self._networks, Circle(frames, self._grid)
        magnitude, hidden = nets.prior(
            _round(np.ascontiguousarray(_bounded(log_mel).T), nets.frames_back, nets.prior_delay)
        )
        magnitude, hidden = (part[-frames:] for part in (magnitude, hidden))
        tones = closing_tones(magnitude, self._grid, self._rng)
        consistent = circle.spectra(circle.signal(tones), slice(0, frames))
        features = (hidden, magnitude, _parts(_unit(tones)), _parts(consistent))
        parts = nets.refiner(*(_round(part, nets.frames_back, nets.refiner_delay) for part in features))
        nets.begin(self._rng)
        low = slice(0, nets.bass_bins)
        bass = retrieve_round(tones[:, low], _bounded(log_mel).T, self._mel)
        spectra = with_bass(_joined(parts[:, -frames:]), bass, self._mel)
        return np.roll(circle.signal(spectra), -self._grid.lead)

    def _blocks(self, log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "samples"]:
        self._mels = np.concatenate([self._mels, _bounded(log_mel)], axis=1)
        parts = [np.zeros(0, np.float32)]
        while self._mels.shape[1] >= self._block_frames:
            parts.append(self._block(np.ascontiguousarray(self._mels[:, : self._block_frames])))
            self._mels = self._mels[:, self._block_frames :]
        return np.concatenate(parts)

    def _block(self, log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "samples"]:
        """The samples [n] that follow from one more block [n_mels, k]."""
        magnitude, hidden = self._answers(0, self._networks.prior(log_mel.T), frames_axis=0)
        (bass,) = self._answers(2, (self._networks.bass(log_mel.T),), frames_axis=0)
        self._bass = np.concatenate([self._bass, bass])
        units = steady_units(magnitude, self._phases, self._grid)
        if len(units):
            self._phases = np.angle(units[-1])
        self._hidden = np.concatenate([self._hidden, hidden])
        self._magnitude = np.concatenate([self._magnitude, magnitude])
        self._planned = np.concatenate([self._planned, units])
        self._tones = np.concatenate([self._tones, self._sounding.add(scaled(units, magnitude))])

        consistent = self._analysed()
        count = len(consistent)
        if count == 0:
            return np.zeros(0, np.float32)
        hidden, self._hidden = self._hidden[:count], self._hidden[count:]
        magnitude, self._magnitude = self._magnitude[:count], self._magnitude[count:]
        planned, self._planned = self._planned[:count], self._planned[count:]
        refined = self._networks.refiner(hidden, magnitude, _parts(planned), _parts(consistent))
        (spectra,) = self._answers(1, (refined,), frames_axis=1)
        spectra = _joined(spectra)
        bass, self._bass = self._bass[: len(spectra)], self._bass[len(spectra) :]
        samples = self._sound.add(with_bass(spectra, as_complex(bass), self._mel))
        before_start = min(max(-self._given, 0), len(samples))
        self._given += len(samples)
        return samples[before_start:]

    def _answers(
        self, which: int, parts: tuple[Float32[np.ndarray, "..."], ...], frames_axis: int
    ) -> list[Float32[np.ndarray, "..."]]:
        """What one of the networks says, less its first answers, which are about no frame."""
        skipped = min(self._skipped[which], parts[0].shape[frames_axis])
        self._skipped[which] -= skipped
        return [part[:, skipped:] if frames_axis else part[skipped:] for part in parts]

    def _analysed(self) -> Complex64[np.ndarray, "frames bins"]:
        """Spectra of the frames whose samples are all there."""
        n_fft, hop = self._grid.n_fft, self._grid.hop_length
        count = max(0, (len(self._tones) - n_fft) // hop + 1)
        if count == 0:
            return np.zeros((0, self._grid.bins), np.complex64)
        spectra = windowed_spectra(framed(self._tones, n_fft, hop)[:count])
        self._tones = self._tones[count * hop :]
        return spectra


def _bounded(log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "bands frames"]:
    return np.minimum(log_mel, np.float32(LOUDEST_LOG_MEL))


def _round(
    part: Float32[np.ndarray, "*batch frames n"], before: int, after: int
) -> Float32[np.ndarray, "*batch around n"]:
    """What repeats [..., frames, n], with as many frames of it before and after as the networks hear."""
    count = part.shape[-2]
    return np.take(part, np.arange(-before, count + after) % count, axis=-2)


def _unit(spectra: Complex64[np.ndarray, "frames bins"]) -> Complex64[np.ndarray, "frames bins"]:
    return (spectra / np.maximum(np.abs(spectra), TINY)).astype(np.complex64, copy=False)


def _parts(spectra: Complex64[np.ndarray, "frames bins"]) -> Float32[np.ndarray, "2 frames bins"]:
    """[frames, bins] -> real and imaginary, [2, frames, bins], as the networks take them."""
    return np.stack([np.real(spectra), np.imag(spectra)])


def _joined(parts: Float32[np.ndarray, "2 frames bins"]) -> Complex64[np.ndarray, "frames bins"]:
    """[2, frames, bins] -> [frames, bins]."""
    spectra = np.empty(parts.shape[1:], np.complex64)
    spectra.real, spectra.imag = parts
    return spectra
