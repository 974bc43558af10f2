"""Recall@N, and the expected recall of a random ranking."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from place_search.core.tables import is_whole
from place_search.evaluation.errors import MeasureError
from place_search.evaluation.truth.ground_truth import Rows

FEW_QUERIES = 5
"""The least number of queries to judge by: of fewer, a model with a recall of 50 % may well have
none right."""


def checked_ks(ks: Iterable[int]) -> list[int]:
    """The N of Recall@N, each once, ascending. Raises `MeasureError` for anything but such N."""
    requested = list(ks) if isinstance(ks, Iterable) else [ks]
    if not requested or not all(is_whole(k) and k >= 1 for k in requested):
        raise MeasureError(
            f"Recall@N is of whole numbers from 1, as in 1,5,10, not of {requested!r:.60}.", "ks"
        )
    return sorted({int(k) for k in requested})


def recall_at(
    ranked: Sequence[Rows], positives: Sequence[Rows], ns: Iterable[int]
) -> dict[int, float]:
    """The share of all queries, in per cent, with a positive among their first N results.

    `ranked[i]` holds database rows of query i, best first; `positives[i]` the rows that are
    right. A query without positives or without results counts as wrong.

    Raises:
        ValueError: there is no query, not one entry of both for each, or a mask in place of rows.
    """
    first = first_hits(ranked, positives)
    return {n: 100.0 * sum(rank <= n for rank in first) / len(first) for n in ns}


def first_hits(ranked: Sequence[Rows], positives: Sequence[Rows]) -> list[float]:
    """For each query the rank, from 1, of its first right result; infinity if it has none.

    Raises:
        ValueError: there is no query, not one entry of both for each, or a mask in place of rows.
    """
    if not len(ranked) or len(ranked) != len(positives):  # lists or arrays
        raise ValueError("ranked and positives must hold one entry a query, and at least one")
    ranks = []
    for results, right in zip(ranked, positives, strict=True):
        if np.asarray(right).dtype == np.bool_:  # a mask would pass for the rows 0 and 1
            raise ValueError("positives must hold rows; those of a mask are np.flatnonzero(mask)")
        hits = np.flatnonzero(np.isin(results, right))
        ranks.append(float(hits[0] + 1) if hits.size else float("inf"))
    return ranks


def chance_of_hit(candidates: float, right: float, n: int) -> float:
    """P(a positive among the first n of a random ranking): 1 − C(c − r, n) / C(c, n).

    `right` may be a fraction, where a candidate is right by chance itself.
    """
    if n > candidates - right:
        return min(1.0, right)
    miss = 1.0
    for draw in range(n):
        miss *= (candidates - right - draw) / (candidates - draw)
    return 1.0 - miss


def chance_of_shares(candidates: int, shares: Sequence[float], n: int) -> float:
    """P(a hit among the first n of a random ranking) where some candidates are right by chance.

    `shares` are the probabilities, 0–1, of the candidates that can be right at all.
    """
    draws, possible = min(n, candidates), len(shares)
    # wrong[c] is the sum of P(none is right) over all choices of c of the possible candidates.
    wrong = [1.0] + [0.0] * min(draws, possible)
    for share in shares:
        for count in range(len(wrong) - 1, 0, -1):
            wrong[count] += wrong[count - 1] * (1.0 - share)
    ways = math.comb(candidates, draws)
    miss = sum(
        wrong[count] * (math.comb(candidates - possible, draws - count) / ways)
        for count in range(len(wrong))
    )
    return 1.0 - miss


def chance_at(
    candidates: Sequence[float], right: Sequence[float], ns: Iterable[int]
) -> dict[int, float]:
    """The expected recall@N of a random ranking, in per cent.

    Query i ranks `candidates[i]` database photos, of which `right[i]` are positives.
    """
    kinds = Counter(zip(candidates, right, strict=True))
    total = kinds.total()
    return {
        n: 100.0 * sum(count * chance_of_hit(*kind, n) for kind, count in kinds.items()) / total
        for n in ns
    }


def no_better_than_chance(
    recall: Mapping[int, float], candidates: Sequence[float], right: Sequence[float]
) -> bool:
    """Whether recall@N (per cent), by N, could well be that of a random ranking at every N.

    It could be where it is at most two standard deviations over its expectation, and the queries
    are enough for a perfect ranking to exceed that at one N at least.
    """
    answerable = sum(count > 0 for count in right)
    if answerable < FEW_QUERIES:
        return False
    limits = []
    for n, share in recall.items():
        hit = np.array([chance_of_hit(*kind, n) for kind in zip(candidates, right, strict=True)])
        limits.append(float(hit.sum() + 2.0 * np.sqrt((hit * (1.0 - hit)).sum())))
        if share / 100.0 * len(hit) > limits[-1]:
            return False
    return min(limits) < answerable


def all_are_right(candidates: Sequence[float], right: Sequence[float]) -> bool:
    """Whether no ranking could be wrong: each query has candidates, and all of them are right."""
    return all(
        0 < count <= right_count for count, right_count in zip(candidates, right, strict=True)
    )
