"""Settings of a stranger: every value is of its kind, and nothing too large is built."""

from typing import Any

import pytest

from halfstep.errors import InputError
from halfstep.learned_vocoder.losses import SpectralLossConfig
from halfstep.runs.experiment import Experiment
from halfstep.runs.presets import preset
from halfstep.runs.vocoder import VocoderExperiment
from halfstep.tasks.music.task import Music, MusicConfig


def changed(path: str, value: object) -> dict[str, Any]:
    plain = preset("tiny").to_json()
    section, _, key = path.rpartition(".")
    (plain[section] if section else plain)[key] = value
    return plain


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("mel.n_fft", "2048"),
        ("mel.n_fft", 2048.5),
        ("mel.fmin_hz", True),
        ("mel.floor", float("nan")),
        ("net.widths", [16, "16"]),
        ("net.widths", 16),
        ("net.widths", [10**6]),
        ("net.widths", [16] * 40),
        ("net.blocks", [10**9, 1]),
        ("train.batch_size", None),
        ("train.batch_size", [4]),
        ("train.seed", 2**80),
        ("train.betas", [0.9]),
        ("train.learning_rate", {}),
        ("train.compile", "yes"),
        ("music.packing", ["patch"]),
        ("music.frames", "96"),
        ("distill.weight", 7),
        ("expects", 7),
        ("name", None),
    ],
)
def test_a_value_of_another_kind_is_named(path: str, value: object):
    with pytest.raises(ValueError, match=path.rpartition(".")[2]):
        Experiment.from_json(changed(path, value))


def test_a_vocoder_run_made_under_a_former_name_is_read():
    plain = preset("vocoder").to_json()
    plain["losses"]["heard"] = 2 * plain["losses"].pop("tagger")
    assert VocoderExperiment.from_json(plain).losses == SpectralLossConfig(tagger=2.0)


def test_every_preset_reads_itself():
    experiment = preset("tiny")
    assert Experiment.from_json(experiment.to_json()) == experiment


def test_a_network_of_absurd_size_is_refused_without_building_it():
    plain = changed("net.widths", [16_384] * 5)
    plain["net"] |= {"blocks": [1] * 5, "attention": [False] * 5}
    plain["music"]["frames"] = 384
    experiment = Experiment.from_json(plain)
    assert isinstance(experiment.task, MusicConfig)
    with pytest.raises(InputError, match=r"its network has \d+ weights; make net.widths smaller"):
        experiment.build(Music(experiment.task))
