"""What one frame says of where it was taken: how much its similarities stand out.

A night's similarities are lower than a day's at the right place too. So they are counted in
deviations from those of places at large, and a line through those numbers gives the logarithm of
the odds that a place is the right one. Places that are not listed are held to be usual ones.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SLOPE = 1.0
OFFSET = -2.0
CEILING = 20.0
"""No single frame may say more."""
FLOOR = OFFSET
"""What is said of a place that is as similar as places are at large, or that is not listed."""
_MOVING, _STILL = 0.85, 0.95
"""Similarities of consecutive frames up to which the camera moves, and from which it stands."""
_MAD = 1.4826
"""The standard deviation of normal numbers whose median absolute deviation is 1."""
ENOUGH = 10
"""Fewer similarities tell too little of how much they vary: others count as seen, up to so many."""
_UNSEEN = 0.038
"""The deviation of those, as in large indexes of a frame of elsewhere."""


class Evidence(NamedTuple):
    """Log-odds (n,) float64 of places, by their ascending coordinates (n,) on the routes.

    `floor` are those of all other places. `weight`, 0–1, is how much of that the frame before has
    not said already; `still`, 0–1, how sure it is that the camera has not moved since then.
    """

    coordinates: NDArray[np.int64]
    odds: NDArray[np.float64]
    floor: float
    weight: float = 1.0
    still: float = 0.0


SILENCE = Evidence(np.empty(0, np.int64), np.empty(0), 0.0)
"""What a frame says that cannot be read."""


def standing_out(
    similarities: NDArray[np.floating], usual: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Similarities in robust standard deviations from the `usual` ones of the same frame."""
    middle = float(np.median(usual))
    spread = _MAD * float(np.median(np.abs(usual - middle)))
    if len(usual) < ENOUGH:  # of three or five the median deviation may be next to nothing
        unseen = 1 - len(usual) / ENOUGH
        spread = math.sqrt((1 - unseen) * spread**2 + unseen * _UNSEEN**2)
    return np.asarray((similarities - middle) / max(spread, 1e-6), np.float64)


def evidence_of(
    coordinates: NDArray[np.int64],
    similarities: NDArray[np.floating],
    usual: NDArray[np.floating],
    like_before: float = 0.0,
) -> Evidence:
    """The evidence of a frame; `usual` are its similarities to places spread over the index.

    The more a frame is like the one before, by their similarity `like_before`, the less it says
    that is new; when they are nearly equal, the camera stands still.
    """
    weight = min(max(1 - like_before, 0.0), 1.0)
    still = min(max((like_before - _MOVING) / (_STILL - _MOVING), 0.0), 1.0)
    order = np.argsort(coordinates)
    odds = SLOPE * standing_out(similarities[order], usual) + OFFSET
    return Evidence(coordinates[order], np.clip(odds, FLOOR, CEILING), FLOOR, weight, still)
