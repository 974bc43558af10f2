"""How far the first results are from where the queries were taken."""

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
        asked = [query for query, results in enumerate(ranked) if len(results.rows)]
        best = [int(ranked[query].rows[0]) for query in asked]
        errors[asked] = distance(truth.query_metres[asked], truth.database_metres[best])
    return errors


def error_percentiles(truth: GroundTruth, ranked: Sequence[Ranked]) -> Mapping[int, float] | None:
    """The least error that so many per cent do not exceed, in metres; None without positions."""
    errors = position_errors(truth, ranked)
    known = errors[np.isfinite(errors)]
    if not len(known):
        return None
    metres = np.percentile(known, PERCENTILES, method="inverted_cdf").tolist()
    return dict(zip(PERCENTILES, metres, strict=True))
