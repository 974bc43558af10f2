"""The cheapest settings of a vector store with enough recall against exact search."""

import math
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import numpy as np

from place_search.core.rows import spread_rows
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors, StoreBuilder, exact_search

CANDIDATES = (50, 100, 200, 400, 800)
SCANNED_A_SECOND = 6e9
"""Bytes of codes that are scanned in a second."""
READ_SECONDS = 2e-6
"""Seconds for a candidate, of which not all are read and compared."""

_QUERIES = 100
_NEIGHBOURS = 10
_GOAL = 0.985
"""The recall that settings must reach, so that other queries have 0.98 as well."""
_OWN = np.float32(0.85)
"""The cosine of a query with the place that it is made from. Its neighbours, at a cosine of about
0.55, are then a little further away than those of a real query of a place with several photos."""


def tune(builder: StoreBuilder, card: StoreCard, rows: Descriptors, path: Path) -> StoreCard:
    """The card with the cheapest settings of enough recall, and this recall.

    The store that `builder` has written to `path` is opened with each of the settings. The index's
    own descriptors would be too easy as queries: each is mixed with that of another place.
    """
    sample = spread_rows(rows.shape[0], _QUERIES)
    own = rows.take(sample)
    queries = _OWN * own + math.sqrt(1 - _OWN**2) * np.roll(own, len(own) // 2, axis=0)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    _, cosines = exact_search(rows, queries, _NEIGHBOURS)
    best = card
    for setting in _settings(card, rows.shape[0]):
        store = builder.open(setting, path, rows)
        near_enough = 0
        for query, exact in zip(queries, cosines, strict=True):
            hits = store.search(query, _NEIGHBOURS)
            # A hit counts if it is as near as the exact tenth: among equals any will do.
            near_enough += sum(hit.similarity >= exact[-1] - 1e-5 for hit in hits)
        recall = round(near_enough / cosines.size, 4)
        if best.recall_at_10 is None or best is card or recall > best.recall_at_10:
            best = replace(setting, recall_at_10=recall)
        if recall >= _GOAL:
            break
    return best


def _settings(card: StoreCard, count: int) -> list[StoreCard]:
    """Cards with all settings of probes and candidates, the cheapest first."""
    steps = ((1 << bit) * quarters // 4 for bit in range(3, 30) for quarters in (4, 5, 6, 7))
    probes = list(takewhile(lambda probe: probe < card.lists, steps))
    cards = [
        replace(card, probes=probe, candidates=candidates)
        for probe in [*probes, card.lists]
        for candidates in CANDIDATES
    ]

    def seconds(setting: StoreCard) -> float:
        scanned = count * setting.probes / setting.lists if setting.lists else 0
        return scanned * card.dims / 8 / SCANNED_A_SECOND + setting.candidates * READ_SECONDS

    return sorted(cards, key=seconds)
