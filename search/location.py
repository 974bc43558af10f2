"""The estimated location of a photo, from the positions of the places that agree with it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from place_search.core.geodesy import Position, distances_m, mean_position

STRONG_SHARE = 0.5
"""The share of the best score that a place needs to count in the estimate."""
MAX_SPREAD_M = 150.0
"""The distance of a place from the mean, in metres, beyond which there is no estimate."""
MIN_RADIUS_M = 15.0
SPREAD_FACTOR = 2.0


class Location(NamedTuple):
    """An estimate: the photo was taken within `radius_m` metres of `position`."""

    position: Position
    radius_m: float

    @property
    def latitude(self) -> float:
        """Degrees north."""
        return self.position.latitude

    @property
    def longitude(self) -> float:
        """Degrees east."""
        return self.position.longitude


def estimate_location(candidates: Sequence[tuple[Position | None, float]]) -> Location | None:
    """The mean position of the strongest candidates, weighted by their geometric scores.

    None where no candidate agrees with the query, where the best has no position, or where the
    strong candidates lie too far apart.
    """
    best, highest = max(candidates, key=lambda candidate: candidate[1], default=(None, 0.0))
    if best is None or highest <= 0:
        return None
    strong = [
        (position, score)
        for position, score in candidates
        if position is not None and score >= STRONG_SHARE * highest
    ]
    points = np.array([position for position, _ in strong], dtype=np.float64)
    weights = np.array([score for _, score in strong], dtype=np.float64)
    centre = mean_position(points, weights)
    distances = distances_m(points, centre)
    if distances.max() > MAX_SPREAD_M:
        return None
    spread = float(np.sqrt(np.average(distances**2, weights=weights)))
    return Location(centre, max(MIN_RADIUS_M, SPREAD_FACTOR * spread))
