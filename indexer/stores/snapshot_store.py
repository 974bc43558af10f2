"""The base of stores with a snapshot of the descriptors, beside the current rows of the index.

The snapshot gives candidates, which are then compared exactly, with the descriptors read from the
shards. Places that were added after it was made are few: all of them are compared.
"""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Box
from place_search.core.rows import spread_rows
from place_search.indexer.errors import IndexFormatError
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors, Hit, best

Candidates = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Place ids and their cosines."""
Among = NDArray[np.bool_]
"""Flags by place id, up to the id of the last place: whether the place may be a result."""
FILTERED_CANDIDATES = 1500
"""The least number of candidates that are compared exactly where a filter leaves out places."""
_SAMPLE = 64


class SnapshotStore(ABC):
    """A vector store opened for search. Thread-safe if the subclass is."""

    def __init__(self, card: StoreCard, rows: Descriptors) -> None:
        self.kind: str = card.kind
        self._card = card
        self._rows = rows
        self._snapshot_count = int(np.searchsorted(rows.place_ids, card.max_place_id, side="right"))
        """The number of rows that are in the snapshot."""
        self._exists: Among = np.zeros(int(rows.place_ids.max(initial=-1)) + 1, np.bool_)
        self._exists[rows.place_ids] = True
        late = list(rows.chunks(start=self._snapshot_count))
        self._late = np.concatenate(late) if late else np.empty((0, rows.shape[1]), np.float32)

    def _require_fit(self, path: Path, count: int, dims: int) -> None:
        """Raise `IndexFormatError` where a file of `count` × `dims` numbers is of other rows."""
        fits = (count, dims) == (self._card.count, self._rows.shape[1])
        if not fits or self._snapshot_count > count:
            raise IndexFormatError(f"{path} does not fit its shards; index the photos again.")

    def search(
        self,
        descriptor: NDArray[np.float32],
        k: int,
        *,
        only: NDArray[np.int64] | None = None,
        box: Box | None = None,
    ) -> list[Hit]:
        """The k places most similar to a (D,) descriptor of norm 1, the best first."""
        ids = self._rows.place_ids
        among = None if only is None else self._among(only)
        passing_count = len(ids) if among is None else int(np.count_nonzero(among))
        k = min(k, passing_count)
        if k < 1:
            return []
        query = np.ascontiguousarray(descriptor, np.float32)
        if among is not None and passing_count <= max(FILTERED_CANDIDATES, self._candidates(k)):
            passing = np.flatnonzero(among)
            return best(passing, self._cosines(passing, query), k)
        places, similarities = self._in_snapshot(query, k, among, box)
        late_ids = ids[self._snapshot_count :]
        late_cosines = np.vecdot(self._late, query)
        if among is not None:
            passes = among[late_ids]
            late_ids, late_cosines = late_ids[passes], late_cosines[passes]
        return best(
            np.concatenate([places, late_ids]), np.concatenate([similarities, late_cosines]), k
        )

    def _among(self, only: NDArray[np.int64]) -> Among:
        """Flags of those ids that are places: flags are quicker than sorting a million ids."""
        flags = np.zeros_like(self._exists)
        if len(only) and (only.min() < 0 or only.max() >= len(flags)):
            only = only[(only >= 0) & (only < len(flags))]
        flags[only] = True
        flags &= self._exists
        return flags

    @abstractmethod
    def _in_snapshot(
        self,
        query: NDArray[np.float32],
        k: int,
        among: Among | None,
        box: Box | None,
    ) -> Candidates:
        """At least the `k` best places of the snapshot, with their cosines.

        `among` flags the places that count; None for all.
        """

    @abstractmethod
    def _stored_ids(self) -> NDArray[np.int64]:
        """The place ids of all vectors in the snapshot, in any order."""

    def _candidates(self, k: int) -> int:
        return max(self._card.candidates, 4 * k)

    def _cosines(self, ids: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
        order = np.argsort(ids)  # ascending ids are found, and read, in half of the time
        rows = np.searchsorted(self._rows.place_ids, ids[order])
        cosines = np.empty(len(ids), np.float32)
        # Not a matrix product: its threads and those of FAISS keep one another waiting.
        cosines[order] = np.vecdot(self._rows.take(rows), query)
        return cosines

    def verify(self) -> list[str]:
        """Sentences on how the store disagrees with the rows that it was opened for."""
        stored = np.sort(self._stored_ids())
        snapshot_ids = self._rows.place_ids[: self._snapshot_count]
        problems = []
        if len(np.unique(stored)) < len(stored):
            problems.append("it holds a place twice")
        if missing := int((~np.isin(snapshot_ids, stored)).sum()):
            problems.append(f"it lacks {missing} places of the shards")
        if problems:
            return problems
        sample = spread_rows(len(self._rows.place_ids), _SAMPLE)
        for row, descriptor in zip(sample.tolist(), self._rows.take(sample), strict=True):
            hits = self.search(descriptor, 1)
            nearest = np.array([hit.place_id for hit in hits], np.int64)
            # By the shards' own descriptors: another place with an equal descriptor will do.
            cosines = self._cosines(nearest, descriptor)
            if not (cosines >= descriptor @ descriptor - 1e-3).all() or not len(hits):
                problems.append(f"it does not find place {int(self._rows.place_ids[row])}")
        return problems
