"""Exact search for evaluation: all database rows against blocks of queries."""

import numpy as np
from numpy.typing import NDArray

from evaluation.recall import Rows

BLOCK = 256
"""Queries scored by one matrix product; 256 × 100,000 database rows take 0.1 GB."""


def rank(
    queries: NDArray[np.float32],
    database: NDArray[np.float32],
    depth: int,
    *,
    own: Rows | None = None,
    lost: Rows | None = None,
) -> list[Rows]:
    """The `depth` database rows most similar to each query, best first; ties go by row.

    `queries` is (Q, D) and `database` (N, D), of L2 norm 1. No query is given a row of `lost`, nor
    query i its own row `own[i]` (-1 for none).
    """
    ranked: list[Rows] = []
    for start in range(0, len(queries), BLOCK):
        similarities = queries[start : start + BLOCK] @ database.T
        if lost is not None:
            similarities[:, lost] = -np.inf
        for query, row in enumerate(similarities, start):
            if own is not None and own[query] >= 0:
                row[own[query]] = -np.inf
            ranked.append(_first(row, min(depth, len(row))))
    return ranked


def _first(similarities: NDArray[np.float32], depth: int) -> Rows:
    if depth == 0:
        return np.empty(0, dtype=np.int64)
    limit = -np.partition(-similarities, depth - 1)[depth - 1]
    candidates = np.flatnonzero((similarities >= limit) & (similarities > -np.inf))
    order = np.argsort(-similarities[candidates], kind="stable")
    return np.asarray(candidates[order][:depth], dtype=np.int64)
