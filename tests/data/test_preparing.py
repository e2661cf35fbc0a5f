import json
import os
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest

from halfstep.audio.files.io import read
from halfstep.audio.mel import log_mel
from halfstep.data.dataset import Library
from halfstep.data.preparing import NothingUsable, PrepareConfig, Progress, prepare
from halfstep.data.stores import LOG_MEL, WAVEFORM
from halfstep.errors import InputError
from halfstep.lock import folder_lock
from halfstep.own_folder import DATA_SET, enter


class Watch:
    """Hears progress, and knows how many files each stage took up."""

    def __init__(self):
        self.reported: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        self.reported.append(progress)

    def files(self, stage: str) -> int:
        return max((progress.files_total for progress in self.reported if progress.stage == stage), default=0)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, write_song, small_config):
    """Eight songs prepared once; read only."""
    folder = tmp_path_factory.mktemp("prepared")
    for seed in range(8):
        write_song(folder / "songs" / f"song-{seed}.flac", seed)
    report = prepare([folder / "songs"], folder / "data", small_config, workers=2)
    return folder, report


def test_every_track_is_the_mel_of_its_recording(prepared, small_mel):
    folder, report = prepared
    library = Library(folder / "data")
    assert library.mel == small_mel
    assert (report.found, report.used, report.skipped, report.failed) == (8, 8, [], [])
    for track in library.tracks:
        array = library.array(track)
        assert type(array) is np.ndarray
        assert array.dtype == np.float16
        assert array.shape == (track.frames, small_mel.n_mels)
        whole = log_mel(read(folder / track.source).samples[0], small_mel).T
        first = round(track.trimmed_seconds[0] * small_mel.frames_per_second)
        np.testing.assert_allclose(array, whole[first : first + track.frames], rtol=1e-3, atol=1e-4)
        assert track.seconds == pytest.approx(track.frames * 64 / 8000, abs=1e-3)
        assert -40 < track.loudness_lufs < -5


def test_bands_are_those_of_the_training_split_alone(prepared):
    folder, report = prepared
    library = Library(folder / "data")
    trained = np.concatenate([library.array(track)[:] for track in library.split("train")]).astype(np.float64)
    np.testing.assert_allclose(library.band_mean, trained.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(library.band_std, np.maximum(trained.std(axis=0), 0.1), rtol=1e-6)
    heldout = library.split("heldout")
    assert 0 < len(heldout) < 8
    assert report.heldout_seconds == pytest.approx(sum(track.seconds for track in heldout), abs=0.01)
    assert report.seconds == pytest.approx(sum(track.seconds for track in library.tracks), abs=0.01)


def test_the_report_on_disk_is_the_report(prepared):
    folder, report = prepared
    stored = json.loads((folder / "data" / "report.json").read_text())
    assert stored["found"] == report.found == 8
    assert set(stored) == set(report.__dataclass_fields__)


def test_workers_and_the_place_change_no_byte(prepared, tmp_path, small_config, contents):
    folder, _ = prepared
    prepare([folder / "songs"], tmp_path / "elsewhere", small_config, workers=3)
    assert contents(tmp_path / "elsewhere") == contents(folder / "data")


def test_again_does_nothing_and_touching_redoes_nothing(songs, tmp_path, small_config, contents):
    data, watch = tmp_path / "data", Watch()
    prepare([songs], data, small_config, 1, watch)
    assert (watch.files("reading"), watch.files("decoding")) == (5, 5)
    assert watch.reported[-1].files_done == 5
    assert watch.reported[-1].audio_seconds == pytest.approx(10, abs=0.5)
    before = contents(data)
    tracks = {path: path.stat().st_mtime_ns for path in (data / "tracks").iterdir()}

    watch = Watch()
    prepare([songs], data, small_config, 1, watch)
    assert watch.reported == []
    assert contents(data) == before

    os.utime(songs / "song-1.flac", ns=(10**18, 10**18))
    watch = Watch()
    prepare([songs], data, small_config, 1, watch)
    assert (watch.files("reading"), watch.files("decoding")) == (1, 0)
    assert contents(data).keys() == before.keys()
    assert contents(data)["dataset.json"] == before["dataset.json"]
    assert {path: path.stat().st_mtime_ns for path in (data / "tracks").iterdir()} == tracks


def test_only_what_changed_is_done_again(songs, tmp_path, small_config, write_song, contents):
    """A new file, one that became another, one that went: as if prepared afresh."""
    data, watch = tmp_path / "data", Watch()
    prepare([songs], data, small_config, 1)
    write_song(songs / "new.flac", 50)
    write_song(songs / "song-1.flac", 51)
    (songs / "song-2.flac").unlink()
    prepare([songs], data, small_config, 1, watch)
    assert (watch.files("reading"), watch.files("decoding")) == (2, 2)
    prepare([songs], tmp_path / "fresh", small_config, 1)
    assert contents(data) == contents(tmp_path / "fresh")


def test_other_settings_redo_the_tracks_and_keep_the_old_until_then(songs, tmp_path, small_config, monkeypatch):
    data, watch = tmp_path / "data", Watch()
    prepare([songs], data, small_config, 1)
    old = {path.name: path.read_bytes() for path in (data / "tracks").iterdir()}
    other = replace(small_config.decode, mel=replace(small_config.decode.mel, floor=1e-4))

    class StoppedError(Exception):
        """Between the last track and the manifest."""

    def stop(*_: object) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr("halfstep.data.preparing.write_json", stop)
        with pytest.raises(StoppedError):
            prepare([songs], data, replace(small_config, decode=other), 1)
    kept = Library(data)
    assert all((data / track.file).read_bytes() == old[(data / track.file).name] for track in kept.tracks)

    prepare([songs], data, replace(small_config, decode=other), 1, watch)
    assert watch.files("decoding") == 0
    assert Library(data).mel.floor == 1e-4
    assert not old.keys() & {path.name for path in (data / "tracks").iterdir()}


def test_a_lost_track_is_made_again(songs, tmp_path, small_config, contents):
    data, watch = tmp_path / "data", Watch()
    prepare([songs], data, small_config, 1)
    before = contents(data)
    (data / Library(data).tracks[3].file).unlink()
    prepare([songs], data, small_config, 1, watch)
    assert watch.files("decoding") == 1
    assert contents(data) == before


def test_the_same_bytes_and_the_same_sound_count_once(songs, tmp_path, small_config):
    """F23: a copy, and the same samples in another lossless format."""
    shutil.copy(songs / "song-1.flac", songs / "x-copy.flac")
    read(songs / "song-2.flac").save(songs / "y-other.wav")
    report = prepare([songs], tmp_path / "data", small_config, 1)
    assert (report.found, report.used) == (7, 5)
    assert report.skipped == [
        {"source": "songs/x-copy.flac", "reason": "the same sound as songs/song-1.flac"},
        {"source": "songs/y-other.wav", "reason": "the same sound as songs/song-2.flac"},
    ]


def test_a_re_encoding_is_reported_and_stays_on_one_side(tmp_path, small_config, write_song):
    songs = tmp_path / "songs"
    for seed in range(6):
        for extension in ("flac", "ogg"):
            write_song(songs / f"{extension}-{seed}.{extension}", seed, seconds=8)
    report = prepare([songs], tmp_path / "data", small_config, 1)
    assert report.used == 12
    pairs = [tuple(pair["sources"]) for pair in report.near_duplicates]
    assert pairs == [(f"songs/flac-{seed}.flac", f"songs/ogg-{seed}.ogg") for seed in range(6)]
    split = {track.source: track.split for track in Library(tmp_path / "data").tracks}
    assert all(split[a] == split[b] for a, b in pairs)
    assert set(split.values()) == {"train", "heldout"}


def test_variants_of_a_piece_stay_on_one_side(tmp_path, small_config, write_song):
    for number in range(12):
        write_song(tmp_path / "songs" / f"piece-{number // 3}__t+{number % 3}.flac", number)
    prepare([tmp_path / "songs"], tmp_path / "data", small_config, 1)
    sides: dict[str, set[str]] = {}
    for track in Library(tmp_path / "data").tracks:
        sides.setdefault(track.group, set()).add(track.split)
    assert len(sides) == 4
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {"train", "heldout"}


def test_the_end_of_a_single_song_is_held_out(tmp_path, small_config, write_song):
    path = write_song(tmp_path / "one.flac", 1)
    report = prepare([path], tmp_path / "data", small_config, 1)
    library = Library(tmp_path / "data")
    learned, kept = library.tracks
    stored = np.load(tmp_path / "data" / learned.file)
    assert [learned.split, kept.split] == ["train", "heldout"]
    assert kept.frames == round(0.3 * len(stored))
    np.testing.assert_array_equal(np.concatenate([library.array(learned)[:], library.array(kept)[:]]), stored)
    assert (report.used, report.heldout_seconds) == (1, kept.seconds)
    whole = report.seconds + learned.trimmed_seconds[0] + kept.trimmed_seconds[1]
    assert whole == pytest.approx(2.0, abs=0.02)
    assert kept.trimmed_seconds[0] == pytest.approx(learned.trimmed_seconds[0] + learned.seconds, abs=0.002)


def test_a_song_of_less_than_two_windows_is_learned_from_whole(tmp_path, small_config, write_song):
    report = prepare([write_song(tmp_path / "one.flac", 1, 0.4)], tmp_path / "data", small_config, 1)
    assert (report.used, report.heldout_seconds) == (1, 0)


def test_a_report_is_written_of_what_is_all_unusable_too(tmp_path, small_config):
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "a.wav").write_text("no sound at all, though it is called so")
    with pytest.raises(NothingUsable, match=r"nothing to learn from: 1 files found.*report.json") as refusal:
        prepare([tmp_path / "songs"], tmp_path / "data", small_config, 1)
    stored = json.loads((tmp_path / "data" / "report.json").read_text())
    assert stored == asdict(refusal.value.report)
    assert (stored["found"], stored["used"], stored["skipped"][0]["source"]) == (1, 0, "songs/a.wav")


def test_nothing_to_learn_from_says_how_much_there_is(tmp_path, small_config, write_song):
    """F24."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"0 files found, 0 used.*0\.3 s or more in WAV, FLAC"):
        prepare([tmp_path / "empty"], tmp_path / "data", small_config, 1)
    write_song(tmp_path / "songs" / "short.flac", 1, seconds=0.1)
    with pytest.raises(InputError, match=r"1 files found, 0 used, 1 skipped, 0 failed \(the first: 0\.10 s"):
        prepare([tmp_path / "songs"], tmp_path / "data", small_config, 1)


def test_a_second_process_is_told_who_is_at_work(songs, tmp_path, small_config):
    enter(tmp_path / "data", DATA_SET)
    with (
        folder_lock(tmp_path / "data"),
        pytest.raises(InputError, match=rf"in use by process {os.getpid()} on"),
    ):
        prepare([songs], tmp_path / "data", small_config, 1)
    prepare([songs], tmp_path / "data", small_config, 1)
    assert not (tmp_path / "data" / "lock").exists()


def cut(content: bytearray) -> None:
    del content[-100:]


def flip(content: bytearray) -> None:
    content[len(content) // 2] ^= 1


def flip_in_header(content: bytearray) -> None:
    content[50] ^= 1


@pytest.mark.parametrize("stores", [LOG_MEL, WAVEFORM])
@pytest.mark.parametrize("harm", [bytearray.clear, cut, flip, flip_in_header, lambda content: content.append(0)])
def test_a_damaged_track_is_made_again_and_no_other(songs, tmp_path, small_config, harm, stores):
    config = replace(small_config, decode=replace(small_config.decode, stores=stores))
    prepare([songs], tmp_path / "data", config, 1)
    track, *others = sorted((tmp_path / "data" / "tracks").iterdir())
    whole, stamps = track.read_bytes(), [other.stat().st_mtime_ns for other in others]
    content = bytearray(whole)
    harm(content)
    track.write_bytes(content)
    prepare([songs], tmp_path / "data", config, 1)
    assert track.read_bytes() == whole
    assert [other.stat().st_mtime_ns for other in others] == stamps


def test_in_a_folder_of_its_own_it_removes_nothing_that_it_did_not_write(songs, tmp_path, small_config):
    out = tmp_path / "data"
    prepare([songs], out, small_config, 1)
    theirs = [out / "tracks" / "mymix.npy", out / ".notes.partial.txt", out / "notes.txt"]
    for path in theirs:
        path.write_text("mine")
    stale = out / "tracks" / f"{'0' * 16}-{'0' * 8}.npy"
    stale.write_text("of a recording that is gone")
    prepare([songs], out, small_config, 1)
    assert [path.read_text() for path in theirs] == ["mine"] * 3
    assert not stale.exists()


def test_a_users_folder_is_not_entered(songs, tmp_path, small_config):
    """Of the same names as ours, every one of them somebody's."""
    out = tmp_path / "mine"
    (out / "tracks").mkdir(parents=True)
    contents = {"tracks/mymix.npy": "a", "report.json": "{}", "dataset.json": '{"theirs": 1}', "journal.jsonl": "{}"}
    for name, content in contents.items():
        (out / name).write_text(content)
    with pytest.raises(InputError, match="no data set made by halfstep"):
        prepare([songs], out, small_config, 1)
    assert {str(p.relative_to(out)): p.read_text() for p in out.rglob("*") if p.is_file()} == contents


def test_a_file_where_the_data_set_should_be(songs, tmp_path, small_config):
    (tmp_path / "data").write_text("hello")
    with pytest.raises(InputError, match="data: not a folder"):
        prepare([songs], tmp_path / "data", small_config, 1)


@pytest.mark.parametrize("changes", [{"heldout_share": 1.0}, {"heldout_share": -0.1}, {"hang_seconds": 0}])
def test_settings_that_make_no_sense_are_named(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        PrepareConfig(**changes)
