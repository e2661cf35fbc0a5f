"""What a network is given besides z_t."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from torch import Tensor

from halfstep.arrays import Float


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Three optional parts.

    aligned: [B, C, L] on the time grid of x, concatenated to z_t (mask and context, a mel, a low band).
    pooled: [B, D], one vector a clip that modulates every block (a class, a style); None is the same as 0.
    tokens: [B, S, D], attended to (text).
    """

    aligned: Float[Tensor, "batch aligned length"] | None = None
    pooled: Float[Tensor, "batch features"] | None = None
    tokens: Float[Tensor, "batch tokens token_features"] | None = None

    def changed(self, change: Callable[[Float[Tensor, "..."]], Float[Tensor, "..."]]) -> "Condition":
        """With every part changed that there is."""
        parts: dict[str, Float[Tensor, "..."] | None] = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(self, **{name: change(part) for name, part in parts.items() if part is not None})
