"""Griffin-Lim: a waveform from a mel when no vocoder is at hand, whole or as the mel arrives.

Many spectra have the same mel; `mel_to_magnitude` finds a smooth, non-negative one. Its phases start as those
of steady tones (`steady`) and are refined by the fast Griffin-Lim iteration (Perraudin, Balazs & Sondergaard
2013). In this file spectra are time-major: [frames, bins].
"""

import numpy as np

from halfstep.arrays import Complex, Complex64, Float32
from halfstep.audio import stft
from halfstep.audio.circular import griffin_lim_loop, period_of_stream
from halfstep.audio.mel import MelConfig, bands_of, filterbank, spread_over_bins
from halfstep.audio.steady import steady_tones
from halfstep.audio.stft import TINY

ITERATIONS = 16  # from phases of steady tones these do what 32 to 64 do from random ones
MOMENTUM = 0.99
LOOK_AHEAD_FRAMES = 32
INVERSION_STEPS = 10
LONGEST_CIRCLE_FRAMES = 2048  # of a loop worked on in one go: 50 MB
LOUDEST_LOG_MEL = 10.0  # 60 dB above music at full scale: keeps a model's nonsense from overflowing


def mel_to_magnitude(
    log_mel: Float32[np.ndarray, "bands frames"], config: MelConfig
) -> Float32[np.ndarray, "bins frames"]:
    """A non-negative spectrum whose mel this is: [n_mels, frames] -> [bins, frames].

    Richardson and Lucy's multiplicative updates, from the interpolated mel on: every band is fitted in its
    own proportion (to .1 % on music), where plain least squares lets loud bands drown the quiet ones.
    """
    reach = np.maximum(filterbank(config).sum(axis=0), TINY)[:, None]
    area = np.maximum(filterbank(config).sum(axis=1), TINY)[:, None]
    mel = np.exp(np.minimum(log_mel, np.float32(LOUDEST_LOG_MEL)))
    magnitude = spread_over_bins(mel / area, config) / reach
    for _ in range(INVERSION_STEPS):
        misfit = mel / np.maximum(bands_of(magnitude, config), TINY)
        magnitude *= spread_over_bins(misfit, config) / reach
    return magnitude


def griffin_lim(
    magnitude: Float32[np.ndarray, "bins frames"],
    config: MelConfig,
    iterations: int = ITERATIONS,
    momentum: float = MOMENTUM,
    *,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "samples"]:
    """Samples [frames * hop] whose spectrum is near `magnitude` [bins, frames], framed as in `log_mel`.

    `rng` draws the phases of the first frame; all others follow.
    """
    engine = _Engine(config, momentum, rng)
    engine.add(np.ascontiguousarray(magnitude.T))
    engine.refine(iterations, ends=True)
    return engine.take_rest()


class GriffinLimStream:
    """Log-mel blocks in, samples out, without seams: frames given out keep their phases for those after them.

    Works on blocks of its own size, so that the samples are the same however the mel is cut. Every frame is
    refined `iterations` times: half of them while it is still ahead, half as its block is given out. The last
    frames, which nothing follows, are refined in one go.
    """

    def __init__(
        self,
        config: MelConfig,
        iterations: int = ITERATIONS,
        look_ahead_frames: int = LOOK_AHEAD_FRAMES,
        seed: int = 0,
    ) -> None:
        self.config = config
        self._passes = -(-iterations // 2)
        self._block = look_ahead_frames
        self._waiting = np.zeros((config.n_mels, 0), np.float32)
        self._rng = np.random.default_rng(seed)
        self._engine = _Engine(config, MOMENTUM, self._rng)

    def push(self, log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "samples"]:
        """log_mel [n_mels, k] -> the samples [n] that are settled by now; n may be 0."""
        self._waiting = np.concatenate([self._waiting, log_mel], axis=1)
        parts = [np.zeros(0, np.float32)]
        while self._waiting.shape[1] >= self._block:
            self._add(self._block)
            if self._engine.frames > self._block:
                self._engine.refine(self._passes, ends=False)
                parts.append(self._engine.take(self._block))
        return np.concatenate(parts)

    def finish(self) -> Float32[np.ndarray, "samples"]:
        """The samples that are left, [n]: with them each frame has given hop_length samples."""
        self._add(self._waiting.shape[1])
        if self._engine.frames == 0:
            return np.zeros(0, np.float32)
        self._engine.refine(2 * self._passes, ends=True)
        return self._engine.take_rest()

    def loop(self, log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "samples"]:
        """log_mel [n_mels, F] that repeats -> one period, [F * hop]; nothing pushed before or after.

        A long one is made as a stream that goes on past its end.
        """
        if log_mel.shape[1] <= LONGEST_CIRCLE_FRAMES:
            magnitude = np.ascontiguousarray(mel_to_magnitude(log_mel, self.config).T)
            return griffin_lim_loop(magnitude, self.config, 2 * self._passes, MOMENTUM, self._rng)
        return period_of_stream(self, log_mel, self.config.hop_length)

    def _add(self, count: int) -> None:
        if count:
            magnitude = mel_to_magnitude(self._waiting[:, :count], self.config)
            self._engine.add(np.ascontiguousarray(magnitude.T))
            self._waiting = self._waiting[:, count:]


class _Engine:
    """Frames whose phases are still sought; those given out before them only sound on in `_tail`."""

    def __init__(self, config: MelConfig, momentum: float, rng: np.random.Generator) -> None:
        self.config = config
        self._momentum = momentum
        self._phases = rng.uniform(0, 2 * np.pi, config.bins).astype(np.float32)
        self._tail = np.zeros(0, np.float32)
        self._tail_overlap = np.zeros(0, np.float32)
        self._magnitude = np.zeros((0, config.bins), np.float32)
        self._spectra = np.zeros((0, config.bins), np.complex64)
        self._before_start = config.lead  # samples of frame 0 that lie before the signal

    @property
    def frames(self) -> int:
        return len(self._spectra)

    def add(self, magnitude: Float32[np.ndarray, "frames bins"]) -> None:
        """New frames [k, bins], their phases continuing those before."""
        if self.frames:
            self._phases = np.angle(self._spectra[-1])
        new = steady_tones(magnitude, self._phases, self.config)
        self._magnitude = np.concatenate([self._magnitude, magnitude])
        self._spectra = np.concatenate([self._spectra, new])

    def refine(self, iterations: int, ends: bool) -> None:
        """Move the phases towards those of a real signal; `ends`: the signal ends with the last frame."""
        boundary, wanted = _Boundary(self, self._gain(ends)), stft.imposing(self._magnitude)
        self._spectra = stft.griffin_lim(self._spectra, boundary, iterations, wanted, self._momentum)

    def take(self, count: int) -> Float32[np.ndarray, "samples"]:
        """Give out the first `count` frames: count * hop samples, less those before the signal's start."""
        signal, overlap = self.signal(self._spectra[:count]), self._window_overlap(count)
        end = count * self.config.hop_length
        self._tail, self._tail_overlap = signal[end:], overlap[end:]
        self._spectra, self._magnitude = self._spectra[count:], self._magnitude[count:]
        start, self._before_start = self._before_start, 0
        return signal[start:end] * stft.reciprocal(overlap[start:end])

    def take_rest(self) -> Float32[np.ndarray, "samples"]:
        """Give out all frames: the signal up to the end of the last one's hop."""
        signal = self.signal(self._spectra) * self._gain(ends=True)
        return signal[self._before_start : self.frames * self.config.hop_length + self.config.lead]

    def _gain(self, ends: bool) -> Float32[np.ndarray, "samples"]:
        """What makes overlapping windows even, and the signal silent before its start and after its end."""
        gain = stft.reciprocal(self._window_overlap(self.frames))
        gain[: self._before_start] = 0
        if ends:
            gain[self.frames * self.config.hop_length + self.config.lead :] = 0
        return gain

    def signal(self, spectra: Complex[np.ndarray, "frames bins"]) -> Float32[np.ndarray, "samples"]:
        """What sounds on, and these frames, added."""
        signal = self._room(len(spectra), self._tail)
        stft.add_spectra(signal, spectra, self.config.window, self.config.n_fft)
        return signal.reshape(-1)

    def _window_overlap(self, count: int) -> Float32[np.ndarray, "samples"]:
        overlap = self._room(count, self._tail_overlap)
        stft.add_frames(overlap, stft.squares(count, self.config.window))
        return overlap.reshape(-1)

    def _room(self, count: int, tail: Float32[np.ndarray, "samples"]) -> Float32[np.ndarray, "hops hop"]:
        """Hops [count + window / hop - 1, hop] that begin with `tail`."""
        hop = self.config.hop_length
        hops = np.zeros((count + self.config.reach, hop), np.float32)
        hops.reshape(-1)[: len(tail)] = tail
        return hops


class _Boundary:
    """Of frames that come after others, whose signal sounds on; `gain` says where theirs ends."""

    def __init__(self, engine: _Engine, gain: Float32[np.ndarray, "samples"]) -> None:
        self._engine, self._gain = engine, gain

    def signal(self, spectra: Complex[np.ndarray, "frames bins"]) -> Float32[np.ndarray, "samples"]:
        return self._engine.signal(spectra) * self._gain

    def spectra(self, signal: Float32[np.ndarray, "samples"], at: slice) -> Complex64[np.ndarray, "frames bins"]:
        config = self._engine.config
        return stft.windowed_spectra(stft.framed(signal, config.window, config.hop_length)[at], config.n_fft)
