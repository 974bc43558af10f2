"""The query compared with every descriptor, by the shards' own rows: there is no second copy."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Box
from place_search.indexer.storage.descriptor_codes import norms
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors, Hit, VectorStore, best

BLOCK = 64
"""Rows that become float32 together: they stay in the cache of the processor's core."""


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
        wanted = min(k, len(ids))
        if wanted < 1:
            return []
        query = np.ascontiguousarray(descriptor, np.float32)
        cosines = self._cosines(query, rows, len(ids))
        near = cosines >= np.partition(cosines, -wanted)[-wanted]
        return best(ids[near], cosines[near], wanted)

    def _rows_of(self, only: NDArray[np.int64]) -> NDArray[np.intp]:
        """The rows of these ids, where there are such places, by flags: sorting takes longer."""
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
            some = self._rows[part if rows is None else rows[part]]
            if some.dtype != np.float32:
                block[: len(some)] = some
                some = block[: len(some)]
            # Not a matrix product: its threads and those of other searches would wait for another.
            np.vecdot(some, query, out=cosines[part])
        if self._norms is not None:
            cosines /= self._norms if rows is None else self._norms[rows]
        return cosines

    def verify(self) -> list[str]:
        """Nothing: it compares what the shards hold."""
        return []


class Exact:
    """Needs no file: `build` writes none, and those of older indexes are not read."""

    is_exact = True
    drops_removed = True

    def build(self, card: StoreCard, rows: Descriptors, path: Path) -> tuple[StoreCard, None]:
        """The card of a store of all rows."""
        return card.built_of(rows.place_ids), None

    def update(
        self, card: StoreCard, old: Path, rows: Descriptors, path: Path
    ) -> tuple[StoreCard, None]:
        """The same."""
        return self.build(card, rows, path)

    def open(self, card: StoreCard, path: Path, rows: Descriptors) -> VectorStore:
        """Read the rows."""
        return ExactStore(rows)


BUILDER = Exact()
