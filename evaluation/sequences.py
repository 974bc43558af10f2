"""Queries as the frames of a moving camera: each is ranked by its neighbours, too."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.errors import TruthError
from place_search.evaluation.ranking import NOTHING, Ranked
from place_search.evaluation.truth.ground_truth import GroundTruth, Metres, Order, Rows
from place_search.search.tracks.evidence import SILENCE, Evidence, evidence_of
from place_search.search.tracks.markov import State
from place_search.search.tracks.routes import Routes, find_routes
from place_search.search.tracks.smoothing import (
    PrecomputedFrame,
    in_windows,
    learn_speeds,
    sequence_breaks,
)

CANDIDATES = 1024
"""Places that are evidence of a query: where seasons differ the right place is far down the list,
and many frames together bring it up."""
CARRIED = 512
"""Places whose probability is carried from query to query."""
_NEIGHBOURS = 2
"""Neighbouring places along a route, on each side, that count as the same for the probability."""


class Window(NamedTuple):
    """The numbers of frames before and after each query that rank it."""

    before: int
    after: int


class Located(NamedTuple):
    """Results of a query by its neighbours: database rows, best first.

    `probability` is that of the first one and the places beside it.
    """

    rows: Rows
    probability: float


class QuerySimilarities(NamedTuple):
    """The similarities of each query by itself, in the truth's order.

    `ranked` are a query's most similar places, `usual` (Q, n) its similarities to places spread
    over the database, and `like_before` (Q,) its similarity to the query before it along the route,
    0 for the first.
    """

    ranked: Sequence[Ranked]
    usual: NDArray[np.float32]
    like_before: NDArray[np.float32]


def query_routes(truth: GroundTruth) -> tuple[Routes, Routes]:
    """The routes of the queries and of the database, as an index has them.

    Raises:
        TruthError: the queries or the database photos are in no order.
    """
    queries = _routes(truth.queries, truth.query_metres, truth.query_order)
    database = _routes(truth.database, truth.database_metres, truth.database_order)
    for photos, routes, names in (
        ("queries", queries, truth.queries),
        ("database photos", database, truth.database),
    ):
        if not routes.is_ordered and len(names) > 1:
            raise TruthError(
                f"The {photos} of {truth.name} are in no order, so --sequence cannot be measured; "
                f"number their names, as in walk/0001.jpg, unlike '{names[0]}', or give both as "
                "CSV files with the columns sequence and time."
            )
    return queries, database


def _routes(names: Sequence[str], metres: Metres | None, order: Order | None) -> Routes:
    if order is None:
        return find_routes(names, metres)
    return find_routes(names, metres, sequences=order.sequences, capture_times=order.taken)


def rank_sequences(
    queries: Routes,
    database: Routes,
    similarities: QuerySimilarities,
    window: Window,
    keep: Callable[[int, Rows], NDArray[np.bool_]],
) -> list[Located]:
    """The results of each query given its neighbours, by the Markov model of tracks.

    `keep(query, rows)` masks the results, best first, that count; the others are left out. Places
    without evidence from query or neighbours keep the order of their similarities. A query that
    could not be read has no results and is no evidence.
    """
    order, breaks = sequence_breaks(queries)
    frames = [
        PrecomputedFrame(_evidence(database, similarities, query), kind)
        for query, kind in zip(order.tolist(), breaks, strict=True)
    ]
    model = learn_speeds(database, lambda: frames, listed_places=CARRIED)
    results = [Located(NOTHING.rows, 0.0)] * len(similarities.ranked)
    states = in_windows(model, frames, window.before, window.after)
    for query, state in zip(order.tolist(), states, strict=True):
        if len(similarities.ranked[query].rows):
            results[query] = _located(
                database, state, similarities.ranked[query], partial(keep, query)
            )
    return results


def _evidence(database: Routes, similarities: QuerySimilarities, query: int) -> Evidence:
    single = similarities.ranked[query]
    best = slice(0, CANDIDATES)
    if not len(single.rows):
        return SILENCE
    return evidence_of(
        database.coordinate[single.rows[best]],
        single.similarities[best],
        similarities.usual[query],
        float(similarities.like_before[query]),
    )


def _located(
    database: Routes, state: State, single: Ranked, keep: Callable[[Rows], NDArray[np.bool_]]
) -> Located:
    """Places by their probability; places of equal probability by their similarity."""
    best_first = np.argsort(-state.places, kind="stable")
    coordinates, chance = state.coordinates[best_first], state.places[best_first]
    places = database.row[coordinates]
    rows = np.concatenate([places, single.rows[~np.isin(single.rows, places)]])
    counts = keep(rows)
    # Only places that count add to the probability of the first result.
    coordinates, chance = coordinates[counts[: len(places)]], chance[counts[: len(places)]]
    is_near = np.abs(coordinates - coordinates[:1]) <= _NEIGHBOURS
    return Located(rows[counts], float(chance[is_near].sum()))
