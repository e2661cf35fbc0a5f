"""The waveform of the lowest bins, found from the mel itself.

Below 1 kHz Slaney's bands are as narrow as the bins of an STFT: where frames overlap by three quarters, a mel has there
about four numbers for every three samples a signal of that bandwidth has. So phases need not be guessed: few signals
have this mel, and the fast Griffin-Lim iteration (Perraudin, Balazs & Sondergaard 2013) comes near one of them if it
imposes not some magnitudes, which another step has made of the mel, but the mel: every bin is weighed by how much its
bands miss of it. So narrow a signal is worked on at 1/32 and 1/16 of the sample rate, where an iteration costs little.

In this file spectra are time-major, [frames, bins], and mels are magnitudes, not logarithms.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from halfstep.audio.mel import Float32, MelConfig, filterbank, hann
from halfstep.audio.overlap import add_frames, reciprocal
from halfstep.audio.steady import TINY, Complex64, scaled, steady_units

COARSE_TOP_HZ = 600.0
"""What the coarser of the two rates must reach; most of the energy of music lies below."""
LEAST_N_FFT = 16
ITERATIONS = (40, 12)
"""At the coarser rate, then at the finer one, which doubles the reach."""
SHARPENING = 8
"""Steps that make magnitudes fit the mel before their peaks become tones."""
MOMENTUM = np.float32(0.99)
USED, FADED = 0.92, 4
"""Of a rate's bins, the share that is used, up to the middle of a fade over so many: those at the top alias."""
LEAST_MAGNITUDE = np.float32(1e-6)
"""Of a bin, of 512 for a sine at full scale. Products of what is far smaller are subnormal: twice the time for all."""
SHARED_FRAMES = 6
"""Frames already given out that are kept as they are before those worked on."""


def retrieve(spectra: Complex64, magnitude: Float32, mel: Float32, given: int, config: MelConfig) -> Complex64:
    """From spectra [frames, b] of the lowest bins on to ones that have that mel [frames, n_mels]; b is `bass_bins`.

    The first `given` frames stay as they are. magnitude [frames, b]: of bins whose bands reach beyond b.
    """
    return _searched(spectra, magnitude, mel, config, given, circular=False)


def retrieve_round(spectra: Complex64, magnitude: Float32, mel: Float32, config: MelConfig) -> Complex64:
    """`retrieve` for frames that repeat: the last is followed by the first."""
    count, least = len(mel), -(-config.n_fft // config.hop_length)
    again = np.arange(count * -(-least // count)) % count  # more than once round where a window is longer
    spectra, magnitude, mel = spectra[again], magnitude[again], mel[again]
    return _searched(spectra, magnitude, mel, config, 0, circular=True)[:count]


def bass_bins(config: MelConfig) -> int:
    """How many of the lowest bins `retrieve` works on; 0 where the rate can not be divided."""
    return max((rate.bins for rate in _rates(config)), default=0)


def bass_share(config: MelConfig) -> Float32:
    """[bins]: how much of each bin is what `retrieve` finds, 1 to 0; the rest is another's."""
    top = USED * (bass_bins(config) - 1) if bass_bins(config) else -FADED
    return np.clip((top - np.arange(config.bins)) / FADED + 0.5, 0, 1).astype(np.float32)


def with_bass(spectra: Complex64, bass: Complex64, config: MelConfig) -> Complex64:
    """Spectra [frames, bins], changed in place: their lowest become those of bass [frames, b], as `bass_share` says."""
    low = slice(0, bass.shape[1])
    spectra[:, low] += bass_share(config)[low] * (bass - spectra[:, low])
    return spectra


class Bass:
    """`retrieve` as a stream: spectra of the lowest bins, `ahead` frames behind what is pushed.

    Works on what a push brings, so its answer depends on how frames are cut: push blocks of one size.
    """

    def __init__(self, config: MelConfig, ahead: int, rng: np.random.Generator) -> None:
        """`rng` draws the phases of the first frame."""
        self._config, self._ahead, self._bins = config, ahead, bass_bins(config)
        self._tones = _slower(config, max(1, _coarsest(config) // 2))
        # Of the frames that are kept or still to be answered; `_found` of those that have been worked on.
        self._found = np.zeros((SHARED_FRAMES, self._bins), np.complex64)
        self._phases = rng.uniform(0, 2 * np.pi, self._bins).astype(np.float32)
        self._magnitude = np.full((SHARED_FRAMES, self._bins), LEAST_MAGNITUDE, np.float32)
        self._mel = np.full((SHARED_FRAMES, config.n_mels), config.floor, np.float32)

    def push(self, magnitude: Float32, log_mel: Float32) -> Complex64:
        """magnitude [k, bins] and log_mel [k, n_mels] -> [m, b]; m is k but for the first pushes."""
        self._magnitude = np.concatenate([self._magnitude, np.maximum(magnitude[:, : self._bins], LEAST_MAGNITUDE)])
        self._mel = np.concatenate([self._mel, np.exp(log_mel)])
        count = max(0, len(self._mel) - SHARED_FRAMES - self._ahead)
        if not count or not self._bins:
            return np.zeros((count, self._bins), np.complex64)
        new = _sharpened(self._magnitude[len(self._found) :], self._mel[len(self._found) :], self._config)
        planned = scaled(steady_units(new, self._phases, self._tones), new)
        spectra = retrieve(
            np.concatenate([self._found, planned]), self._magnitude, self._mel, SHARED_FRAMES, self._config
        )
        self._found, self._phases = spectra[count:], np.angle(spectra[-1])
        self._magnitude, self._mel = self._magnitude[count:], self._mel[count:]
        return spectra[SHARED_FRAMES : SHARED_FRAMES + count]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rate:
    """A slower sample rate: of its frames the size and hop, the lowest bins and the bands that lie in them."""

    hop: int
    iterations: int
    analysis: Float32
    """[n_fft, 2 * bins]: a frame @ this is its spectrum, real and imaginary parts in turn."""
    synthesis: Float32
    """[2 * bins, n_fft]: the way back, windowed."""
    squares: Float32
    filters: Float32
    """[bins, bands]"""
    spread: Float32
    """[bands, bins]: of what bands say, the mean over those that hear each bin ..."""
    beyond: Float32
    """[bins]: ... less the share of bands that are not among these. Bins that no band hears fall silent."""

    def missed(self, magnitude: Float32, mel: Float32) -> Float32:
        """By what each bin of magnitude [frames, bins] must be multiplied for its bands to have mel [frames, bands]."""
        return np.divide(mel, magnitude @ self.filters + TINY) @ self.spread

    @property
    def bins(self) -> int:
        return self.filters.shape[0]

    @property
    def bands(self) -> int:
        return self.filters.shape[1]


def _sharpened(magnitude: Float32, mel: Float32, config: MelConfig) -> Float32:
    """Richardson and Lucy's steps towards the mel: where a peak lies becomes the pitch of its tone."""
    rate = _rates(config)[-1]
    for _ in range(SHARPENING):
        magnitude = np.multiply(magnitude, rate.missed(magnitude, mel[:, : rate.bands]) + rate.beyond)
    return magnitude


def _searched(
    spectra: Complex64, magnitude: Float32, mel: Float32, config: MelConfig, given: int, *, circular: bool
) -> Complex64:
    spectra = spectra.copy()
    for rate in _rates(config):
        low = slice(0, rate.bins)
        search = _Search(rate, magnitude[:, low], mel[:, : rate.bands], given, circular=circular)
        spectra[:, low] = search.run(spectra[:, low])
    return spectra


def _coarsest(config: MelConfig) -> int:
    """The largest power of two by which the rate may be divided."""
    slower = 1
    while (
        config.sample_rate / (4 * slower) >= COARSE_TOP_HZ
        and config.n_fft % (4 * slower) == 0
        and config.n_fft >= LEAST_N_FFT * 2 * slower
        and config.hop_length % (2 * slower) == 0
    ):
        slower *= 2
    return slower


def _slower(config: MelConfig, by: int) -> MelConfig:
    """The same frames at 1 / `by` of the rate; of its bands nothing is meant."""
    return replace(
        config, n_fft=config.n_fft // by, hop_length=config.hop_length // by, n_mels=1, fmin_hz=0.0, fmax_hz=None
    )


@lru_cache(maxsize=16)
def _rates(config: MelConfig) -> tuple[_Rate, ...]:
    coarsest = _coarsest(config)
    if coarsest == 1:
        return ()
    return tuple(
        _rate(config, by, iterations) for by, iterations in zip((coarsest, coarsest // 2), ITERATIONS, strict=True)
    )


def _rate(config: MelConfig, by: int, iterations: int) -> _Rate:
    n_fft = config.n_fft // by
    bins = n_fft // 2 + 1
    window = hann(config.n_fft)[::by].astype(np.float64)
    analysis = np.fft.rfft(np.diag(window) * by, axis=1)
    back = np.fft.irfft(np.concatenate([np.eye(bins), 1j * np.eye(bins)]), n_fft, axis=1) * window / by
    filters = filterbank(config)
    bands = int(np.count_nonzero(~filters[:, round(USED * (bins - 1)) + FADED // 2 + 1 :].any(axis=1)))
    heard, of_all = filters[:bands, :bins].sum(axis=0), np.maximum(filters[:, :bins].sum(axis=0), TINY)
    return _Rate(
        hop=config.hop_length // by,
        iterations=iterations,
        analysis=np.stack([analysis.real, analysis.imag], axis=2).reshape(n_fft, 2 * bins).astype(np.float32),
        synthesis=back.reshape(2, bins, n_fft).swapaxes(0, 1).reshape(2 * bins, n_fft).astype(np.float32),
        squares=np.square(window).astype(np.float32),
        filters=np.ascontiguousarray(filters[:bands, :bins].T),
        spread=filters[:bands, :bins] / of_all,
        beyond=(1 - heard / of_all).astype(np.float32),
    )


class _Search:
    """The iteration over some frames at one rate."""

    def __init__(self, rate: _Rate, magnitude: Float32, mel: Float32, given: int, *, circular: bool) -> None:
        self._rate, self._given, self._circular = rate, given, circular
        self._mel = np.ascontiguousarray(mel)
        whole = np.flatnonzero(rate.spread.sum(axis=0) > 1 - 1e-6)  # none where the mel begins above
        self._top = slice(int(whole.max(initial=-1)) + 1, rate.bins)
        self._edge = np.maximum(magnitude[:, self._top], LEAST_MAGNITUDE) * rate.beyond[self._top]
        frames, n_fft = len(mel), len(rate.analysis)
        self._hops = -(-n_fft // rate.hop)
        self._signal = np.zeros((frames + self._hops - 1, rate.hop), np.float32)
        self._framed = np.zeros((frames, n_fft), np.float32)
        self._gain = reciprocal(self._overlapped(np.broadcast_to(rate.squares, (frames, n_fft))))

    def run(self, spectra: Complex64) -> Complex64:
        rate, frames = self._rate, len(spectra)
        given, spectra = spectra[: self._given].copy(), spectra.copy()
        found, size = np.empty_like(spectra), np.empty(spectra.shape, np.float32)
        before = None
        for _ in range(rate.iterations):
            np.matmul(spectra.view(np.float32), rate.synthesis, out=self._framed)
            signal = self._overlapped(self._framed) * self._gain
            ahead = signal if before is None else signal + MOMENTUM * (signal - before)
            before = signal
            for at in range(self._hops):
                place = slice(at * rate.hop, min((at + 1) * rate.hop, len(rate.analysis)))
                self._framed[:, place] = ahead[at : at + frames, : place.stop - place.start]
            np.matmul(self._framed, rate.analysis, out=found.view(np.float32))
            np.abs(found, out=size)
            size += TINY
            weight = rate.missed(size, self._mel)
            weight[:, self._top] += self._edge / size[:, self._top]
            np.multiply(found, weight, out=spectra)
            spectra[: self._given] = given
        return spectra

    def _overlapped(self, framed: Float32) -> Float32:
        """Frames laid over each other, [frames + hops - 1, hop]."""
        signal, frames = self._signal, len(framed)
        signal[:] = 0
        add_frames(signal, framed)
        if self._circular:
            wrap = self._hops - 1
            signal[:wrap] += signal[frames:]
            signal[frames:] = signal[:wrap]
        return signal
