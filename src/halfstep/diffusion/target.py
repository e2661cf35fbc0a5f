"""What one student step must predict to land where two teacher steps land. Pure arithmetic."""

import math
from typing import NamedTuple

import numpy as np

from halfstep.diffusion.rates import Factor, Signal


def step_angle(num_steps: int) -> float:
    """One of N equal steps, in radians: pi / 2N. So long are the steps of the cosine schedule."""
    return math.pi / (2 * num_steps)


class TwoStepWeights(NamedTuple):
    """How much of v at z_t, of v at the point between, and of z_t itself (taken away): floats, or arrays like t."""

    first: Factor
    second: Factor
    z_t: Factor


def two_step_weights(first: Factor, second: Factor) -> TwoStepWeights:
    """Of the target of one step over two that turn by the angles `first` and `second`, in radians.

    Two steps are rotations by v_1 and v_2; set equal to one rotation by first + second and solved for its v.
    """
    whole = np.sin(first + second)
    weights = np.sin(first) * np.cos(second) / whole, np.sin(second) / whole, np.sin(first) * np.sin(second) / whole
    return TwoStepWeights(*(weight if np.ndim(weight) else float(weight) for weight in weights))


def two_step_target(v_first: Signal, v_second: Signal, z_t: Signal, weights: TwoStepWeights) -> Signal:
    """The v for which ONE DDIM step lands where the teacher's two steps land.

    Args:
        v_first, v_second: teacher's v at z_t and at the point between, [batch, channels, length].
        weights: `two_step_weights` of the teacher's two angles. Where they are equal, as under the cosine schedule,
            the target is 1/2 (v_first + v_second / cos h - tan h z_t) with h the angle of one.

    Salimans & Ho 2022 (arXiv:2202.00512), Algorithm 2, rewritten as rotations; finite at both ends.
    """
    return weights.first * v_first + weights.second * v_second - weights.z_t * z_t
