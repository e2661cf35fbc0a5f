"""Options that several commands have, and what a shell offers for them."""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from halfstep.cluster.ray_cluster import Cluster

Style = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[:WEIGHT],...",
        help="Of a model that has styles (`halfstep models`); NAME..NAME drifts from one to the other.",
    ),
]
Like = Annotated[
    Path | None,
    typer.Option(metavar="AUDIO", help="Instead of --style: the mixture of styles that this recording sounds like."),
]
Controls = Annotated[
    list[str] | None,
    typer.Option(
        "--control", metavar="NAME=VALUE", help="Whatever else the model can be asked for; may be given again."
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="C, Am, Eb ..., of a model that knows keys or is led to them; free: none, where it draws one.",
    ),
]
Chords = Annotated[
    str | None,
    typer.Option(metavar="'Am F C G'", help="One after the other and again, of a model that follows chords."),
]
Density = Annotated[
    str | None, typer.Option(metavar="NUMBER", help="Onsets a second, of a model that knows them; A..B drifts.")
]
LoudnessLike = Annotated[
    str | None,
    typer.Option(metavar="LUFS", help="Music that is played as loud as that, of a model that knows it; A..B drifts."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a machine to read.")]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="[ADDRESS]",
        help="Work on a Ray cluster: host:port, auto for the one this machine is part of; "
        "without an address, on this machine alone.",
    ),
]
PRESET_NAMES = (
    "tiny", "base", "long", "flagship", "plan", "vocoder", "vocoder-bands", "vocoder-diffusion",
    "paper-ddpm-unet2d", "paper-pdd-unet1d", "paper-pdd-fold",
)  # fmt: skip
PRESET_GROUP = "halfstep.presets"
"""Both as `runs/presets.py` has them, which imports torch: a shell asks at every Tab."""
RAY = "--ray"
ADDRESS = re.compile(r"auto|local|(ray://)?[\w.-]+:\d+|(ray://)?\[[0-9a-fA-F:]+\]:\d+")


def with_address(words: list[str]) -> list[str]:
    """The command line with an address after every --ray that has none: that of this machine alone."""
    said: list[str] = []
    for place, word in enumerate(words):
        said.append(word)
        if word == RAY and not ADDRESS.fullmatch(" ".join(words[place + 1 : place + 2])):
            said.append("local")
    return said


def model_ids(incomplete: str) -> list[str]:
    """Ids of installed models that begin so."""
    from halfstep.bundle import installed

    return [manifest.id for manifest in installed() if manifest.id.startswith(incomplete)]


def preset_names(incomplete: str) -> list[str]:
    """Presets that begin so, those of other packages too; the making half need not be there to name them."""
    from importlib.metadata import entry_points

    others = sorted({entry.name for entry in entry_points(group=PRESET_GROUP)})
    return [name for name in (*PRESET_NAMES, *others) if name.startswith(incomplete)]


@contextmanager
def joined(address: str | None) -> "Generator[Cluster | None, None, None]":
    """The cluster at `address` while the block runs; None where none is asked for."""
    if address is None:
        yield None
        return
    from halfstep.cluster.ray_cluster import Cluster

    with Cluster(address) as cluster:
        yield cluster


def style_like(like: Path | None, style: str | None, model: str | None) -> str | None:
    """What --style asks for, or else the mixture that --like sounds like, as text. InputError for both, and where the
    model has no styles, or does not know what they sound like.
    """
    from halfstep.errors import InputError

    if like is None:
        return style
    if style is not None:
        raise InputError("--like and --style: both say which style; leave one of them out")
    import halfstep
    from halfstep.app.failures import OPTIONS
    from halfstep.app.run_folders import as_model
    from halfstep.errors import NamedError

    loaded = halfstep.load(as_model(model))
    try:
        shares = loaded.like(like)
    except NamedError as error:
        raise InputError(error.named(OPTIONS | {"style": "--like"})) from error
    return mixture_text(shares)


def mixture_text(shares: Mapping[str, float]) -> str:
    """A mixture of labels as it is asked for."""
    return ",".join(f"{label}:{share:g}" for label, share in shares.items())


def asked_for(controls: list[str] | None, **named: str | None) -> Mapping[str, Any]:
    """What --control and the options that are named after a condition ask for together. InputError for one that is
    no NAME=VALUE, or given twice.
    """
    from halfstep.errors import InputError

    asked = {name: value for name, value in named.items() if value is not None}
    for control in controls or ():
        name, given, value = control.partition("=")
        name = name.strip().replace("-", "_")
        if not given or not name:
            raise InputError(f"--control {control}: NAME=VALUE was expected")
        if name in asked:
            raise InputError(f"--control {control}: {name} is given twice; leave one of them out")
        asked[name] = value
    return asked
