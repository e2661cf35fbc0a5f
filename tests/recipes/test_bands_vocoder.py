"""From recordings to a vocoder for bands in a folder, by the three recipes in a row."""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

RECIPES = Path(__file__).parents[2] / "recipes" / "models"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven tracks of two seconds; the licence of one does not let us learn from it."""
    folder = tmp_path_factory.mktemp("music") / "set"
    folder.mkdir()
    t = np.arange(2 * 44100) / 44100
    entries = []
    for number in range(7):
        sound = 0.3 * np.sin(2 * np.pi * 110 * 2 ** (number / 12) * t) * np.exp(-t)
        soundfile.write(folder / f"{number}.flac", np.stack([sound, sound], axis=1), 44100)
        licence = "GPL-2" if number == 3 else "CC0-1.0"
        entries.append({"file": f"{number}.flac", "licence": licence, "source": "here"})
    (folder / "LICENCES.json").write_text(json.dumps(entries))
    return folder.parent


@pytest.fixture(scope="module")
def packed(recordings: Path) -> Path:
    sys.path.insert(0, str(RECIPES))
    import pack_vocoder_audio

    out = recordings / "audio.zip"
    assert pack_vocoder_audio.main([str(out), "--folder", str(recordings / "set"), "1"]) == 0
    return out


def test_what_is_packed_is_free_and_its_sources_are_named(packed):
    with zipfile.ZipFile(packed) as archive:
        pieces = json.loads(archive.read("tracks.json"))
        assert set(archive.namelist()) == {"tracks.json", *(piece["file"] for piece in pieces)}
    assert sorted(piece["title"] for piece in pieces) == ["0", "1", "2", "4", "5", "6"]
    assert {piece["licence"] for piece in pieces} == {"CC0-1.0"}
    assert sum(piece["heldout"] for piece in pieces) == 1


def test_a_folder_without_free_music_is_refused_in_one_line(packed, tmp_path, capsys):
    import pack_vocoder_audio

    (tmp_path / "LICENCES.json").write_text('[{"file": "x.ogg", "licence": "all rights reserved"}]')
    assert pack_vocoder_audio.main([str(tmp_path / "o.zip"), "--folder", str(tmp_path), "1"]) == 2
    assert "no track with a free licence" in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_trained_in_a_given_time_plays(packed, tmp_path):
    import export_bands_vocoder
    import train_bands_vocoder

    from halfstep.audio.mel import log_mel
    from halfstep.bundle import OnnxVocoder
    from halfstep.bundle.session import OnnxNetwork
    from halfstep.learned_vocoder.to_onnx import BASS, PRIOR, REFINER
    from halfstep.vocoders.learned import LearnedVocoder

    run = tmp_path / "run"
    arguments = [str(packed), str(run), "--seconds", "20", "--device", "cpu", "--batch", "1"]
    assert train_bands_vocoder.main([*arguments, "--adversarial", "0.5"]) == 0
    for part in ("plain", "adversarial"):
        lines = [json.loads(line) for line in (run / part / "log.jsonl").read_text().splitlines()]
        assert lines[-1]["step"] >= 1
        assert 0 < lines[-1]["heldout/loss"] < 10
    folder = tmp_path / "vocoder"
    weights = run / "vocoder-adversarial.safetensors"
    assert export_bands_vocoder.main([str(weights), str(packed), "--out", str(folder)]) == 0

    mel = train_bands_vocoder.BANDS
    networks = [OnnxNetwork((folder / name).read_bytes(), name, 1) for name in (PRIOR, REFINER, BASS)]
    sound = 0.3 * np.sin(2 * np.pi * 440 * np.arange(44100) / 44100).astype(np.float32)
    bands = log_mel(sound, mel)
    vocoder = LearnedVocoder(OnnxVocoder(networks[0], networks[1], mel, networks[2]), mel)
    samples = np.concatenate([vocoder.push(bands), vocoder.finish()])
    inside = slice(15000, 30000)
    assert 0.5 < samples[inside].std() / sound[inside].std() < 2
