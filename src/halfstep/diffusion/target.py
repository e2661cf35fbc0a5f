"""What one student step must predict to land where two teacher steps land. Pure arithmetic."""

import math

from halfstep.diffusion.rates import Signal


def step_angle(num_steps: int) -> float:
    """One of N equal steps, in radians: pi / 2N."""
    return math.pi / (2 * num_steps)


def two_step_target(v_first: Signal, v_second: Signal, z_t: Signal, step_angle: float) -> Signal:
    """The v for which ONE DDIM step over `step_angle` lands where the teacher's two half steps land.

    Args:
        v_first, v_second: teacher's v at z_t and at the half-way point, [batch, channels, length].
        step_angle: the student's step in radians, pi / 2N.

    Salimans & Ho 2022 (arXiv:2202.00512), Algorithm 2, rewritten as rotations; finite at both ends.
    """
    half = step_angle / 2
    return 0.5 * (v_first + v_second / math.cos(half) - math.tan(half) * z_t)
