"""Exact search: the query is compared with every row of the shards, of which no copy is kept."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Box
from place_search.indexer.storage.descriptor_codes import norms
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors, Hit, VectorStore, best

BLOCK = 64
"""Rows that become float32 at once: they stay in the cache of a core."""


class ExactStore:
    """All descriptors in memory, as the shards hold them. Thread-safe."""

    kind = "exact"

    def __init__(self, rows: Descriptors) -> None:
        """Read all rows."""
        self._ids = rows.place_ids
        self._rows: NDArray[np.int8] | NDArray[np.float32] | None = None
        start = 0
        for chunk in rows.stored_chunks():
            if self._rows is None:
                self._rows = np.empty(rows.shape, chunk.dtype)
            self._rows[start : start + len(chunk)] = chunk
            start += len(chunk)
        self._norms: NDArray[np.float32] | None = None
        if self._rows is not None and self._rows.dtype == np.int8:
            blocks = range(0, len(self._rows), BLOCK)
            parts = [self._rows[at : at + BLOCK].astype(np.float32) for at in blocks]
            self._norms = np.concatenate([norms(part) for part in parts])

    def search(
        self,
        descriptor: NDArray[np.float32],
        k: int,
        *,
        only: NDArray[np.int64] | None = None,
        box: Box | None = None,
    ) -> list[Hit]:
        """The k places most similar to a (D,) descriptor of norm 1, the best first."""
        rows = None if only is None else self._rows_of(only)
        ids = self._ids if rows is None else self._ids[rows]
        k = min(k, len(ids))
        if k < 1:
            return []
        query = np.ascontiguousarray(descriptor, np.float32)
        cosines = self._cosines(query, rows, len(ids))
        is_near = cosines >= np.partition(cosines, -k)[-k]
        return best(ids[is_near], cosines[is_near], k)

    def _rows_of(self, only: NDArray[np.int64]) -> NDArray[np.intp]:
        """The rows of those ids that are places, by flags, which are quicker than sorting."""
        flags = np.zeros(int(self._ids.max(initial=-1)) + 1, np.bool_)
        flags[only[(only >= 0) & (only < len(flags))]] = True
        return np.flatnonzero(flags[self._ids])

    def _cosines(
        self, query: NDArray[np.float32], rows: NDArray[np.intp] | None, count: int
    ) -> NDArray[np.float32]:
        """The cosines of these rows, or of all."""
        assert self._rows is not None  # noqa: S101 - there are places to compare
        cosines = np.empty(count, np.float32)
        block = np.empty((BLOCK, len(query)), np.float32)
        for at in range(0, count, BLOCK):
            part = slice(at, at + BLOCK)
            part_rows = self._rows[part if rows is None else rows[part]]
            if part_rows.dtype != np.float32:
                block[: len(part_rows)] = part_rows
                part_rows = block[: len(part_rows)]
            # Not a matrix product: its threads would wait for those of other searches.
            np.vecdot(part_rows, query, out=cosines[part])
        if self._norms is not None:
            cosines /= self._norms if rows is None else self._norms[rows]
        return cosines

    def verify(self) -> list[str]:
        """No sentences: the store has only the rows of the shards."""
        return []


class Exact:
    """A store without a file: `build` writes none, and files of older indexes are not read."""

    is_exact = True
    drops_removed = True

    def build(self, card: StoreCard, rows: Descriptors, path: Path) -> tuple[StoreCard, None]:
        """The card of a store of all rows."""
        return card.built_of(rows.place_ids), None

    def update(
        self, card: StoreCard, old: Path, rows: Descriptors, path: Path
    ) -> tuple[StoreCard, None]:
        """As `build`."""
        return self.build(card, rows, path)

    def open(self, card: StoreCard, path: Path, rows: Descriptors) -> VectorStore:
        """Read the rows."""
        return ExactStore(rows)


BUILDER = Exact()
