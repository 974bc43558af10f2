"""The best way through the places by dynamic programming: any speed at each step, and standstill.

Unlike a straight line it bends; unlike the filter it looks at the one best way only (Viterbi).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from place_search.search.tracks.evidence import Evidence
from place_search.search.tracks.motion import LONGEST
from place_search.search.tracks.routes import Routes

_STEP_COST = 0.3
"""Log-odds that a step costs for each place that it is longer or shorter than one, either way."""
_JUMP_COST = 7.0


def path_scores(routes: Routes, window: Sequence[Evidence], at: int) -> NDArray[np.float64]:
    """The log-odds of the best way through each place that frame `at` of a window lists, (n,)."""
    before = _best_into(routes, window[: at + 1])
    after = _best_into(routes, window[at:][::-1])
    return before + after - window[at].odds


def _best_into(routes: Routes, window: Sequence[Evidence]) -> NDArray[np.float64]:
    """The best way that ends at each place of the last frame."""
    score = window[0].odds
    for earlier, later in pairwise(window):
        step = later.coordinates[:, None] - earlier.coordinates[None]
        cost = np.where(
            np.abs(step) <= LONGEST, _STEP_COST * np.abs(np.abs(step) - 1.0), _JUMP_COST
        )
        score = later.odds + (score[None] - cost).max(axis=1, initial=-_JUMP_COST)
    return score
