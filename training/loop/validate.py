"""Recall on photos that are not trained on."""

from collections.abc import Mapping

import numpy as np

from place_search.evaluation import rank, recall_at
from place_search.training.data.features import FeatureLoader, Item
from place_search.training.data.mining import describe
from place_search.training.data.places import Places
from place_search.training.split_network import Trained

AT = (1, 5, 10)
CHUNK = 256


def validation_queries(places: Places, views: int) -> list[Item]:
    """Queries as they are; where a photo is its own positive, a view of it asks for it."""
    return [
        (row, 1 + row % views if views and row in places.positives[row] else 0)
        for row in places.queries.tolist()
    ]


def validate(
    places: Places, views: int, inputs: FeatureLoader, trained: Trained
) -> Mapping[int, float]:
    """Recall@1, 5 and 10 in per cent of the queries of `places` among its database."""
    queries = validation_queries(places, views)
    asked = describe(inputs, trained, queries)
    row_at = {row: at for at, row in enumerate(places.database.tolist())}
    own = [-1 if view else row_at.get(row, -1) for row, view in queries]
    blocks = (places.database[at : at + CHUNK] for at in range(0, len(places.database), CHUNK))
    database = (
        (rows, describe(inputs, trained, [(row, 0) for row in rows.tolist()])) for rows in blocks
    )
    numbered = (
        (np.array([row_at[row] for row in rows.tolist()]), descriptors)
        for rows, descriptors in database
    )
    ranked = rank(asked, numbered, max(AT), self_index=np.array(own))
    right = [
        np.array([row_at[found] for found in places.positives[row].tolist()]) for row, _ in queries
    ]
    return recall_at([found.rows for found in ranked], right, AT)
