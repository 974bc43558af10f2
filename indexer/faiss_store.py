"""A FAISS index opened for search, beside the descriptors that it is an index of.

Compressed kinds give candidates, which are then compared exactly, with the descriptors read from
the shards. Places that were added after the file was written are few: all of them are compared.
"""

from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from indexer.errors import IndexFormatError
from indexer.store_card import StoreCard
from indexer.vectors import Hit, Rows, best

faiss: Any = _faiss  # its annotations lack keyword arguments

QUERY_BITS = 8
"""Bits a number of the query; without that FAISS takes some hundred times as long."""
_SAMPLE = 64


class FaissStore:
    """A FAISS index opened for search. Thread-safe."""

    def __init__(self, card: StoreCard, path: Path, rows: Rows) -> None:
        """Open an index file whose checksum the caller has found right.

        Raises:
            IndexFormatError: FAISS cannot read the file, or it is not the index of these rows.
        """
        try:
            # Mapped, not copied: opening is quick, and readers of one index share its memory.
            self._index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise IndexFormatError(
                f"{path} is not a FAISS index that this version reads; index the photos again."
            ) from error
        self.kind: str = card.kind
        self._card = card
        self._rows = rows
        self._known = int(np.searchsorted(rows.place_ids, card.through, side="right"))
        """How many of the rows are in the file."""
        fits = (self._index.ntotal, self._index.d) == (card.count, rows.shape[1])
        if not fits or self._known > card.count:
            raise IndexFormatError(f"{path} does not fit its shards; index the photos again.")
        self._live = self._bitmap(rows.place_ids) if self._known < card.count else None
        late = list(rows.chunks(start=self._known))
        self._late = np.concatenate(late) if late else np.empty((0, rows.shape[1]), np.float32)

    def search(
        self, descriptor: NDArray[np.float32], k: int, *, only: NDArray[np.int64] | None = None
    ) -> list[Hit]:
        """The k places most similar to a (D,) descriptor of norm 1, the best first."""
        ids = self._rows.place_ids
        if only is not None:
            only = np.intersect1d(only, ids)
        wanted = min(k, len(ids) if only is None else len(only))
        if wanted < 1:
            return []
        query = np.ascontiguousarray(descriptor, np.float32)
        if only is not None and len(only) <= self._candidates(wanted):
            return best(only, self._cosines(only, query), wanted)
        found, similarities = self._in_file(query, wanted, only)
        late = ids[self._known :]
        fresh = np.vecdot(self._late, query)
        if only is not None:
            asked = np.isin(late, only)
            late, fresh = late[asked], fresh[asked]
        return best(np.concatenate([found, late]), np.concatenate([similarities, fresh]), wanted)

    def _candidates(self, wanted: int) -> int:
        return wanted if self.kind == "exact" else max(self._card.candidates, 4 * wanted)

    def _in_file(
        self, query: NDArray[np.float32], wanted: int, only: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """At least the `wanted` best places that are in the file, with their cosines."""
        ids = self._rows.place_ids[: self._known] if only is None else only
        there = int(np.searchsorted(ids, self._card.through, side="right"))
        if not there:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        bitmap = self._live if only is None else self._bitmap(only)
        # Lists near the query may hold little that the filter lets pass: then all are probed.
        probes = self._card.probes if only is None else self._card.lists
        while True:
            selector = None if bitmap is None else faiss.IDSelectorBitmap(bitmap)
            similarities, found = self._index.search(
                query[None],
                min(self._candidates(wanted), there),
                params=self._parameters(selector, probes, wanted),
            )
            found, similarities = found[0], similarities[0]
            found, similarities = found[found >= 0], similarities[found >= 0]
            if len(found) >= min(wanted, there):
                break
            if probes == self._card.lists:  # a graph, in which the filter left islands
                return self._exhaustive(query, ids[:there], wanted)
            probes = self._card.lists
        if self.kind != "exact":
            similarities = self._cosines(found, query)
        return found, similarities

    def _parameters(self, selector: Any, probes: int, wanted: int) -> Any:
        candidates = self._candidates(wanted)
        options: dict[str, Any] = {} if selector is None else {"sel": selector}
        if self.kind == "exact":
            return faiss.SearchParameters(**options)
        if self.kind == "rabitq":
            return faiss.RaBitQSearchParameters(qb=QUERY_BITS, **options)
        if self.kind == "ivf-rabitq":
            return faiss.IVFRaBitQSearchParameters(nprobe=probes, qb=QUERY_BITS, **options)
        return faiss.SearchParametersHNSW(efSearch=candidates, **options)

    def _bitmap(self, ids: NDArray[np.int64]) -> NDArray[np.uint8]:
        """One bit for each place id up to the last in the file: whether it is among these."""
        flags = np.zeros(self._card.through + 1, np.bool_)
        flags[ids[: np.searchsorted(ids, len(flags))]] = True
        return np.packbits(flags, bitorder="little")

    def _cosines(self, ids: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = np.searchsorted(self._rows.place_ids, ids)
        # Not a matrix product: its threads and those of FAISS keep one another waiting.
        return np.asarray(np.vecdot(self._rows.take(rows), query))

    def _exhaustive(
        self, query: NDArray[np.float32], ids: NDArray[np.int64], wanted: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        hits: list[Hit] = []
        for start in range(0, len(ids), 1024):
            some = ids[start : start + 1024]
            hits = sorted(
                [*hits, *best(some, self._cosines(some, query), wanted)],
                key=lambda hit: (-hit.similarity, hit.place_id),
            )[:wanted]
        return (
            np.array([hit.place_id for hit in hits], np.int64),
            np.array([hit.similarity for hit in hits], np.float32),
        )

    def verify(self) -> list[str]:
        """How it disagrees with the rows it was opened for."""
        stored = np.sort(stored_ids(self._index))
        known = self._rows.place_ids[: self._known]
        problems = []
        if len(np.unique(stored)) < len(stored):
            problems.append("it holds a place twice")
        if lost := int((~np.isin(known, stored)).sum()):
            problems.append(f"it lacks {lost} places of the shards")
        if problems:
            return problems
        sample = np.unique(np.linspace(0, len(self._rows.place_ids) - 1, _SAMPLE).astype(np.int64))
        for row, descriptor in zip(sample.tolist(), self._rows.take(sample), strict=True):
            hits = self.search(descriptor, 1)
            nearest = np.array([hit.place_id for hit in hits], np.int64)
            # By the shards' own descriptors: a place as near as itself will do, if it is so near.
            truly = self._cosines(nearest, descriptor)
            if not (truly >= descriptor @ descriptor - 1e-3).all() or not len(hits):
                problems.append(f"it does not find place {int(self._rows.place_ids[row])}")
        return problems


def stored_ids(index: Any) -> NDArray[np.int64]:
    """The place ids of all vectors in a FAISS index."""
    if isinstance(index, faiss.IndexIVF):
        lists = index.invlists
        parts = [
            faiss.rev_swig_ptr(lists.get_ids(at), lists.list_size(at)).copy()
            for at in range(index.nlist)
            if lists.list_size(at)
        ]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)
    return np.asarray(faiss.vector_to_array(index.id_map), np.int64)
