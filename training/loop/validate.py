"""Recall on photos for validation."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation import RECALL_KS, rank, recall_at
from place_search.evaluation.truth.ground_truth import Rows, rows_of_photos
from place_search.training.data.features import FeatureLoader, Item
from place_search.training.data.mining import describe
from place_search.training.data.places import NO_ROWS, Places
from place_search.training.split_network import TrainedPart

CHUNK = 256


def validation_queries(places: Places, views: int) -> list[Item]:
    """The queries as items: unaltered photos, or a view of a photo that is its own positive."""
    return [
        (row, 1 + row % views if views and row in places.positives[row] else 0)
        for row in places.queries.tolist()
    ]


def validate(
    places: Places, views: int, inputs: FeatureLoader, trained: TrainedPart
) -> Mapping[int, float]:
    """Recall@1, 5 and 10 in per cent of the queries of `places` among its database."""
    queries = validation_queries(places, views)
    descriptors = describe(inputs, trained, queries)
    database = [(row, 0) for row in places.database.tolist()]
    number_of = {row: number for number, (row, _) in enumerate(database)}
    numbered = (
        (np.arange(start, min(start + CHUNK, len(database))), describe(inputs, trained, chunk))
        for start in range(0, len(database), CHUNK)
        if (chunk := database[start : start + CHUNK])
    )
    own_rows = rows_of_photos(
        places.root,
        [places.photos[row] for row, _ in queries],
        [places.photos[row] for row, _ in database],
    )
    own = [NO_ROWS if view else rows for rows, (_, view) in zip(own_rows, queries, strict=True)]
    visits = places.visits

    def of_other_visit(query: int, numbers: Rows) -> NDArray[np.bool_]:
        row, view = queries[query]
        if visits is None or view:
            return np.ones(len(numbers), np.bool_)
        other: NDArray[np.bool_] = visits[places.database[numbers]] != visits[row]
        return other

    ranked = rank(descriptors, numbered, max(RECALL_KS), own=own, keep=of_other_visit)
    right = [
        np.array([number_of[at] for at in places.positives[row]], np.int64) for row, _ in queries
    ]
    return recall_at([results.rows for results in ranked], right, RECALL_KS)
