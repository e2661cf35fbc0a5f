"""Where the project lives is known to whoever builds it: PROJECT_URL becomes the package's addresses and links.

Without PROJECT_URL the package names none, and README keeps its relative links: no address here can go stale.
"""

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Addresses(MetadataHookInterface):
    """[project.urls] and the readme, both dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        home = os.environ.get("PROJECT_URL", "").rstrip("/")
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, home) if home else text}
        metadata["urls"] = addresses(home) if home else {}


def addresses(home: str) -> dict[str, str]:
    """The names by which package indexes show them."""
    return {
        "Homepage": home,
        "Source": home,
        "Changelog": f"{home}/blob/main/CHANGELOG.md",
        "Documentation": f"{home}/blob/main/docs/index.md",
        "Issues": f"{home}/issues",
    }


def absolute(text: str, home: str) -> str:
    """Markdown whose relative links lead to the repository, and its pictures to the files themselves."""
    text = re.sub(r"(!\[[^\]]*\]\()(?![a-z]+:|#)", rf"\g<1>{home}/raw/main/", text)
    return re.sub(r"((?<!!)\[[^\]]*\]\()(?![a-z]+:|#)", rf"\g<1>{home}/blob/main/", text)
