"""BigVGAN at a size that runs in a test: published names and size, strict loading, streamed = whole."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from halfstep.app.cli import run
from halfstep.audio.mel import MelConfig
from halfstep.errors import InputError
from halfstep.learned_vocoder.bigvgan import BigVGAN, BigVGANConfig
from halfstep.learned_vocoder.bigvgan_folder import BigVGANStream, load_bigvgan

PUBLISHED = {
    "num_mels": 128, "upsample_rates": [8, 4, 2, 2, 2, 2], "upsample_kernel_sizes": [16, 8, 4, 4, 4, 4],
    "upsample_initial_channel": 1536, "resblock": "1", "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]], "activation": "snakebeta", "snake_logscale": True,
    "use_bias_at_final": False, "use_tanh_at_final": False, "sampling_rate": 44100, "n_fft": 2048, "win_size": 2048,
    "hop_size": 512, "fmin": 0, "fmax": None,
}  # fmt: skip
"""What is asked of bigvgan_v2_44khz_128band_512x's config.json."""
MEL = MelConfig(sample_rate=8000, n_fft=64, hop_length=16, n_mels=8)
TINY = PUBLISHED | {
    "num_mels": 8, "upsample_rates": [4, 4], "upsample_kernel_sizes": [8, 8], "upsample_initial_channel": 8,
    "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]], "sampling_rate": 8000, "n_fft": 64,
    "win_size": 64, "hop_size": 16,
}  # fmt: skip


def network(settings: dict[str, Any]) -> BigVGAN:
    frozen = {"upsample_rates", "upsample_kernel_sizes", "resblock_kernel_sizes"}
    known: dict[str, Any] = {name: tuple(value) if name in frozen else value for name, value in settings.items()}
    known["resblock_dilation_sizes"] = tuple(map(tuple, settings["resblock_dilation_sizes"]))
    return BigVGAN(BigVGANConfig(**{name: known[name] for name in BigVGANConfig.__dataclass_fields__}))


def random_weights(folder: Path, settings: dict) -> Path:
    """Loud enough to hear its ends."""
    generator = torch.Generator().manual_seed(0)
    weights = {name: value.clone() for name, value in network(settings).state_dict().items()}
    for name, value in weights.items():
        if "filter" not in name:
            value += 0.3 * torch.randn(value.shape, generator=generator)
    save_file(weights, folder / "generator.safetensors")
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return random_weights(tmp_path, TINY)


def test_at_the_published_size_it_has_the_published_parameters():
    """122 M, and the names and shapes of bigvgan 2.4.1's own network."""
    with torch.device("meta"):
        big = network(PUBLISHED)
    shapes = {name: tuple(value.shape) for name, value in big.state_dict().items()}
    assert sum(value.numel() for value in big.parameters()) == 122_184_529
    assert len(shapes) == 783
    assert shapes["conv_pre.weight_v"] == (1536, 128, 7)
    assert shapes["ups.0.0.weight_g"] == (1536, 1, 1)
    assert shapes["ups.5.0.weight_v"] == (48, 24, 4)
    assert shapes["resblocks.17.convs1.2.weight_v"] == (24, 24, 11)
    assert shapes["resblocks.0.activations.5.act.beta"] == (768,)
    assert shapes["resblocks.0.activations.5.upsample.filter"] == (1, 1, 12)
    assert shapes["activation_post.downsample.lowpass.filter"] == (1, 1, 12)
    assert "conv_post.bias" not in shapes


@pytest.mark.parametrize("cuts", [[], [1, 5], [60, 61, 150]])
def test_streamed_is_whole(folder: Path, cuts: list[int]):
    stream = load_bigvgan(folder, MEL)(0)
    stream._block = 20
    mel = np.random.default_rng(0).standard_normal((8, 200), np.float32)
    parts = [stream.push(part) for part in np.split(mel, cuts, axis=1)]
    streamed = np.concatenate([*parts, stream.finish()])
    with torch.inference_mode():
        whole = stream._network(torch.from_numpy(mel)[None])[0, 0].cpu().numpy()
    assert whole.shape == (200 * 16,)
    assert whole.std() > 1e-3
    np.testing.assert_allclose(streamed, whole, atol=1e-5)


def test_a_loop_goes_on_over_its_end(folder: Path):
    """The middle of three periods in a row."""
    stream = load_bigvgan(folder, MEL)(0)
    mel = np.random.default_rng(0).standard_normal((8, 40), np.float32)
    with torch.inference_mode():
        thrice = stream._network(torch.from_numpy(np.tile(mel, 3))[None])[0, 0].cpu().numpy()
    assert stream._network.config.receptive_frames <= 40
    np.testing.assert_allclose(stream.loop(mel), thrice[640:1280], atol=1e-5)


def test_the_command_line_plays_through_it(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    its_mel = {"upsample_rates": [8, 8], "upsample_kernel_sizes": [16, 16], "n_fft": 256, "win_size": 256}
    folder = random_weights(tmp_path, TINY | its_mel | {"hop_size": 64})
    soundfile.write(tmp_path / "take.wav", 0.3 * np.sin(0.1 * np.arange(12000)), 8000)
    files = [str(tmp_path / name) for name in ("take.wav", "again.wav")]
    assert run(["vocode", *files, "--model", str(tiny_model), "--vocoder", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vocoder"] == f"BigVGAN in {folder}"
    again, rate = soundfile.read(files[1])
    assert (len(again), rate) == (12000, 8000)
    assert again.std() > 1e-3


def test_nothing_pushed_gives_nothing(folder: Path):
    assert BigVGANStream(network(TINY)).finish().size == 0


def test_another_mel_is_refused_with_both(folder: Path):
    with pytest.raises(InputError, match=r"n_fft 64, the model's is 128"):
        load_bigvgan(folder, MelConfig(sample_rate=8000, n_fft=128, hop_length=16, n_mels=8))


@pytest.mark.parametrize("spoilt", ["missing", "truncated", "other", "nan", "config"])
def test_what_is_not_whole_is_refused_by_name(folder: Path, spoilt: str):
    path = folder / "generator.safetensors"
    if spoilt == "missing":
        path.unlink()
    elif spoilt == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif spoilt == "other":
        save_file({"weight": torch.zeros(3)}, path)
    elif spoilt == "nan":
        weights = {name: value * torch.nan for name, value in network(TINY).state_dict().items()}
        save_file(weights, path)
    else:
        (folder / "config.json").write_text("{}")
    with pytest.raises(InputError, match="config.json" if spoilt == "config" else "safetensors"):
        load_bigvgan(folder, MEL)
