"""What a model folder says of itself: the members of model.json (model_json.py reads and writes it)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import halfstep
from halfstep.audio.chroma import KEYS
from halfstep.audio.guide import CHORDS, GUIDES, NO_GUIDE, RHYTHM, guide_rows
from halfstep.audio.mel import MelConfig
from halfstep.audio.onsets import FASTEST_BPM, SLOWEST_BPM
from halfstep.conditioning import (
    DENSITY,
    KEY,
    TEMPO,
    ChordsCondition,
    Conditions,
    GuidedCondition,
    LabelCondition,
    NamedCondition,
    NumberCondition,
)
from halfstep.diffusion.process import DDIM, LEARNED, Process, Sampling
from halfstep.packing import PACKINGS, Packing

USUAL_STEPS = 4
MOST_STREAMED = 64
"""Steps of an undistilled network whose endless music is judged: with DDPM's thousand it would take days."""
BY_STROKES = (
    NumberCondition(name=TEMPO, values=(SLOWEST_BPM, FASTEST_BPM), unit="BPM"),
    NumberCondition(name=DENSITY, values=(0.5, 8.0), unit="onsets a second"),
)
"""What every model obeys that follows a rhythm: strokes lead it (`generation.strokes`)."""
DRAWN = ((), (KEY,), (KEY, TEMPO))
"""Of what leads it, what a model's new music can draw from its seed."""
FREE = "free"
"""In place of a key: nothing is drawn or planned, of a model that draws a key where none is asked for, or plans."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One thing a model was trained on."""

    title: str
    licence: str
    source: str
    minutes: float


@dataclass(frozen=True, kw_only=True)
class DenoiserFile:
    """The network that serves `steps` sampling steps; one that was never distilled, any other number as well."""

    steps: int
    file: str
    most_steps: int | None = None
    """None: distilled, for `steps` steps of DDIM. Else it serves any number up to this, `steps` where none is said."""
    sampler: str = DDIM
    """How it is sampled unless another way is asked for: see `Sampling`. A distilled network has another respacing at
    most: it may jump at the end."""
    respacing: str = "trailing"
    variance: str = "posterior"
    change: str | None = None
    """None: the network is `file` itself. Else this file holds its difference from that, see `low_rank`."""

    @property
    def files(self) -> tuple[str, ...]:
        """What it is made of."""
        return (self.file,) if self.change is None else (self.file, self.change)

    def serves(self, steps: int) -> bool:
        return steps == self.steps or (self.most_steps is not None and 1 <= steps <= self.most_steps)

    @property
    def learned_variance(self) -> bool:
        """Whether the network gives the fraction of its reverse variance beside v."""
        return self.variance == LEARNED


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
    measured: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def files(self) -> tuple[str, ...]:
        return (self.prior, self.refiner, *(() if self.bass is None else (self.bass,)))


@dataclass(frozen=True, kw_only=True)
class PlanFile:
    """The network that plans what new music follows: windows of `frames` frames of the values of the model's guide
    (`audio.guide.to_plan`), of mean and deviation `mean` and `std`, packed by name.
    """

    denoiser: DenoiserFile
    """Sampled in its own number of steps."""
    frames: int
    packing: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    parameters: int
    process: Process = field(default_factory=Process)
    conditions: tuple[NamedCondition, ...] = ()
    """What a plan can be asked for: some of what the music can."""


@dataclass(frozen=True, kw_only=True)
class Stationary:
    """By how much the network exaggerates its context, to be taken back of a stream's windows: see
    `generation.stationary`, in standardised units of a band. `recipes/models/stationary.py` measures it.
    """

    pull: float
    """Of the shape of the context's long-term spectrum, smoothed over bands: what its next window has too much of."""
    detail: float
    """Of the rest of that spectrum, which bands stand out: the same."""
    bias: float
    """What every window has too much."""
    contrast: float
    """How much more its frames should differ from their long-term spectrum, as a factor."""


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """What a file of the folder must be, in lower-case hexadecimal and bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A model folder's model.json.

    The denoisers see [B, channels, length] and, of a context or a guide, [B, aligned_channels, length] beside it; with
    conditions, [B, asks.width] as well.
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
    process: Process = field(default_factory=Process)
    """What it was trained under."""
    components: ComponentsFile | None = None
    """Given with the packing "components", and with no other."""
    conditions: tuple[NamedCondition, ...] = ()
    """What it can be asked for; with any, the denoisers see a vector of their weights besides."""
    guide: str = NO_GUIDE
    """What its music can follow, a key of `audio.guide.GUIDES`."""
    drawn: tuple[str, ...] = ()
    """One of DRAWN: what new music draws where none is asked for."""
    beatless: tuple[str, ...] = ()
    """Labels of its conditions for which no tempo is drawn: kinds of music without a beat."""
    plan: PlanFile | None = None
    """None: new music follows nothing, or what `drawn` says."""
    unplanned: tuple[str, ...] = ()
    """Labels of its conditions whose music follows no plan, but what `drawn` says."""
    stationary: Stationary | None = None
    """None: streams are as the network gives them."""
    vocoder: VocoderFiles | None = None
    """None: waveforms come from Griffin-Lim."""
    measured: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Quality and speed, as far as they were measured."""
    files: Mapping[str, FileEntry] = field(default_factory=dict[str, FileEntry])
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
        return self.planes * self.mel.rows if self.components is None else self.components.count

    @property
    def length(self) -> int:
        return self.frames // self.planes

    @property
    def aligned_channels(self) -> int:
        """The known window, packed, and its packed mask, where there is context; then the guide, packed."""
        masks = self.planes if self.components is None else 1
        return (self.channels + masks if self.context else 0) + guide_rows(self.guide) * masks

    @property
    def asks(self) -> Conditions:
        """What it can be asked for, as its networks see it; of one that follows a rhythm a tempo too, and a density; of
        one that follows chords a key, or chords.
        """
        named, follows = Conditions(self.conditions), GUIDES[self.guide]
        guided: tuple[GuidedCondition, ...] = BY_STROKES if RHYTHM in follows else ()
        key = LabelCondition(name=KEY, values=(*KEYS, FREE) if KEY in self.drawn or self.plan else KEYS)
        guided = (*guided, key, ChordsCondition()) if CHORDS in follows else guided
        return replace(named, guided=tuple(one for one in guided if not named.has(one.name)))

    @property
    def planner(self) -> "Manifest | None":
        """Of the model's plan, as of a model whose bands are the values of the guide; None where there is none."""
        plan = self.plan
        if plan is None:
            return None
        return replace(
            self, mel=replace(self.mel, n_mels=len(plan.mean), image_bands=0), frames=plan.frames, packing=plan.packing,
            components=None, band_mean=plan.mean, band_std=plan.std, denoisers=(plan.denoiser,), context=True,
            parameters=plan.parameters, process=plan.process, conditions=plan.conditions, guide=NO_GUIDE, drawn=(),
            beatless=(), plan=None, unplanned=(), stationary=None, vocoder=None, measured={},
        )  # fmt: skip

    @property
    def labels(self) -> tuple[str, ...]:
        """The values that the networks' conditions weigh, in the order of their vector."""
        return tuple(str(value) for one in self.conditions for value in one.values)

    def can_draw(self, names: tuple[str, ...]) -> bool:
        """Whether its new music could draw them from its seed: nothing, a key, or a key and a tempo, that lead it."""
        return names in DRAWN and {one.name for one in self.asks.guided}.issuperset(names)

    def asks_tempo_of_bars(self, guided: bool) -> bool:
        """Whether music in bars is asked for at their tempo: it can be, and no guide brings a tempo of its own."""
        leads = any(one.name == TEMPO for one in self.asks.guided)
        return self.asks.has(TEMPO) and not (guided and leads)

    def denoiser(self, steps: int) -> DenoiserFile | None:
        """The network for so many steps: the one distilled for them, or else one that serves any number."""
        serving = [denoiser for denoiser in self.denoisers if denoiser.serves(steps)]
        return min(serving, key=lambda denoiser: denoiser.most_steps is not None, default=None)

    def sampling(self, denoiser: DenoiserFile) -> Sampling:
        """How a network of this model is sampled."""
        return Sampling(
            process=self.process, sampler=denoiser.sampler, respacing=denoiser.respacing, variance=denoiser.variance
        )

    @property
    def serving(self) -> str:
        """The numbers of steps it serves, in words."""
        most = max((denoiser.most_steps or 0 for denoiser in self.denoisers), default=0)
        numbers = [str(steps) for steps in self.steps if steps > most]
        return ", ".join([*([f"any number from 1 to {most}"] if most else []), *numbers])

    @property
    def networks(self) -> tuple[str, ...]:
        """The files that hold a network, or the change of one."""
        vocoder = self.vocoder.files if self.vocoder else ()
        denoisers = (*self.denoisers, *(() if self.plan is None else (self.plan.denoiser,)))
        return (*(name for denoiser in denoisers for name in denoiser.files), *vocoder)

    @property
    def steps(self) -> tuple[int, ...]:
        """The numbers of steps that its networks were made for, fewest first."""
        return tuple(sorted(denoiser.steps for denoiser in self.denoisers))

    @property
    def streamed(self) -> tuple[int, ...]:
        """The numbers of steps that endless music is judged at: the distilled ones, or all that are not too many."""
        distilled = tuple(sorted(one.steps for one in self.denoisers if one.most_steps is None))
        return distilled or tuple(steps for steps in self.steps if steps <= MOST_STREAMED)

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
