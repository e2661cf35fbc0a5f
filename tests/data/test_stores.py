"""Data sets of waveforms: the same frames, trimmed and drawn as those of log-mels, at a known error."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.audio.image import LEAST_SPREAD, rows_of
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.data.dataset import Library
from halfstep.data.decode import DecodeConfig
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.data.stores import LOG_MEL, STORES, WAVEFORM, decoded
from halfstep.data.windows import Windows
from halfstep.errors import InputError


@pytest.fixture
def waveforms(small_config: PrepareConfig) -> PrepareConfig:
    return replace(small_config, decode=replace(small_config.decode, stores=WAVEFORM))


@pytest.fixture
def both(songs: Path, tmp_path: Path, small_config: PrepareConfig, waveforms: PrepareConfig) -> dict[str, Library]:
    """The same songs prepared as log-mels and as waveforms."""
    for name, config in ((LOG_MEL, small_config), (WAVEFORM, waveforms)):
        prepare([songs], tmp_path / name, config, 1)
    return {name: Library(tmp_path / name) for name in (LOG_MEL, WAVEFORM)}


def test_tracks_split_and_trimming_are_the_same(both: dict[str, Library]):
    def facts(library: Library) -> list[tuple]:
        return [(t.id, t.frames, t.split, t.trimmed_seconds, t.loudness_lufs) for t in library.tracks]

    assert facts(both[WAVEFORM]) == facts(both[LOG_MEL])
    assert (both[LOG_MEL].stores, both[LOG_MEL].width) == (LOG_MEL, 24)
    assert (both[WAVEFORM].stores, both[WAVEFORM].width) == (WAVEFORM, 64)


def test_a_frame_of_samples_is_under_the_frame_of_its_mel(both: dict[str, Library]):
    """Inside a track; its own ends are cut off the sound that the stored mel still heard."""
    for mel_track, track in zip(both[LOG_MEL].tracks, both[WAVEFORM].tracks, strict=True):
        mel = log_mel(decoded(both[WAVEFORM].array(track)[:]), both[WAVEFORM].mel).T
        stored = both[LOG_MEL].array(mel_track)[:].astype(np.float32)
        assert mel.shape == stored.shape
        np.testing.assert_allclose(mel[2:-2], stored[2:-2], atol=0.05)


def test_bands_are_those_of_the_log_mels(both: dict[str, Library]):
    np.testing.assert_allclose(both[WAVEFORM].band_mean, both[LOG_MEL].band_mean, atol=0.1)
    np.testing.assert_allclose(both[WAVEFORM].band_std, both[LOG_MEL].band_std, atol=0.1)


def test_the_whole_recording_is_there(
    tmp_path: Path, waveforms: PrepareConfig, song: Callable, write_song: Callable[..., Path]
):
    """A FLAC of 16 bits comes back exactly, however long; the last frame is filled up with silence."""
    path = write_song(tmp_path / "song.flac", 3)
    prepare([path], tmp_path / "data", waveforms, 1)
    library = Library(tmp_path / "data")
    found = np.concatenate([decoded(library.array(track)[:]) for track in library.tracks])
    first = round(library.tracks[0].trimmed_seconds[0] * 8000 / 64) * 64
    wanted = np.clip(np.rint(song(3) * 32768), -32768, 32767)[first:] / 32768
    shared = min(len(found), len(wanted))
    assert shared > 14_000
    np.testing.assert_allclose(found[:shared], wanted[:shared], atol=1.01 / 32768)


@pytest.mark.parametrize("frames", [1, 5])
def test_samples_survive_to_half_a_step_and_are_clipped_at_full_scale(frames: int):
    store = STORES[WAVEFORM]
    samples = np.random.default_rng(0).uniform(-1.2, 1.2, (64, frames)).astype(np.float32)
    rows = store.encode(samples)
    assert rows.dtype == np.int16
    expected = np.clip(samples.T.reshape(-1), -1, 32767 / 32768)
    np.testing.assert_allclose(decoded(rows), expected, atol=0.51 / 32768)


def test_clips_are_samples_by_the_same_seed_and_number(both: dict[str, Library]):
    """Batch k of either kind is the same places of the same tracks."""
    pair = {name: Windows(library, "train", 16, seed=4) for name, library in both.items()}
    clips, mels = (pair[name].batch(7, 8)[0] for name in (WAVEFORM, LOG_MEL))
    assert clips.shape == (8, 16 * 64)
    assert clips.dtype == np.float32
    library = both[LOG_MEL]
    made = log_mel(clips, library.mel)[:, :, 2:-2]
    shown = mels * library.band_std[:, None] + library.band_mean[:, None]
    difference = np.abs(made - shown[:, :, 2:-2]).mean(axis=(1, 2))
    assert np.median(difference) < 0.01  # a clip at a track's own end hears what was cut away


def test_what_is_stored_is_part_of_a_tracks_name(both: dict[str, Library]):
    """So that one folder prepared in turn as either is never half of each."""
    assert {t.file for t in both[LOG_MEL].tracks}.isdisjoint(t.file for t in both[WAVEFORM].tracks)


def test_what_is_no_kind_of_data_set_is_refused(both: dict[str, Library]):
    with pytest.raises(ValueError, match="stores is 'midi': one of log-mel, waveform"):
        DecodeConfig(stores="midi")
    manifest = both[WAVEFORM].path / "dataset.json"
    manifest.write_text(manifest.read_text().replace('"waveform"', '"midi"'))
    with pytest.raises(InputError, match="stores is 'midi', expected one of log-mel, waveform"):
        Library(both[WAVEFORM].path)


@pytest.fixture
def stereo_songs(tmp_path: Path, song: Callable, write_song: Callable[..., Path]) -> Path:
    """Of two instruments in two places, of one channel, of six, and another pair that is held out or learned from."""
    folder = tmp_path / "pairs"
    write_song(folder / "mono.wav", 1)
    one, other = song(2), song(3)
    pair = np.stack([one + 0.2 * other, 0.5 * one + 0.9 * other], axis=1) / 2
    soundfile.write(folder / "pair.wav", pair, 8000, subtype="FLOAT")
    six = np.zeros((len(one), 6))
    six[:, 2], six[:, 4] = song(4) / 4, song(5) / 4  # centre, and left behind
    soundfile.write(folder / "six.wav", six, 8000, subtype="FLOAT")
    return folder


def test_a_stereo_set_keeps_the_bands_of_the_mid_and_the_image_below_them(
    stereo_songs: Path, tmp_path: Path, small_config: PrepareConfig
):
    stereo = replace(
        small_config, decode=replace(small_config.decode, mel=replace(small_config.decode.mel, image_bands=6))
    )
    for name, config in (("mono", small_config), ("stereo", stereo)):
        prepare([stereo_songs], tmp_path / name, config, 1)
    mono, library = Library(tmp_path / "mono"), Library(tmp_path / "stereo")
    assert (mono.width, library.width, library.mel.channels) == (24, 36, 2)
    assert "image_bands" not in (tmp_path / "mono" / "dataset.json").read_text()
    rows = {}
    for track, plain in zip(library.tracks, mono.tracks, strict=True):
        rows[track.source] = library.array(track)[:].astype(np.float32)
        np.testing.assert_allclose(rows[track.source][:, :24], mono.array(plain)[:].astype(np.float32), atol=0.01)
    pair, _ = soundfile.read(stereo_songs / "pair.wav", dtype="float32", always_2d=True)
    wanted = rows_of(np.ascontiguousarray(pair.T), library.mel).T
    stored = rows["pairs/pair.wav"]
    first = int(np.argmin([np.abs(wanted[k : k + 99, :24] - stored[:99, :24]).mean() for k in range(20)]))
    np.testing.assert_allclose(stored, wanted[first : first + len(stored)], atol=0.01)
    np.testing.assert_allclose(rows["pairs/mono.wav"][:, 24:30], 0, atol=1e-3)
    np.testing.assert_allclose(rows["pairs/mono.wav"][:, 30:], LEAST_SPREAD, atol=2e-3)
    assert rows["pairs/six.wav"][:, 24:30].mean() > 0.3  # what is behind on the left is on the left
    window = Windows(library, "train", 32).evenly(4)
    assert window.shape == (4, 36, 32)
    again = Windows(library, "train", 32)
    np.testing.assert_array_equal(window, again.evenly(4))


def test_waveforms_have_no_image():
    with pytest.raises(ValueError, match="stores is 'waveform' with mel.image_bands"):
        DecodeConfig(mel=MelConfig(image_bands=6), stores=WAVEFORM)
