"""What was asked of a model beside what is obtained: the same pieces with it and with nothing asked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.guide import CHORDS, GUIDES, RHYTHM
from halfstep.audio.image import mid_of
from halfstep.conditioning import LabelCondition
from halfstep.generation.guiding import sound_of
from halfstep.generation.model import Model
from halfstep.generation.requests import Piece
from halfstep.metrics.obtained import LABELS, NUMBERS
from halfstep.metrics.structure import contour_correlation, onset_correlation

SECONDS, PIECES = 12.0, 6
FOLLOWED = {CHORDS: contour_correlation, RHYTHM: onset_correlation}
"""Kind of a guide -> how much of it two recordings share, judged on their sound."""
Pieces = list[Float32[np.ndarray, "samples"]]


def obeying(model: Model, asked: Mapping[str, str], guide: Path | None, seed: int) -> list[dict[str, Any]]:
    """For each control, and each kind of the model's guide where one is given: what was asked, and what is obtained of
    PIECES pieces of SECONDS from `seed` on, with all of it asked and with nothing. Of a number the median of those that
    are known, of a label the share of pieces that have the most asked one, of a guide the median correlation with its
    sound over time; None where nothing is known, or no judge knows the control. InputError as for `guide_for`.
    """
    if guide is None and not any(name in NUMBERS or name in LABELS for name in asked):
        return [_row(model, name, text, None, None) for name, text in asked.items()]
    made, plain, rate = _pieces(model, asked, seed, guide), _pieces(model, {}, seed), model.sample_rate
    rows = [
        _row(model, name, text, *(_obtained(model, name, text, one, rate) for one in (made, plain)))
        for name, text in asked.items()
    ]
    return rows + ([] if guide is None else _following(model, guide, made, plain))


def _following(model: Model, guide: Path, made: Pieces, plain: Pieces) -> list[dict[str, Any]]:
    rate, samples = model.sample_rate, round(SECONDS * model.sample_rate)
    wanted = np.resize(sound_of(guide, rate), samples)  # beyond its end it begins again
    kinds = [kind for kind in GUIDES[model.manifest.guide] if kind in FOLLOWED]
    return [
        {
            "control": f"guide: {kind}", "asked": guide.name, "unit": "correlation with it", "pieces": PIECES,
            **{
                name: _median([FOLLOWED[kind](wanted, one[:samples], rate) for one in pieces])
                for name, pieces in (("obtained", made), ("nothing_asked", plain))
            },
        }
        for kind in kinds
    ]  # fmt: skip


def _median(values: list[float]) -> float | None:
    known = [one for one in values if np.isfinite(one)]
    return float(np.median(known)) if known else None


def _pieces(model: Model, asked: Mapping[str, str], seed: int, guide: Path | None = None) -> Pieces:
    pieces = (Piece(seconds=SECONDS, seed=seed + k, asked=asked, guide=guide) for k in range(PIECES))
    made = (model.play(piece).samples for piece in pieces)
    return [one[0] if len(one) == 1 else mid_of(one) for one in made]


def _obtained(model: Model, name: str, text: str, pieces: Pieces, rate: int) -> float | None:
    if name in NUMBERS:
        return _median([NUMBERS[name](one, rate) for one in pieces])
    condition = model.manifest.asks.condition(name, model.manifest.id)
    if name not in LABELS or not isinstance(condition, LabelCondition):
        return None
    most = condition.values[int(condition.weights(text).argmax())]
    return float(np.mean([LABELS[name](one, rate) == most for one in pieces]))


def _row(model: Model, name: str, text: str, obtained: float | None, plain: float | None) -> dict[str, Any]:
    condition = model.manifest.asks.condition(name, model.manifest.id)
    unit = "share of pieces" if isinstance(condition, LabelCondition) else condition.unit
    return {
        "control": name, "asked": text, "obtained": obtained, "nothing_asked": plain, "unit": unit, "pieces": PIECES,
    }  # fmt: skip
