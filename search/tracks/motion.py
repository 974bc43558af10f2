"""How a camera moves along a route: at speeds that it keeps for a while, either way, or not at all.

A speed is in places a frame. Each leads some places on, with the probabilities of a small table,
so that half a place a frame is a step every other frame.
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
"""Places that a step leads on at most."""
_KEPT = 0.97
"""How probable it is that a speed is that of the frame before."""
_NEARBY = 0.7
"""The share of changes that lead to the next higher or lower speed; the others to any."""
_SLIP = 0.05
"""How probable a step is that is one place shorter or longer than the speed allows."""

Floats = NDArray[np.float64]


class Motion(NamedTuple):
    """`changes` (M, M): from a speed (row) to one (column); `steps` (M, 2 · LONGEST + 1)."""

    changes: Floats
    steps: Floats


def motion_with(speeds: Floats) -> Motion:
    """The motion of a camera that has each of `SPEEDS` so often: (M,), of sum 1."""
    return Motion(_changes(speeds), np.stack([_steps(speed) for speed in SPEEDS]))


def _changes(speeds: Floats) -> Floats:
    count = len(SPEEDS)
    near = np.zeros((count, count))
    for slow, fast in pairwise(range(count)):
        near[slow, fast], near[fast, slow] = speeds[fast], speeds[slow]
    near += 1e-12
    near /= near.sum(axis=1, keepdims=True)
    changes = (1 - _KEPT) * (_NEARBY * near + (1 - _NEARBY) * speeds)
    changes[np.diag_indices(count)] += _KEPT
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
