"""A small part of a truth, to try whether photos and truth fit together."""

from dataclasses import replace
from typing import Any

import numpy as np

from place_search.evaluation.protocol import open_protocol
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows


def sample_truth(
    truth: GroundTruth, size: int, *, whole_database: bool = False
) -> GroundTruth | None:
    """At most `size` queries, a positive of each, and as many other photos; None if there are none.

    Only photos that exist and queries with positives are chosen, by a fixed seed.
    """
    random = np.random.default_rng(0)
    gone = set(truth.missing)
    there = np.array([name not in gone for name in truth.database])
    rules = open_protocol(truth, None)
    usable = [
        query
        for query, rows in enumerate(rules.positives)
        if truth.queries[query] not in gone and there[rows].any()
    ]
    if not usable:
        return None
    queries = np.sort(random.permutation(usable)[:size])
    if whole_database:
        rows: Rows = np.arange(len(truth.database))
    else:
        right = [random.choice(near[there[near]]) for near in _of(rules.positives, queries)]
        others = random.permutation(np.flatnonzero(there))[: len(queries)]
        rows = np.unique(np.concatenate([right, others])).astype(np.int64)
    new_row = np.full(len(truth.database), -1, dtype=np.int64)
    new_row[rows] = np.arange(len(rows))
    times, asked = truth.database_times, truth.query_times
    return replace(
        truth,
        database=tuple(truth.database[row] for row in rows.tolist()),
        queries=tuple(truth.queries[query] for query in queries.tolist()),
        positives=tuple(
            np.sort(new_row[near][new_row[near] >= 0]) for near in _of(truth.positives, queries)
        ),
        protocol="raw" if rules.needs_all_photos and not whole_database else truth.protocol,
        database_times=None if times is None else times[rows],
        query_times=None if asked is None else asked[queries],
        database_metres=None,
        query_metres=None,
        database_order=None,
        query_order=None,
        missing=(),
    )


def _of(items: Any, chosen: Rows) -> list[Rows]:
    return [items[row] for row in chosen.tolist()]
