"""What is elsewhere: addresses instead of paths, and the folder of this machine where what is fetched is kept."""

import os
from pathlib import Path

HUB = "hf://"
CACHE_VARIABLE = "HALFSTEP_CACHE"


def is_address(name: object) -> bool:
    """Whether it names something elsewhere: hf://, https://, s3://, zip:: and the like."""
    return isinstance(name, str) and ("://" in name or "::" in name)


def cache_folder() -> Path:
    """Where fetched models are kept: HALFSTEP_CACHE, or `halfstep` in the user's cache folder."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    usual = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(usual) if usual else Path.home() / ".cache") / "halfstep"
