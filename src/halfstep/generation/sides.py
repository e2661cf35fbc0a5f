"""What stands beside new sound: how loud it is, how wide, around which level; and new sound made to stand beside it.

The model knows one channel, at one rate, at the level of its training music. A side of a recording is brought to that,
and what comes of it is brought back: to the side's level, in its channels as loud and as far apart as they are.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import soxr

from halfstep.arrays import Float, Float32, Float64
from halfstep.audio.diffusing import Diffuser
from halfstep.audio.downmix import in_phase, mix_weights, paired
from halfstep.audio.image import mid_of
from halfstep.audio.mel import MelConfig, band_edges_hz, log_mel
from halfstep.audio.resampling import resampled
from halfstep.bundle import Manifest
from halfstep.generation.takes import Form
from halfstep.vocoders.revoicing import offset_of

SILENT_NEPERS = 9.0
"""78 dB below the model's own level: nothing whose level could be had."""
MATCHED_SECONDS = 2.0
"""On either side of a border: what is new is as loud there as what stands beside it."""
LEAST_MATCHED_SECONDS = 1.0
"""Of a shorter gap, what is made again around it counts too: a few samples have no level."""
MOST_MATCHED = 1.4
"""Nepers, 12 dB: a model that is off by more made other music there, such as a rest."""
MATCHING_ROUNDS = 8
"""Each leaves about a third of what both ends of a gap were off."""
LEAST_POWER = 1e-30
PLACED_AT_ONCE = 1 << 14
NARROW = 0.03
"""Channels whose difference is 30 dB below what they share are one sound."""


@dataclass(frozen=True, eq=False)
class Placing:
    """How one channel becomes the channels of a recording: shared [channels] is what each has of the sound itself,
    apart [channels, channels] of voices of it with other phases, offset [channels] a constant level. gain: nepers.
    """

    shared: Float64[np.ndarray, "channels"]
    apart: Float64[np.ndarray, "channels channels"]
    offset: Float64[np.ndarray, "channels"]
    gain: float


@dataclass(frozen=True, eq=False)
class Side:
    """Samples [channels, n] of a recording next to the gap; `context` [1, m], of a model with an image [2, m], is what
    the model is given of them.
    """

    samples: Float[np.ndarray, "channels samples"]
    context: Float32[np.ndarray, "own samples_at_model_rate"]
    placing: Placing

    def power(self, begin: int, end: int) -> float:
        """Of these samples, all channels together, without the constant part."""
        part = self.samples[:, begin:end].astype(np.float64) - self.placing.offset[:, None]
        return _power(part)


def side_of(samples: Float[np.ndarray, "channels samples"], form: Form, manifest: Manifest) -> Side:
    """One channel, or a pair, at the model's rate and level, without a constant part; and the way back."""
    measured_offset = offset_of([samples])
    offset = np.zeros(len(samples)) if measured_offset is None else measured_offset
    centred = samples - offset[:, None]
    covariance = centred @ centred.T / max(1, samples.shape[1])
    weights, placing = way_to_one(offset, covariance)
    mixed = (weights @ centred).astype(np.float32)
    mel = manifest.mel
    context = mixed if form.sample_rate == mel.sample_rate else soxr.resample(mixed, form.sample_rate, mel.sample_rate)
    gain = gain_to_model(context, manifest)
    if mel.channels == 2:
        turned = np.where(weights < 0, -1, 1)[:, None]  # in phase, as the mix is
        pair = paired((turned * centred).astype(np.float32))
        context = np.concatenate(list(resampled([pair], form.sample_rate, mel.sample_rate)), axis=1)
    context = np.atleast_2d(context * np.float32(math.exp(gain)))
    return Side(samples, context, replace(placing, gain=-gain))


def way_to_one(
    offset: Float64[np.ndarray, "channels"], covariance: Float64[np.ndarray, "channels channels"]
) -> tuple[Float64[np.ndarray, "channels"], Placing]:
    """What each channel adds to one, and the way back at the same level; covariance: without the constant level."""
    weights = in_phase(mix_weights(len(offset)), covariance)
    shared, apart = _width(weights, covariance)
    return weights, Placing(shared, apart, offset, gain=0.0)


def gain_to_model(context: Float32[np.ndarray, "samples"], manifest: Manifest) -> float:
    """Nepers that bring sound to the level of the model's training music: equal power, summed over the bands, of what
    each band has on average. 0 for silence, which has no level.
    """

    def mean_bands(gain: float) -> Float64[np.ndarray, "bands"]:
        return log_mel(context * np.float32(math.exp(gain)), manifest.mel).mean(axis=1, dtype=np.float64)

    return gain_between(mean_bands, manifest)


def gain_between(mean_bands: Callable[[float], Float64[np.ndarray, "bands"]], manifest: Manifest) -> float:
    """The same for sound whose mean log bands [n_mels] under a gain of so many nepers `mean_bands` says."""
    own = model_level(manifest)
    gain = 0.0
    for _ in range(2):  # what lay below the floor at first counts once it is brought up
        gain += own - _level(mean_bands(gain), manifest.mel)
    return gain if gain < SILENT_NEPERS else 0.0


def plain(placing: Placing) -> Placing:
    """The same channels, neither louder nor softer and around no level: what is matched."""
    return replace(placing, gain=0.0, offset=np.zeros_like(placing.offset))


def matched(placing: Placing, power: float, new: Float32[np.ndarray, "channels new"]) -> Placing:
    """As `placing`, for new sound that is to have this power, `Side.power` of what stands beside it.

    new: as it is placed `plain`. What a model makes has its training music's level over bands on average
    (`gain_to_model`), and is some dB off where it plays more or fewer notes than the recording; and channels whose
    voices add up tone by tone are some dB louder or softer than voices that are not in step at all.
    """
    whole = slice(0, new.shape[1])
    gain, _ = _matching_gains(((placing, power), (placing, power)), new, (whole, whole))
    return replace(placing, gain=gain)


def matched_between(
    before: tuple[Placing, float],
    after: tuple[Placing, float],
    new: Float32[np.ndarray, "channels new"],
    reach: int,
) -> tuple[Placing, Placing]:
    """The same at both ends of a gap: where the first `reach` samples, or half of the gap, are matched, and the last.

    What is wanted goes evenly, in decibels, from the level before to the level after. Either end's gain is felt at the
    other, so both are set together. An end that is silent, or beside silence, keeps its gain.
    """
    count = new.shape[1]
    reach = min(reach, max(1, count // 2))
    first, last = _matching_gains((before, after), new, (slice(0, reach), slice(count - reach, count)))
    return replace(before[0], gain=first), replace(after[0], gain=last)


def _matching_gains(
    sides: tuple[tuple[Placing, float], tuple[Placing, float]],
    new: Float32[np.ndarray, "channels new"],
    parts: tuple[slice, slice],
) -> tuple[float, float]:
    """Nepers at either end of `new` with which these parts of it have the levels of the sides."""
    levels, most = np.zeros(2), np.zeros(2)
    for end, (placing, power) in enumerate(sides):
        usual = _power(new[:, parts[end]]) * math.exp(2 * placing.gain)
        silent = min(power, usual) <= math.exp(-2 * SILENT_NEPERS) * max(power, usual)
        levels[end] = 0.5 * math.log(max(usual if silent else power, LEAST_POWER))
        most[end] = 0 if silent else MOST_MATCHED
    gains = np.array([placing.gain for placing, _ in sides])
    share, steps = np.linspace(0, 1, new.shape[1]), np.zeros(2)
    for _ in range(MATCHING_ROUNDS):
        over = gains + steps - levels  # how far above its level each end is: so the sound is to have unit power
        beyond = np.zeros(2)
        for end, part in enumerate(parts):
            sound = new[:, part] * np.exp(over[0] + share[part] * (over[1] - over[0]))
            beyond[end] = 0.5 * math.log(max(_power(sound), LEAST_POWER))
        steps = np.clip(steps - beyond, -most, most)
    first, last = gains + steps
    return float(first), float(last)


def _power(samples: Float[np.ndarray, "channels samples"]) -> float:
    """Mean over time of the sum over channels."""
    return float(np.square(samples, dtype=np.float64).sum()) / max(1, samples.shape[1])


def model_level(manifest: Manifest) -> float:
    """Nepers: of a model's training music."""
    return _level(np.asarray(manifest.band_mean[: manifest.mel.n_mels], np.float64), manifest.mel)


def band_widths_hz(mel: MelConfig) -> Float64[np.ndarray, "bands"]:
    """From each band's lower edge to its upper one."""
    edges = band_edges_hz(mel)
    return edges[2:] - edges[:-2]


def _level(band_mean: Float64[np.ndarray, "bands"], mel: MelConfig) -> float:
    """Nepers: bands are averages of magnitude over their width."""
    return 0.5 * math.log(float((band_widths_hz(mel) * np.exp(2 * band_mean)).sum()))


def _width(
    weights: Float64[np.ndarray, "channels"], covariance: Float64[np.ndarray, "channels channels"]
) -> tuple[Float64[np.ndarray, "channels"], Float64[np.ndarray, "channels channels"]]:
    """`shared` and `apart` of a Placing: with voices that are not in step, the sound has this covariance again, per
    power of its mix, and its mix is the one channel it was made of.
    """
    power = float(weights @ covariance @ weights)
    if power <= 0:
        return np.ones(len(weights)), np.zeros_like(covariance)
    shared = covariance @ weights / power
    values, vectors = np.linalg.eigh(covariance / power - np.outer(shared, shared))
    apart = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return shared, apart if np.abs(apart).max() > NARROW * np.abs(shared).max() else np.zeros_like(apart)


class Placer:
    """One channel at the model's rate to the channels of `form`: as `before` says up to sample `begins`, as `after`
    does from `ends` on, evenly from one to the other between. Two channels keep the image they have where `form` has
    two, and are mixed where it has not.
    """

    def __init__(
        self, mel: MelConfig, form: Form, before: Placing, after: Placing | None = None, begins: int = 0, ends: int = 0
    ) -> None:
        self._rates = mel.sample_rate, form.sample_rate
        self._before, self._after = before, after or before
        self._begins, self._ends = begins, max(ends, begins + 1)
        self._channels = form.channels
        wide = before.apart.any() or self._after.apart.any()
        self._voices = [Diffuser(form.sample_rate, voice) for voice in range(form.channels)] if wide else []
        self._done = 0

    def placed(
        self, blocks: Iterable[Float32[np.ndarray, "own _"]]
    ) -> Iterator[Float32[np.ndarray, "channels samples"]]:
        """Blocks [channels, n], however those that come are cut."""
        for block in resampled(blocks, *self._rates):
            for start in range(0, block.shape[1], PLACED_AT_ONCE):
                part = block[:, start : start + PLACED_AT_ONCE]
                if len(part) == 1:
                    yield self._spread(part[0])
                elif self._channels == 2:
                    yield self._as_they_are(part)
                else:
                    yield self._spread(mid_of(part))

    def _as_they_are(self, pair: Float32[np.ndarray, "2 samples"]) -> Float32[np.ndarray, "2 samples"]:
        share = self._shares(pair.shape[1])
        return (pair * np.exp(self._gain(share)) + self._offset(share)).astype(np.float32)

    def _spread(self, mono: Float32[np.ndarray, "samples"]) -> Float32[np.ndarray, "channels samples"]:
        share = self._shares(len(mono))
        voices = np.stack([mono, *(voice.push(mono) for voice in self._voices)]).astype(np.float64)
        sounds = []
        for way in (self._before, self._after):
            mixing = np.concatenate([way.shared[:, None], way.apart], axis=1)[:, : len(voices)]
            sounds.append(mixing @ voices)
        spread = sounds[0] + share * (sounds[1] - sounds[0])
        return (spread * np.exp(self._gain(share)) + self._offset(share)).astype(np.float32)

    def _shares(self, count: int) -> Float64[np.ndarray, "samples"]:
        """How far the next samples are on the way from `before` to `after`, 0 to 1."""
        at = np.arange(self._done, self._done + count)
        self._done += count
        return np.clip((at - self._begins) / (self._ends - self._begins), 0, 1)

    def _gain(self, share: Float64[np.ndarray, "samples"]) -> Float64[np.ndarray, "samples"]:
        return self._before.gain + share * (self._after.gain - self._before.gain)

    def _offset(self, share: Float64[np.ndarray, "samples"]) -> Float64[np.ndarray, "channels samples"]:
        return self._before.offset[:, None] + share * (self._after.offset - self._before.offset)[:, None]
