"""The face of the task: its settings, networks, observer and exporter."""

from functools import partial
from pathlib import Path

import numpy as np

from halfstep.arrays import Float, Float32
from halfstep.audio.guide import GUIDE_KINDS, NO_GUIDE, measured_guide
from halfstep.audio.mel import MelConfig
from halfstep.data.carried import fitted
from halfstep.data.dataset import Library
from halfstep.data.guides import check_holds_chords
from halfstep.data.stores import LOG_MEL
from halfstep.errors import InputError, NamedError
from halfstep.fields import open_regular
from halfstep.nets.paper_unet1d import PaperUNet1dConfig
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.nets.unet2d import UNet2dConfig
from halfstep.packing import (
    COMPONENTS_FILE,
    MOST_COMPONENT_BYTES,
    PACKINGS,
    Components,
    joined_components,
    read_components,
    write_components,
)
from halfstep.tasks.contract import Kind
from halfstep.tasks.music.export import export_music
from halfstep.tasks.music.observer import MusicObserver
from halfstep.tasks.music.task import Music, MusicConfig


def build_music(config: MusicConfig, mel: MelConfig, library: Library, folder: Path) -> Music:
    """The task of a run in `folder`, whose packing may have to be fitted first."""
    if not config.fitted and (bands := PACKINGS[config.packing].bands) is not None:
        try:
            bands(mel.rows)
        except ValueError as fault:
            raise InputError(f"{library.path}: {fault}; prepare it with another number of mel.image_bands") from None
    check_holds_chords(config.guide, mel, library, KIND.name)
    measure = None if config.guide == NO_GUIDE else partial(_guide, config.guide, library)
    return Music(config, _components(config, mel, library, folder) if config.fitted else None, mel.rows, measure)


def _guide(guide: str, library: Library, clip: Float[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "rows frames"]:
    """Of a standardised window [rows, frames]; the image below its bands says nothing of it."""
    mel = library.mel
    bands = (clip * library.band_std[:, None] + library.band_mean[:, None])[: mel.n_mels]
    return measured_guide(guide, dict.fromkeys(GUIDE_KINDS, bands), mel)


def _components(config: MusicConfig, mel: MelConfig, library: Library, folder: Path) -> Components:
    """What the packing is fitted to: from the run's folder, or else fitted to the training split and kept there. Those
    of bands alone, from a start, are kept with as many of the image below them as the settings say more.
    """
    path, planes = folder / COMPONENTS_FILE, config.patch_frames
    if path.exists():
        with open_regular(path) as file:
            components = read_components(file.read(MOST_COMPONENT_BYTES), str(path))
        wanted, more = (config.components, planes * mel.rows), config.components - components.count
        if components.matrix.shape == wanted:
            return components
        if not mel.image_bands or components.matrix.shape[1] != planes * mel.n_mels:
            raise InputError(f"{path}: is {components.matrix.shape}, the settings say {wanted}; give those it is from")
        if more < 1:
            raise NamedError(
                f"{{settings}} music.components is {config.components}: the start has {components.count} of one "
                f"channel; give more, 24 perhaps, for the image of two, and another {{out}}"
            )
        image = fitted(library, planes, more, slice(mel.n_mels, mel.rows))
        components = joined_components(components, image, planes)
    else:
        components = fitted(library, planes, config.components)
    if folder.is_dir():
        write_components(path, components)
    return components


KIND = Kind(
    name="music",
    config=MusicConfig,
    nets=(UNet1dConfig, PaperUNet1dConfig, UNet2dConfig),
    stores=LOG_MEL,
    build=build_music,
    observer=MusicObserver,
    export=export_music,
)
