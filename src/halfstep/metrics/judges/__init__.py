"""Networks that judge music: what they hear, how they are asked. Whence they come: docs/decisions/0011-judges.md."""

from pathlib import Path

FOLDER = Path(__file__).parent
"""Where their files are."""
