"""A small part of a truth, to try whether photos and truth fit together."""

from dataclasses import replace
from typing import Any

import numpy as np

from place_search.evaluation.protocol import open_protocol
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows


def sample_truth(
    truth: GroundTruth, size: int, *, whole_database: bool = False
) -> GroundTruth | None:
    """At most `size` queries, a positive of each, and as many other photos, by a fixed seed.

    Only photos that exist and queries with positives are chosen; None if there are no such queries.
    """
    random = np.random.default_rng(0)
    missing = set(truth.missing)
    exists = np.array([name not in missing for name in truth.database])
    rules = open_protocol(truth, None)
    usable = [
        query
        for query, rows in enumerate(rules.positives)
        if truth.queries[query] not in missing and exists[rows].any()
    ]
    if not usable:
        return None
    queries = np.sort(random.permutation(usable)[:size])
    if whole_database:
        rows: Rows = np.arange(len(truth.database))
    else:
        right = [
            random.choice(positives[exists[positives]])
            for positives in _items_at(rules.positives, queries)
        ]
        other_rows = random.permutation(np.flatnonzero(exists))[: len(queries)]
        rows = np.unique(np.concatenate([right, other_rows])).astype(np.int64)
    new_row = np.full(len(truth.database), -1, dtype=np.int64)
    new_row[rows] = np.arange(len(rows))
    database_times, query_times = truth.database_times, truth.query_times
    return replace(
        truth,
        database=tuple(truth.database[row] for row in rows.tolist()),
        queries=tuple(truth.queries[query] for query in queries.tolist()),
        positives=tuple(
            np.sort(new_row[positives][new_row[positives] >= 0])
            for positives in _items_at(truth.positives, queries)
        ),
        protocol="raw" if rules.needs_all_photos and not whole_database else truth.protocol,
        database_times=None if database_times is None else database_times[rows],
        query_times=None if query_times is None else query_times[queries],
        database_metres=None,
        query_metres=None,
        database_order=None,
        query_order=None,
        missing=(),
    )


def _items_at(items: Any, rows: Rows) -> list[Rows]:
    return [items[row] for row in rows.tolist()]
