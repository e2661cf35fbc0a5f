"""Which tracks are held out: by a hash of the group's name, so that a track keeps its side as others come."""

import hashlib
import os
from collections.abc import Iterable


def hash_share(group: str) -> float:
    """A number in [0, 1) that only the name decides."""
    return int.from_bytes(hashlib.sha256(os.fsencode(group)).digest()[:6], "big") / 2**48


def heldout_groups(groups: set[str], share: float) -> set[str]:
    """The groups that are kept from training: those whose hash falls below `share`.

    So a group's side does not depend on the others, at the price of a share that is met only on average.
    Where it leaves one side empty, though there are two groups, the group nearest to the border changes over.
    """
    if share == 0 or len(groups) < 2:
        return set()
    ranked = sorted(groups, key=lambda group: (hash_share(group), group))
    below = sum(hash_share(group) < share for group in ranked)
    return set(ranked[: min(max(below, 1), len(ranked) - 1)])


def held_end(frames: int, share: float, window: int) -> int:
    """Frames at the end of the one recording there is that are kept from training: a share, and a window at least.

    0 where that leaves no window to learn from, or nothing is to be held out.
    """
    held = max(window, round(share * frames)) if share else 0
    return held if frames - held >= window else 0


def linked_groups(groups: set[str], links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Each group -> the first by name of all that links join it to, directly or not."""
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            group = parent[group]
        return group

    for a, b in links:
        first, second = sorted((root(a), root(b)))
        parent[second] = first
    return {group: root(group) for group in groups}
