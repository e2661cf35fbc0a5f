"""Inception score: are single answers sure, and all together varied? (Salimans et al. 2016, for pitch, instrument)"""

import numpy as np

from halfstep.arrays import Float, Float64, Num


def inception_score(probabilities: Float[np.ndarray, "..."], counts: Num[np.ndarray, "n"] | None = None) -> float:
    """exp E KL(p(y|x) || p(y)) of rows [n, classes] that each sum to 1: 1 to the number of classes.

    One expectation over all rows, not a mean over parts of them. Row i counts counts[i] times, once if None. Biased
    downwards for few rows. ValueError for rows that are no probabilities.
    """
    rows = np.asarray(probabilities, np.float64)
    if rows.ndim != 2 or not len(rows) or (rows < 0).any() or not np.allclose(rows.sum(1), 1, atol=1e-4):
        raise ValueError(f"rows of shape {rows.shape} that are no probabilities: non-negative with the sum 1 expected")
    weights = np.full(len(rows), 1 / len(rows)) if counts is None else counts / counts.sum()
    marginal = np.broadcast_to(weights @ rows, rows.shape)
    logs = np.zeros_like(rows)  # 0 log 0 is 0
    np.log(rows / np.where(marginal > 0, marginal, 1), out=logs, where=rows > 0)
    return float(np.exp(weights @ (rows * logs).sum(1)))


def probabilities(logits: Float[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Softmax over the last axis, float64."""
    shifted = np.asarray(logits, np.float64) - logits.max(-1, keepdims=True)
    odds = np.exp(shifted)
    return odds / odds.sum(-1, keepdims=True)
