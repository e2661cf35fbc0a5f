"""Recordings and music made for them: how the two waveforms join."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from halfstep.arrays import Float, Float32
from halfstep.audio.joining import joined
from halfstep.audio.limiter import limit
from halfstep.audio.mel import MelConfig
from halfstep.errors import InputError
from halfstep.generation.canvas import Canvas, filled, mel_stream
from halfstep.generation.context import at_rate, known_end, known_start, side_samples, tail_samples
from halfstep.generation.render import first_samples, unlimited, without_first
from halfstep.generation.sides import (
    LEAST_MATCHED_SECONDS,
    MATCHED_SECONDS,
    Placer,
    matched,
    matched_between,
    plain,
    side_of,
)
from halfstep.generation.takes import Form, Take
from halfstep.generation.window import WindowSampler
from halfstep.vocoders.base import Vocoder

Samples = Float[np.ndarray, "..."]
"""[channels, n] at a recording's own rate."""


class Tail:
    """Lets blocks [channels, n] pass, keeping the last `size` samples back."""

    def __init__(self, size: int, channels: int = 1) -> None:
        self._size = size
        self.samples: Samples = np.zeros((channels, 0), np.float32)

    def push(self, block: Samples) -> Samples:
        """What the tail no longer holds once `block` is added, [channels, n]."""
        whole = np.concatenate([self.samples, block], axis=1)
        cut = max(0, whole.shape[1] - self._size)
        self.samples = whole[:, cut:]
        return whole[:, :cut]


def continued_sound(
    take: Take, sampler: WindowSampler, canvas: Canvas, vocoder: Vocoder, count: int | None
) -> Iterator[Samples]:
    """The recording's blocks [channels, n] as they are, its very end crossfaded, then `count` new samples (None:
    without end).

    canvas: the noise of the piece.
    """
    mel, form = sampler.manifest.mel, take.form
    tail = Tail(side_samples(form, mel, sampler.layout.overlap), form.channels)
    for block in take.blocks():
        yield tail.push(block)
    side = side_of(tail.samples, form, sampler.manifest)
    known = known_end(side.context, mel)
    crossfade = sampler.layout.crossfade_with(known.log_mel.shape[1])
    place = at_rate(known.end - crossfade * mel.hop_length, mel, form)
    yield tail.samples[:, :place]

    # The vocoder runs over the known frames too, so that it is in full swing where its sound begins.
    blocks = mel_stream(sampler, replace(canvas, before=known.log_mel))
    kept = known.log_mel[:, : known.log_mel.shape[1] - crossfade]
    border, some = known.end - known.begin, round(MATCHED_SECONDS * mel.sample_rate)
    begun, rest = _begun(unlimited(_before(kept, blocks), vocoder), border + some)
    trial = Placer(mel, form, plain(side.placing)).placed(_after_silence(known.begin, [begun], mel))
    end = at_rate(known.end, mel, form)
    placing = matched(side.placing, side.power(*_matched_span(end, form)), np.concatenate(list(trial), axis=1)[:, end:])
    made = _after_silence(known.begin, _before(begun, rest), mel)
    music = without_first(map(_within_full_scale, Placer(mel, form, placing).placed(made)), place)
    old = tail.samples[:, place:]
    yield from first_samples(_joined_on(old, music), None if count is None else old.shape[1] + count)


@dataclass(frozen=True, eq=False)
class Filling:
    """What stands between two recordings: its sound [channels, n], the last `before` samples of the one and the first
    `after` of the other crossfaded and so already part of it.
    """

    sound: Samples
    before: int
    after: int


def filling(
    left: Samples | None, count: int, right: Samples, form: Form, sampler: WindowSampler, canvas: Canvas,
    vocoder: Vocoder,
) -> Filling:  # fmt: skip
    """`count` new samples between the last ones of a recording and the first ones of another, or before the latter
    alone. canvas: the noise of the piece. InputError if a recording is too short.
    """
    mel, layout, manifest = sampler.manifest.mel, sampler.layout, sampler.manifest
    hop, rate = mel.hop_length, mel.sample_rate / form.sample_rate
    last = right_side = side_of(right, form, manifest)
    known, cut = None, 0
    if left is not None:
        last, cut = side_of(left, form, manifest), left.shape[1]
        known = known_end(last.context, mel)
    # From here on samples of the model are counted from the end of the last known frame.
    origin = known.end if known else 0
    begins = (cut + count) * rate - origin
    gap = math.ceil((begins + mel.lead) / hop)
    context = right_side.context[:, : tail_samples(mel, layout.overlap + 1)]
    after = known_start(context, round(gap * hop - begins), layout.overlap, mel)
    before = known.log_mel if known else None
    whole = filled(sampler, replace(canvas, before=before, frames=gap, after=after))
    made = [np.atleast_2d(np.concatenate([vocoder.push(whole), vocoder.finish()], axis=-1))]
    made = list(_after_silence(known.begin if known else 0, made, mel))
    sides = last.placing, right_side.placing
    trial = Placer(mel, form, plain(sides[0]), plain(sides[1]), cut, cut + count).placed(made)
    around = max(0, math.ceil(LEAST_MATCHED_SECONDS * form.sample_rate) - count) // 2
    least = at_rate(known.begin, mel, form) if known else 0
    new = np.concatenate(list(trial), axis=1)[:, max(least, cut - around) : cut + count + around]
    some = round(MATCHED_SECONDS * form.sample_rate)
    following = right_side.power(0, some)
    if known:
        preceding = last.power(*_matched_span(at_rate(known.end, mel, form), form))
        opened, ending = matched_between((sides[0], preceding), (sides[1], following), new, some)
    else:
        opened = ending = matched(sides[1], following, new[:, -some:])
    blocks = Placer(mel, form, opened, ending, cut, cut + count).placed(made)
    sound = _within_full_scale(np.concatenate(list(blocks), axis=1))
    opening, closing = (0 if part is None else layout.crossfade_with(part.shape[1]) for part in (before, after))
    begin = at_rate(origin - opening * hop, mel, form) if known else 0
    end = min(right.shape[1], int(((gap + closing) * hop - begins) / rate))
    parts = [sound[:, cut : cut + count], _joined(sound[:, cut + count : cut + count + end], right[:, :end])]
    if left is not None:
        parts.insert(0, _joined(left[:, begin:], sound[:, begin:cut]))
    return Filling(np.concatenate(parts, axis=1), cut - begin, end)


def between(
    left: Take | None, count: int, right: Take, sampler: WindowSampler, canvas: Canvas, vocoder: Vocoder
) -> Iterator[Samples]:
    """The recording before, if there is one, `count` new samples, the recording after: blocks [channels, n]."""
    form, mel, frames = right.form, sampler.manifest.mel, sampler.layout.overlap + 1
    tail = Tail(side_samples(form, mel, frames), form.channels)
    if left is not None:
        for block in left.blocks():
            yield tail.push(block)
    head, rest = _begun(right.blocks(), side_samples(form, mel, frames))
    made = filling(None if left is None else tail.samples, count, head, form, sampler, canvas, vocoder)
    yield tail.samples[:, : tail.samples.shape[1] - made.before]
    yield made.sound
    yield head[:, made.after :]
    yield from rest


def closed(take: Take, count: int, sampler: WindowSampler, canvas: Canvas, vocoder: Vocoder) -> Iterator[Samples]:
    """The recording, then `count` new samples that lead back into it. It is read twice.

    InputError if it is shorter than what is crossfaded.
    """
    form, mel, frames = take.form, sampler.manifest.mel, sampler.layout.overlap + 1
    size = side_samples(form, mel, frames)
    tail, total = Tail(size, form.channels), 0
    for block in take.blocks():
        tail.push(block)
        total += block.shape[1]
    head, _ = _begun(take.blocks(), size)
    made = filling(tail.samples, count, head, form, sampler, canvas, vocoder)
    if total - made.before < made.after:
        seconds, needed = total / form.sample_rate, (made.before + made.after) / form.sample_rate
        raise InputError(f"the recording to loop: {seconds:.3f} s long, at least {needed:.3f} s are needed")
    # The file begins where the recording does: with what the end of the new music has passed into.
    yield made.sound[:, -made.after :]
    if total - made.before > made.after:
        yield from take.part(made.after, total - made.before).blocks()
    yield made.sound[:, : -made.after]


def _matched_span(end: int, form: Form) -> tuple[int, int]:
    """Samples of a recording that new sound after `end` is to be as loud as."""
    return max(0, end - round(MATCHED_SECONDS * form.sample_rate)), end


def _begun(blocks: Iterator[Samples], size: int) -> tuple[Samples, Iterator[Samples]]:
    """The first `size` samples, or all there are, and the blocks of the rest. InputError for none."""
    parts, have = [], 0
    while have < size and (block := next(blocks, None)) is not None:
        parts.append(block)
        have += block.shape[1]
    if not have:
        raise InputError("a recording without samples: give one with sound in it")
    whole = np.concatenate(parts, axis=1)
    return whole[:, :size], itertools.chain([whole[:, size:]] if have > size else [], blocks)


def _before(
    first: Float32[np.ndarray, "channels samples"], blocks: Iterator[Float32[np.ndarray, "channels samples"]]
) -> Iterator[Float32[np.ndarray, "channels samples"]]:
    yield first
    yield from blocks


def _after_silence(
    samples: int, blocks: Iterable[Float32[np.ndarray, "..."]], mel: MelConfig
) -> Iterator[Float32[np.ndarray, "..."]]:
    """Blocks [mel.channels, n] later by so many samples."""
    yield np.zeros((mel.channels, samples), np.float32)
    yield from blocks


def _within_full_scale(samples: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    return limit(samples, gain=1)


def _joined(old: Samples, new: Samples) -> Float32[np.ndarray, "..."]:
    """[channels, n] that passes from one sound to the other, channel by channel."""
    pairs = zip(old, new, strict=True)
    return np.stack([joined(*(part.astype(np.float32, copy=False) for part in pair)) for pair in pairs])


def _joined_on(old: Samples, blocks: Iterator[Float32[np.ndarray, "..."]]) -> Iterator[Float32[np.ndarray, "..."]]:
    """`old` [channels, m], passing into the first m samples of `blocks`, then the rest of them."""
    begun = np.zeros((len(old), 0), np.float32)
    for block in blocks:
        begun = np.concatenate([begun, block], axis=1)
        if begun.shape[1] >= old.shape[1]:
            break
    shared = min(old.shape[1], begun.shape[1])
    yield _joined(old[:, :shared], begun[:, :shared])
    yield begun[:, shared:]
    yield from blocks
