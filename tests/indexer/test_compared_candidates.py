"""Which of the candidates that codes give are compared exactly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.indexer.stores.kinds import rabitq
from place_search.indexer.stores.store_card import choose_store
from tests.indexer.test_vectors import MemoryRows, Vectors, exact_neighbours, places


class CountedRows(MemoryRows):
    """Rows that count how many of them were read."""

    read = 0

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        self.read += len(rows)
        return super().take(rows)


def test_candidates_that_cannot_win_are_not_compared(tmp_path: Path) -> None:
    """Where a spot has twelve views, few of 800 candidates may still be among the ten nearest."""
    database, _ = places(3000, 512)
    rows = CountedRows(database)
    path = tmp_path / "index.faiss"
    card, _ = rabitq.BUILDER.build(choose_store(3000, 512, requested="rabitq"), rows, path)
    store = rabitq.BUILDER.open(replace(card, candidates=800), path, rows)
    rows.read = 0
    for query in database[::100]:
        hits = store.search(query, 10)
        assert [hit.place_id for hit in hits] == [
            place for place, _ in exact_neighbours(rows, query, 10)
        ]
    assert rows.read < 30 * 200
    rows.read = 0
    assert len(store.search(database[0], 300)) == 300
    assert rows.read >= 300
