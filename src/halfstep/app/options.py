"""Options that several commands have, and what a shell offers for them."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a machine to read.")]


def model_ids(incomplete: str) -> list[str]:
    """Ids of installed models that begin so."""
    from halfstep.bundle import installed

    return [manifest.id for manifest in installed() if manifest.id.startswith(incomplete)]


def preset_names(incomplete: str) -> list[str]:
    """Presets that begin so; none without the making half."""
    try:
        from halfstep.runs.presets import PRESETS
    except ImportError:
        return []
    return [name for name in PRESETS if name.startswith(incomplete)]
