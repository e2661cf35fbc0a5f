"""The face of the task: its settings, networks and observer. Nothing plays or judges its models."""

from pathlib import Path

from halfstep.audio.mel import MelConfig
from halfstep.data.dataset import Library
from halfstep.data.stores import WAVEFORM
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.tasks.contract import Kind
from halfstep.tasks.diffusion_vocoder.observer import DiffusionVocoderObserver
from halfstep.tasks.diffusion_vocoder.task import DiffusionVocoder, DiffusionVocoderConfig


def build_diffusion_vocoder(
    config: DiffusionVocoderConfig, mel: MelConfig, library: Library, folder: Path
) -> DiffusionVocoder:
    """The task, which is given the bands of its data set."""
    return DiffusionVocoder(config, mel, (library.band_mean, library.band_std))


KIND = Kind(
    name="diffusion_vocoder",
    config=DiffusionVocoderConfig,
    nets=(UNet1dConfig,),
    stores=WAVEFORM,
    build=build_diffusion_vocoder,
    observer=DiffusionVocoderObserver,
)
