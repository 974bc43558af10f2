"""Straight lines in the matrix of similarities (SeqSLAM; Milford & Wyeth, ICRA 2012).

A place is as good as the best line through it: one speed for the whole window of frames, either
way or none.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from place_search.search.tracks.evidence import Evidence
from place_search.search.tracks.motion import SPEEDS
from place_search.search.tracks.routes import Routes

LINE_SPEEDS = (*SPEEDS, -1.25, -1.1, -0.9, -0.8, 0.8, 0.9, 1.1, 1.25)


def line_scores(
    routes: Routes, window: Sequence[Evidence], at: int, speeds: Sequence[float] = LINE_SPEEDS
) -> NDArray[np.float64]:
    """The score of each place that the evidence of frame `at` of a window lists, (n,).

    It is the mean of the log-odds along the best line; past the ends of a sequence they are 0.
    """
    listed = window[at].coordinates
    sequence = _sequences(routes)
    best = np.full(len(listed), -np.inf)
    for speed in speeds:
        total = np.zeros(len(listed))
        for frame, evidence in enumerate(window):
            there = listed + round(speed * (frame - at))
            there = np.clip(there, 0, len(sequence) - 1)
            inside = sequence[there] == sequence[listed]
            total += np.where(inside, look_up(evidence, there), 0.0)
        best = np.maximum(best, total)
    return best / len(window)


def look_up(evidence: Evidence, coordinates: NDArray[np.int64]) -> NDArray[np.float64]:
    """The log-odds of places by a frame's evidence."""
    if not len(evidence.coordinates):
        return np.full(len(coordinates), evidence.floor)
    at = np.minimum(
        np.searchsorted(evidence.coordinates, coordinates), len(evidence.coordinates) - 1
    )
    found = evidence.coordinates[at] == coordinates
    return np.where(found, evidence.odds[at], evidence.floor)


def _sequences(routes: Routes) -> NDArray[np.int64]:
    """The sequence at each coordinate, -1 at free ones."""
    sequences = np.full(len(routes.row), -1, np.int64)
    sequences[routes.coordinate] = routes.sequence
    return sequences
