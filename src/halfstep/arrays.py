"""The array types of public signatures: `Float[np.ndarray, "bands frames"]` says a kind of number and a shape.

To a type checker, and while the program runs, they are `typing.Annotated`: the array's own type with a note for
readers. Where jaxtyping is loaded first, as pytest does it for the tests, they are jaxtyping's, and kinds and shapes
are checked (tests/support/checked_shapes.py says how often): an axis has one length in all that one call takes and
gives. `*batch` stands for any number of axes, `...` for axes that nothing else names, `#shape` may be 1 and broadcast.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or "jaxtyping" not in sys.modules:
    from typing import Annotated as Bool
    from typing import Annotated as Complex
    from typing import Annotated as Complex64
    from typing import Annotated as Complex128
    from typing import Annotated as Float
    from typing import Annotated as Float32
    from typing import Annotated as Float64
    from typing import Annotated as Int
    from typing import Annotated as Int8
    from typing import Annotated as Int16
    from typing import Annotated as Int64
    from typing import Annotated as Num
    from typing import Annotated as Shaped
    from typing import Annotated as UInt8
else:
    from jaxtyping import (
        Bool,
        Complex,
        Complex64,
        Complex128,
        Float,
        Float32,
        Float64,
        Int,
        Int8,
        Int16,
        Int64,
        Num,
        Shaped,
        UInt8,
    )

__all__ = [
    "Bool",
    "Complex",
    "Complex64",
    "Complex128",
    "Float",
    "Float32",
    "Float64",
    "Int",
    "Int8",
    "Int16",
    "Int64",
    "Num",
    "Shaped",
    "UInt8",
]
