"""The distance from each query to its first result."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.ranking import Ranked
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.evaluation.truth.positives import distance

PERCENTILES = (50, 90)


def position_errors(truth: GroundTruth, ranked: Sequence[Ranked]) -> NDArray[np.float64]:
    """(queries,) metres from each query to its first result; NaN where that is not known."""
    errors = np.full(len(truth.queries), np.nan)
    if truth.database_metres is not None and truth.query_metres is not None:
        answered = [query for query, results in enumerate(ranked) if len(results.rows)]
        best = [int(ranked[query].rows[0]) for query in answered]
        errors[answered] = distance(truth.query_metres[answered], truth.database_metres[best])
    return errors


def error_percentiles(errors: NDArray[np.float64]) -> Mapping[int, float] | None:
    """The metres that `PERCENTILES` per cent of the known errors do not exceed; None without any.

    `errors` are those of `position_errors`.
    """
    known_errors = errors[np.isfinite(errors)]
    if not len(known_errors):
        return None
    metres = np.percentile(known_errors, PERCENTILES, method="inverted_cdf").tolist()
    return dict(zip(PERCENTILES, metres, strict=True))
