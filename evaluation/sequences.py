"""Queries as the frames of a camera that moves: each is ranked by its neighbours, too."""

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
"""Places that a query's own similarities speak for: where seasons differ the right one is far down
the list, and many frames together bring it up."""
KEPT = 512
"""Places whose probability is carried from query to query."""
_BESIDE = 2
"""A place so many further along a route counts as the same one for the probability."""


class Window(NamedTuple):
    """How many frames before and after each query are looked at."""

    before: int
    after: int


class QuerySimilarities(NamedTuple):
    """What is known of each query by itself, as they come in the truth.

    `ranked` are its most similar places; `usual` (Q, n) its similarities to places spread over the
    database, `like_before` (Q,) that to the query before it along the route, 0 for the first.
    """

    ranked: Sequence[Ranked]
    usual: NDArray[np.float32]
    like_before: NDArray[np.float32]


def query_routes(truth: GroundTruth) -> tuple[Routes, Routes]:
    """The routes of the queries and of the database, as an index has them.

    Raises:
        TruthError: there is no order in one of them.
    """
    queries = _routes(truth.queries, truth.query_metres, truth.query_order)
    database = _routes(truth.database, truth.database_metres, truth.database_order)
    for what, routes, names in (
        ("queries", queries, truth.queries),
        ("database photos", database, truth.database),
    ):
        if not routes.is_ordered and len(names) > 1:
            raise TruthError(
                f"The {what} of {truth.name} are in no order, so --sequence cannot be measured; "
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
    known: QuerySimilarities,
    window: Window,
    keep: Callable[[int, Rows], NDArray[np.bool_]],
) -> list[Ranked]:
    """The results of each query given its neighbours, by the Markov model of tracks.

    `keep` says which of a query's results, best first, count; others are left out. Places that
    neither query nor neighbours speak for keep the order of their similarities. A query that could
    not be read, so that nothing is ranked for it, says nothing and finds nothing.
    """
    order, breaks = sequence_breaks(queries)
    frames = [
        PrecomputedFrame(_evidence(database, known, query), kind)
        for query, kind in zip(order.tolist(), breaks, strict=True)
    ]
    model = learn_speeds(database, lambda: frames, listed_places=KEPT)
    found: list[Ranked] = [NOTHING] * len(known.ranked)
    states = in_windows(model, frames, window.before, window.after)
    for query, state in zip(order.tolist(), states, strict=True):
        if len(known.ranked[query].rows):
            found[query] = _ranked(database, state, known.ranked[query], partial(keep, query))
    return found


def _evidence(database: Routes, known: QuerySimilarities, query: int) -> Evidence:
    single = known.ranked[query]
    best = slice(0, CANDIDATES)
    if not len(single.rows):
        return SILENCE
    return evidence_of(
        database.coordinate[single.rows[best]],
        single.similarities[best],
        known.usual[query],
        float(known.like_before[query]),
    )


def _ranked(
    database: Routes, state: State, single: Ranked, keep: Callable[[Rows], NDArray[np.bool_]]
) -> Ranked:
    """Places by their probability; those that share one follow by their similarity."""
    best_first = np.argsort(-state.places, kind="stable")
    coordinates, chance = state.coordinates[best_first], state.places[best_first]
    places = database.row[coordinates]
    rows = np.concatenate([places, single.rows[~np.isin(single.rows, places)]])
    counts = keep(rows)
    rows = rows[counts]
    similarity = dict(zip(single.rows.tolist(), single.similarities.tolist(), strict=True))
    least = float(single.similarities.min())
    similarities = np.array([similarity.get(row, least) for row in rows.tolist()], np.float32)
    # What does not count lends the first result none of its probability.
    coordinates, chance = coordinates[counts[: len(places)]], chance[counts[: len(places)]]
    near = np.abs(coordinates - coordinates[:1]) <= _BESIDE
    return Ranked(rows, similarities, float(chance[near].sum()))
