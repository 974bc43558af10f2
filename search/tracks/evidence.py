"""The evidence of one frame for each place: how much the place's similarity stands out.

Similarities are lower by night than by day, at the right place too. So they are counted in
deviations from those of places at large, and a linear function of these deviations gives the log
odds that a place is the right one. Unlisted places count as usual places.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SLOPE = 1.0
OFFSET = -2.0
CEILING = 20.0
"""The largest log odds that a single frame gives a place."""
FLOOR = OFFSET
"""The log odds of a place of usual similarity, or of a place that is not listed."""
_MOVING, _STILL = 0.85, 0.95
"""Similarities of consecutive frames up to which the camera moves, and from which it stands."""
_MAD = 1.4826
"""The standard deviation of normal numbers whose median absolute deviation is 1."""
ENOUGH = 10
"""The number of similarities that are enough to measure a deviation; fewer are filled up with
imagined similarities of the deviation `_IMAGINED_DEVIATION`."""
_IMAGINED_DEVIATION = 0.038
"""The deviation of similarities in large indexes, for a frame of another place."""


class Evidence(NamedTuple):
    """Log odds (n,) float64 of places, by their ascending coordinates (n,) on the routes.

    `floor` are those of all other places. `weight`, 0–1, is the share of the evidence that is new
    since the frame before; `still`, 0–1, how sure it is that the camera has not moved since then.
    """

    coordinates: NDArray[np.int64]
    odds: NDArray[np.float64]
    floor: float
    weight: float = 1.0
    still: float = 0.0


SILENCE = Evidence(np.empty(0, np.int64), np.empty(0), 0.0)
"""The evidence of a frame that cannot be read."""


def standing_out(
    similarities: NDArray[np.floating], usual: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Similarities in robust standard deviations from the `usual` ones of the same frame."""
    middle = float(np.median(usual))
    spread = _MAD * float(np.median(np.abs(usual - middle)))
    if len(usual) < ENOUGH:  # the median deviation of three or five numbers may be near 0
        imagined = 1 - len(usual) / ENOUGH
        spread = math.sqrt((1 - imagined) * spread**2 + imagined * _IMAGINED_DEVIATION**2)
    return np.asarray((similarities - middle) / max(spread, 1e-6), np.float64)


def evidence_of(
    coordinates: NDArray[np.int64],
    similarities: NDArray[np.floating],
    usual: NDArray[np.floating],
    previous_similarity: float = 0.0,
) -> Evidence:
    """The evidence of a frame; `usual` are its similarities to places spread over the index.

    The higher the similarity to the frame before, `previous_similarity`, the less evidence is new;
    when the two frames are nearly equal, the camera stands still.
    """
    weight = min(max(1 - previous_similarity, 0.0), 1.0)
    still = min(max((previous_similarity - _MOVING) / (_STILL - _MOVING), 0.0), 1.0)
    order = np.argsort(coordinates)
    odds = SLOPE * standing_out(similarities[order], usual) + OFFSET
    return Evidence(coordinates[order], np.clip(odds, FLOOR, CEILING), FLOOR, weight, still)
