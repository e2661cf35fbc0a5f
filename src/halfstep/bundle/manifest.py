"""What a model folder says of itself: the members of model.json (model_json.py reads and writes it)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import halfstep
from halfstep.audio.mel import MelConfig
from halfstep.packing import PACKINGS, Packing

USUAL_STEPS = 4


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One thing a model was trained on."""

    title: str
    licence: str
    source: str
    minutes: float


@dataclass(frozen=True, kw_only=True)
class DenoiserFile:
    """The network that serves `steps` sampling steps."""

    steps: int
    file: str


@dataclass(frozen=True, kw_only=True)
class ComponentsFile:
    """What the packing `components` is fitted to: `count` directions of patches of `patch_frames` frames, in `file`."""

    file: str
    count: int
    patch_frames: int
    explained: float
    """Share of the training patches' variance that they hold."""


@dataclass(frozen=True, kw_only=True)
class VocoderFiles:
    """The learned vocoder: its two networks, the search for the bass, and the recordings it learned from."""

    prior: str
    refiner: str
    bass: str | None = None
    """None: its bass is the refiner's."""
    licence: str
    trained_on: tuple[Origin, ...]
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        return (self.prior, self.refiner, *(() if self.bass is None else (self.bass,)))


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """What a file of the folder must be, in lower-case hexadecimal and bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A model folder's model.json.

    The denoisers see [B, channels, length] and, if `context`, [B, aligned_channels, length] beside it.
    """

    id: str
    description: str
    licence: str
    """Of the model."""
    output_licence: str
    """Of the music it makes."""
    trained_on: tuple[Origin, ...]
    mel: MelConfig
    frames: int
    """Of one window."""
    packing: str
    band_mean: tuple[float, ...]
    band_std: tuple[float, ...]
    denoisers: tuple[DenoiserFile, ...]
    context: bool
    """Whether the denoisers see a mask and the known frames under it."""
    parameters: int
    components: ComponentsFile | None = None
    """Given with the packing "components", and with no other."""
    vocoder: VocoderFiles | None = None
    """None: waveforms come from Griffin-Lim."""
    measured: Mapping[str, Any] = field(default_factory=dict)
    """Quality and speed, as far as they were measured."""
    files: Mapping[str, FileEntry] = field(default_factory=dict)
    """Every file beside model.json; `write_manifest` fills it in."""
    made_with: str = f"halfstep {halfstep.__version__}"

    @property
    def packed(self) -> Packing:
        """The packing, where its name says it all; a folder's own is `ModelFolder.packing`."""
        return PACKINGS[self.packing]

    @property
    def planes(self) -> int:
        """Frames that share a position."""
        return self.packed.planes if self.components is None else self.components.patch_frames

    @property
    def channels(self) -> int:
        return self.planes * self.mel.n_mels if self.components is None else self.components.count

    @property
    def length(self) -> int:
        return self.frames // self.planes

    @property
    def aligned_channels(self) -> int:
        """The known window, packed, and its packed mask; 0 without context."""
        masks = self.planes if self.components is None else 1
        return self.channels + masks if self.context else 0

    @property
    def networks(self) -> tuple[str, ...]:
        """The files that hold a network."""
        vocoder = self.vocoder.files if self.vocoder else ()
        return (*(denoiser.file for denoiser in self.denoisers), *vocoder)

    @property
    def steps(self) -> tuple[int, ...]:
        """The numbers of steps it serves, fewest first."""
        return tuple(sorted(denoiser.steps for denoiser in self.denoisers))

    @property
    def default_steps(self) -> int:
        """Four, or the next number above that it serves, or else its largest."""
        return min((steps for steps in self.steps if steps >= USUAL_STEPS), default=self.steps[-1])

    @property
    def seconds(self) -> float:
        """Sound in one window."""
        return self.frames / self.mel.frames_per_second

    @property
    def bytes(self) -> int:
        """Of all files beside model.json."""
        return sum(entry.bytes for entry in self.files.values())
