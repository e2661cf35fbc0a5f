"""Windows of music to be judged, from wherever they come: recordings, their mels, a model, a run's teacher, noise."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from halfstep.arrays import Float32
from halfstep.audio.downmix import paired
from halfstep.audio.files.io import open_sound
from halfstep.audio.image import mid_of
from halfstep.audio.mel import MelConfig
from halfstep.data.dataset import JOURNAL_NAME, Library, Track
from halfstep.data.journal import paths_by_content
from halfstep.data.stores import LOG_MEL
from halfstep.errors import InputError
from halfstep.generation.noise import window_noise
from halfstep.generation.window import WindowSampler
from halfstep.metrics.judge import voiced
from halfstep.vocoders.base import Vocoder

MARGIN_SECONDS = 0.1
"""Read on either side of a window, so that resampling knows its neighbours."""

Place = tuple[Track, int]
"""A track, and the frame at which a window begins."""
NewVocoder = Callable[[], Vocoder]


@dataclass(frozen=True, eq=False)
class Sounds:
    """samples [n, frames * hop], or left and right [n, 2, frames * hop]; log_mel [n, n_mels, frames] if they come from
    one; processor seconds.
    """

    samples: Float32[np.ndarray, "..."]
    log_mel: Float32[np.ndarray, "..."] | None = None
    make_seconds: float = 0.0
    voice_seconds: float = 0.0

    @property
    def mids(self) -> Float32[np.ndarray, "windows samples"]:
        """One channel of each."""
        return mids(self.samples)


Source = Callable[[range], Sounds]
"""Windows by number: the same whichever are asked for together."""


def mids(samples: Float32[np.ndarray, "windows *channels samples"]) -> Float32[np.ndarray, "windows samples"]:
    """Of windows of one channel, or of two: one channel of each."""
    return samples if samples.ndim == 2 else np.stack([mid_of(pair) for pair in samples])


def source_paths(library: Library) -> dict[str, Path]:
    """Track id -> the recording it was prepared from, where that is still there."""
    by_id = {sha256[:16]: path for sha256, path in paths_by_content(library.path / JOURNAL_NAME).items()}
    return {track.id: path for track in library.tracks if (path := by_id.get(track.id)) and path.is_file()}


def recordings(places: Sequence[Place], paths: dict[str, Path], mel: MelConfig, frames: int) -> Source:
    """The recordings themselves, in the channels and at the rate of the mel: what no mel and no vocoder has touched."""

    def source(numbers: range) -> Sounds:
        return Sounds(np.stack([_read_window(places[k], paths, mel, frames) for k in numbers]))

    return source


def _read_window(place: Place, paths: dict[str, Path], mel: MelConfig, frames: int) -> Float32[np.ndarray, "..."]:
    """[frames * hop], or [2, frames * hop], zeros where the file ends. The track's first frame is trimmed_seconds[0]
    into the file.
    """
    track, start = place
    first = round(track.trimmed_seconds[0] * mel.frames_per_second) + start
    begin, seconds = first * mel.hop_length / mel.sample_rate, frames * mel.hop_length / mel.sample_rate
    with open_sound(paths[track.id]) as sound:
        rate = sound.info.sample_rate
        at = max(0, round((begin - MARGIN_SECONDS) * rate))
        block = sound.span(at, round((seconds + 2 * MARGIN_SECONDS) * rate))
    channels = [block.mean(0)] if mel.channels == 1 else list(paired(block))
    skipped = round((begin - at / rate) * mel.sample_rate)
    samples = np.zeros((mel.channels, frames * mel.hop_length), np.float32)
    for its, channel in zip(samples, channels, strict=True):
        kept = soxr.resample(np.ascontiguousarray(channel), rate, mel.sample_rate)[skipped : skipped + len(its)]
        its[: len(kept)] = kept
    return samples[0] if mel.channels == 1 else samples


def stored_mels(
    library: Library, places: Sequence[Place], frames: int
) -> Callable[[range], Float32[np.ndarray, "windows bands frames"]]:
    """Log-mel windows [n, rows, frames] of the data set. InputError if it stores waveforms."""
    if library.stores != LOG_MEL:
        raise InputError(f"{library.path}: stores {library.stores}s; prepare the recordings with a preset for music")

    def windows(numbers: range) -> Float32[np.ndarray, "windows bands frames"]:
        chosen = [places[k] for k in numbers]
        return np.stack([library.array(track)[at : at + frames].astype(np.float32).T for track, at in chosen])

    return windows


def through_vocoder(
    windows: Callable[[range], Float32[np.ndarray, "windows bands frames"]], mel: MelConfig, vocoder: NewVocoder
) -> Source:
    """Log-mel windows made audible. The seconds are those of this thread's processor time."""

    def source(numbers: range) -> Sounds:
        began = time.thread_time()
        log_mel = windows(numbers)
        made = time.thread_time()
        samples = voiced(log_mel, mel, vocoder)
        return Sounds(samples, log_mel[:, : mel.n_mels], made - began, time.thread_time() - made)

    return source


def model_mels(
    sampler: WindowSampler, seed: int, guide: Callable[[int], Float32[np.ndarray, "rows frames"] | None]
) -> Callable[[range], Float32[np.ndarray, "windows bands frames"]]:
    """Windows of a model with nothing known; window k from `window_noise` k of `seed`, whatever the steps, after the
    guide of that number.
    """
    rows, frames = sampler.rows, sampler.layout.frames

    def window(k: int) -> Float32[np.ndarray, "..."]:
        def of_step(step: int) -> Float32[np.ndarray, "..."]:
            return window_noise(rows, seed, k, frames, step)

        follower = sampler.following(guide(k))
        return follower.log_mel(follower.unconditional(of_step(0), of_step))

    def windows(numbers: range) -> Float32[np.ndarray, "..."]:
        return np.stack([window(k) for k in numbers])

    return windows


def noise_mels(
    library: Library, frames: int, seed: int
) -> Callable[[range], Float32[np.ndarray, "windows bands frames"]]:
    """Gaussian noise with the mean and deviation of every band: where sampling begins."""

    def windows(numbers: range) -> Float32[np.ndarray, "windows bands frames"]:
        drawn = [
            np.random.default_rng([seed, k]).standard_normal((library.mel.rows, frames), np.float32) for k in numbers
        ]
        shaped = np.stack(drawn) * library.band_std[:, None] + library.band_mean[:, None]
        return np.maximum(shaped, np.float32(np.log(library.mel.floor)))

    return windows
