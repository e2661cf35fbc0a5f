"""Sound that repeats: Griffin-Lim on a circle, and one period at another length.

In this file spectra are time-major: [frames, bins].
"""

from typing import Protocol

import numpy as np

from halfstep.arrays import Complex64, Float32
from halfstep.audio.joining import joined
from halfstep.audio.mel import MelConfig
from halfstep.audio.steady import steady_tones
from halfstep.audio.stft import Circle, griffin_lim, imposing


def griffin_lim_loop(
    magnitude: Float32[np.ndarray, "frames bins"],
    config: MelConfig,
    iterations: int,
    momentum: float,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "samples"]:
    """One period [frames * hop] of a sound whose spectrum repeats `magnitude` [frames, bins]; any number of frames.

    Frames and their overlaps run round the circle, so that its wrap is a place like any other. The fast iteration of
    Perraudin, Balazs & Sondergaard 2013, from phases of steady tones that close.
    """
    circle = Circle(len(magnitude), config)
    spectra = closing_tones(magnitude, config, rng)
    spectra = griffin_lim(spectra, circle, iterations, imposing(magnitude), momentum)
    # Frame 0 begins `lead` samples before the first.
    return np.roll(circle.signal(spectra), -config.lead)


WRAP_FRAMES = 64


class Stream(Protocol):
    """What turns log-mel into samples as it comes: a `vocoders.base.Vocoder`, less its loops."""

    def push(self, log_mel: Float32[np.ndarray, "bands frames"], /) -> Float32[np.ndarray, "samples"]: ...

    def finish(self) -> Float32[np.ndarray, "samples"]: ...


def period_of_stream(
    stream: Stream, log_mel: Float32[np.ndarray, "bands frames"], hop: int
) -> Float32[np.ndarray, "frames*{hop}"]:
    """One period [F * hop] of log_mel [n_mels, F] that repeats, of a stream at its start: it goes on past its end, and
    what it gave there passes into how it began.
    """
    frames = log_mel.shape[1]
    samples = np.concatenate([stream.push(log_mel), stream.push(log_mel[:, : 2 * WRAP_FRAMES]), stream.finish()])
    # Its very first frames have only silence before them: the second sixty-four are as good as any.
    begin, end = WRAP_FRAMES * hop, 2 * WRAP_FRAMES * hop
    period = samples[: frames * hop]
    period[:begin] = samples[frames * hop : frames * hop + begin]
    period[begin:end] = joined(samples[frames * hop + begin : frames * hop + end], samples[begin:end])
    return period


def stretched(period: Float32[np.ndarray, "*channels samples"], size: int) -> Float32[np.ndarray, "*channels {size}"]:
    """One period [..., n] of what repeats, at `size` points instead: exact but for what is above half their rate."""
    count = period.shape[-1]
    if count == size:
        return period
    lines = min(count, size) // 2 + 1
    spectrum = np.fft.rfft(period.astype(np.float64), axis=-1)[..., :lines]
    if min(count, size) % 2 == 0:
        spectrum[..., -1] = 0  # the line at half the rate says nothing of its phase
    return (np.fft.irfft(spectrum, size, axis=-1) * (size / count)).astype(np.float32)


def closing_tones(
    magnitude: Float32[np.ndarray, "frames bins"], config: MelConfig, rng: np.random.Generator
) -> Complex64[np.ndarray, "frames bins"]:
    """Spectra of steady tones, each turning a little faster or slower so that it ends a period where it began.

    Half a turn a period is the most that is needed: half a hertz over the period's seconds.
    """
    frames = len(magnitude)
    first = rng.uniform(0, 2 * np.pi, config.bins).astype(np.float32)
    once_more = np.concatenate([magnitude, magnitude[:1]])
    spectra = steady_tones(once_more, first, config)
    turned = np.angle(spectra[-1] * np.conj(spectra[0]))
    along = (np.arange(frames, dtype=np.float32) / frames)[:, None]
    return spectra[:-1] * np.exp(-1j * along * turned).astype(np.complex64)
