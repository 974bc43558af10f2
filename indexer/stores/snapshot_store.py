"""What all stores opened for search share: a snapshot of descriptors, beside the rows there are.

The snapshot gives candidates, which are then compared exactly, with the descriptors read from the
shards. Places that were added after it was made are few: all of them are compared.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Box
from place_search.core.rows import spread_rows
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors, Hit, best

Found = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Place ids and their cosines."""
Among = NDArray[np.bool_]
"""By place id, up to that of the last place there is: whether it may be found."""
FILTERED_CANDIDATES = 1500
"""At least so many may be compared exactly where a filter leaves out places."""
_SAMPLE = 64


class SnapshotStore(ABC):
    """A vector store opened for search. Thread-safe if what it inherits is."""

    def __init__(self, card: StoreCard, rows: Descriptors) -> None:
        self.kind: str = card.kind
        self._card = card
        self._rows = rows
        self._known = int(np.searchsorted(rows.place_ids, card.max_place_id, side="right"))
        """How many of the rows are in the snapshot."""
        self._exists: Among = np.zeros(int(rows.place_ids.max(initial=-1)) + 1, np.bool_)
        self._exists[rows.place_ids] = True
        late = list(rows.chunks(start=self._known))
        self._late = np.concatenate(late) if late else np.empty((0, rows.shape[1]), np.float32)

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
        count = len(ids) if among is None else int(np.count_nonzero(among))
        wanted = min(k, count)
        if wanted < 1:
            return []
        query = np.ascontiguousarray(descriptor, np.float32)
        if among is not None and count <= max(FILTERED_CANDIDATES, self._candidates(wanted)):
            few = np.flatnonzero(among)
            return best(few, self._cosines(few, query), wanted)
        known, similarities = self._in_snapshot(query, wanted, among, box)
        late = ids[self._known :]
        fresh = np.vecdot(self._late, query)
        if among is not None:
            asked = among[late]
            late, fresh = late[asked], fresh[asked]
        return best(np.concatenate([known, late]), np.concatenate([similarities, fresh]), wanted)

    def _among(self, only: NDArray[np.int64]) -> Among:
        """Flags of these ids, where there are such places: sorting a million ids takes longer."""
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
        wanted: int,
        among: Among | None,
        box: Box | None,
    ) -> Found:
        """At least the `wanted` best places that are in the snapshot, with their cosines.

        All places there are count, or those `among` flags.
        """

    @abstractmethod
    def _stored_ids(self) -> NDArray[np.int64]:
        """The place ids of all vectors in the snapshot, in any order."""

    def _candidates(self, wanted: int) -> int:
        return max(self._card.candidates, 4 * wanted)

    def _cosines(self, ids: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
        order = np.argsort(ids)  # ascending ids are found, and read, in half of the time
        rows = np.searchsorted(self._rows.place_ids, ids[order])
        cosines = np.empty(len(ids), np.float32)
        # Not a matrix product: its threads and those of FAISS keep one another waiting.
        cosines[order] = np.vecdot(self._rows.take(rows), query)
        return cosines

    def verify(self) -> list[str]:
        """How it disagrees with the rows it was opened for."""
        stored = np.sort(self._stored_ids())
        known = self._rows.place_ids[: self._known]
        problems = []
        if len(np.unique(stored)) < len(stored):
            problems.append("it holds a place twice")
        if lost := int((~np.isin(known, stored)).sum()):
            problems.append(f"it lacks {lost} places of the shards")
        if problems:
            return problems
        sample = spread_rows(len(self._rows.place_ids), _SAMPLE)
        for row, descriptor in zip(sample.tolist(), self._rows.take(sample), strict=True):
            hits = self.search(descriptor, 1)
            nearest = np.array([hit.place_id for hit in hits], np.int64)
            # By the shards' own descriptors: a place as near as itself will do, if it is so near.
            truly = self._cosines(nearest, descriptor)
            if not (truly >= descriptor @ descriptor - 1e-3).all() or not len(hits):
                problems.append(f"it does not find place {int(self._rows.place_ids[row])}")
        return problems
