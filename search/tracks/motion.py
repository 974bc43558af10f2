"""The motion of a camera along a route: at a speed that lasts for a while, either way, or none.

A speed is in places a frame. Each speed has a small table of the probabilities of its steps, so
that half a place a frame is a step every other frame.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SPEEDS = (
    -4.0,
    -3.0,
    -2.0,
    -1.5,
    -1.0,
    -0.75,
    -0.5,
    -0.25,
    0.0,
    0.25,
    0.5,
    0.75,
    1.0,
    1.5,
    2.0,
    3.0,
    4.0,
)
LONGEST = 5
"""The largest step, in places."""
_SAME_SPEED = 0.97
"""The probability that the speed is that of the frame before."""
_NEARBY = 0.7
"""The share of changes to the next higher or lower speed; the other changes are to any speed."""
_SLIP = 0.05
"""The probability of a step that is one place shorter or longer than the speed allows."""

Floats = NDArray[np.float64]


class Motion(NamedTuple):
    """Probabilities: `changes` (M, M) from a speed (row) to a speed (column), and `steps`.

    `steps` (M, 2 · LONGEST + 1) are those of the steps from -LONGEST to LONGEST at each speed.
    """

    changes: Floats
    steps: Floats


def motion_with(speeds: Floats) -> Motion:
    """The motion of a camera with the probabilities `speeds` (M,) of `SPEEDS`, of sum 1."""
    return Motion(_changes(speeds), np.stack([_steps(speed) for speed in SPEEDS]))


def _changes(speeds: Floats) -> Floats:
    count = len(SPEEDS)
    near = np.zeros((count, count))
    for slow, fast in pairwise(range(count)):
        near[slow, fast], near[fast, slow] = speeds[fast], speeds[slow]
    near += 1e-12
    near /= near.sum(axis=1, keepdims=True)
    changes = (1 - _SAME_SPEED) * (_NEARBY * near + (1 - _NEARBY) * speeds)
    changes[np.diag_indices(count)] += _SAME_SPEED
    return changes


def _steps(speed: float) -> Floats:
    """Probabilities of the steps from -LONGEST to LONGEST at a speed."""
    low = int(np.floor(speed))
    part = speed - low
    chances = {low: 1 - part, low + 1: part}
    outer = (low - 1, low + 1) if part == 0 else (low, low + 1)
    table = np.zeros(2 * LONGEST + 1)
    for step, chance in chances.items():
        if chance:
            table[step + LONGEST] += (1 - 2 * _SLIP) * chance
    for step in outer:
        table[step + LONGEST] += _SLIP
    return table
