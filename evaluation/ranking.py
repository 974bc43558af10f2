"""Exact search for evaluation: reads the database in chunks and keeps each query's best rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.truth.ground_truth import Rows

Chunk = tuple[Rows, NDArray[np.float32]]
"""Database rows, and their descriptors (n, D) of L2 norm 1."""


class Ranked(NamedTuple):
    """Results of one query, best first: database rows and their similarities.

    `probability` is that of the first result, 0 where it was not computed.
    """

    rows: Rows
    similarities: NDArray[np.float32]
    probability: float = 0.0


ROUNDING = 1e-5
"""More than the difference that a matrix product makes between equal descriptors, by their place
in the matrix."""
NOTHING = Ranked(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


def rank(
    queries: NDArray[np.float32],
    database: Iterable[Chunk],
    depth: int,
    *,
    own: Sequence[Rows] = (),
    unreadable: Rows | None = None,
    keep: Callable[[int, Rows], NDArray[np.bool_]] | None = None,
) -> list[Ranked]:
    """The `depth` database rows most similar to each query, best first; ties go by row.

    `queries` is (Q, D) of L2 norm 1 and stays in memory with one chunk of the database at a time
    and (Q, n) similarities. The results leave out the rows `unreadable`, for query i its rows
    `own[i]`, and the rows for which `keep(i, rows)` is False.
    """
    best = [NOTHING] * len(queries)
    worst = np.full(len(queries), -np.inf, dtype=np.float32)
    for rows, descriptors in database:
        similarities = queries @ descriptors.T
        if unreadable is not None:
            similarities[:, np.isin(rows, unreadable)] = -np.inf
        for query, own_rows in enumerate(own):
            if own_rows.size:
                similarities[query, (rows[:, None] == own_rows).any(axis=1)] = -np.inf
        if keep is not None:
            for query, query_similarities in enumerate(similarities):
                query_similarities[~keep(query, rows)] = -np.inf
        fresh = (similarities >= worst[:, None] - ROUNDING) & (similarities > -np.inf)
        for query in np.flatnonzero(fresh.any(axis=1)).tolist():
            new = _most_similar(np.flatnonzero(fresh[query]), similarities[query], depth)
            # Summed row by row, so that equal descriptors have equal similarities.
            exact = np.vecdot(descriptors[new], queries[query])
            best[query] = _best(
                np.concatenate([best[query].rows, rows[new]]),
                np.concatenate([best[query].similarities, exact]),
                depth,
            )
            if len(best[query].rows) == depth > 0:
                worst[query] = best[query].similarities[-1]
    return best


def _most_similar(columns: Rows, similarities: NDArray[np.float32], depth: int) -> Rows:
    """Those of the columns that may be among the `depth` most similar ones, but for rounding."""
    if len(columns) <= depth:
        return columns
    least = np.partition(similarities[columns], -depth)[-depth]
    may_be_best: NDArray[np.bool_] = similarities[columns] >= least - ROUNDING
    return np.asarray(columns[may_be_best])


def _best(rows: Rows, similarities: NDArray[np.float32], depth: int) -> Ranked:
    order = np.lexsort((rows, -similarities))[:depth]
    return Ranked(rows[order], similarities[order])
