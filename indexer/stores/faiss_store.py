"""A FAISS index opened for search, beside the descriptors that it is an index of."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from place_search.core.files import utf8_path
from place_search.core.geodesy import Box
from place_search.indexer.errors import IndexFormatError
from place_search.indexer.stores.snapshot_store import (
    FILTERED_CANDIDATES,
    Among,
    Found,
    SnapshotStore,
)
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors

faiss: Any = _faiss  # its annotations lack keyword arguments

QUERY_BITS = 4
"""Bits a number of the query; without that FAISS takes some hundred times as long."""
FILTERED_SHARE = 0.02
"""Of the places that a filter leaves, how many are compared exactly at most."""
_FIRST_COMPARED = 64
"""Candidates that are always compared exactly."""
_ERRORS = 3.0
"""Root-mean-square errors of the codes' cosines by which a candidate must fall short to be left."""


class FaissKind(ABC):
    """A kind of FAISS index."""

    @abstractmethod
    def empty(self, card: StoreCard, rows: Descriptors) -> Any:
        """An index that is trained and holds nothing."""

    @abstractmethod
    def parameters(self, options: dict[str, Any], probes: int, candidates: int) -> Any:
        """FAISS's parameters of a search; `options` restrict it to some ids."""


class FaissStore(SnapshotStore):
    """A FAISS index opened for search. Thread-safe."""

    def __init__(self, kind: FaissKind, card: StoreCard, path: Path, rows: Descriptors) -> None:
        """Open an index file whose checksum the caller has found right.

        Raises:
            IndexFormatError: FAISS cannot read the file, or it is not the index of these rows.
        """
        try:
            # Copied, not mapped: a mapped file that is cut short ends the process (SIGBUS).
            with utf8_path(path) as name:
                self._index: Any = faiss.read_index(name)
        except RuntimeError as error:
            raise IndexFormatError(
                f"{path} is not a FAISS index that this version reads; index the photos again."
            ) from error
        super().__init__(card, rows)
        self._faiss_kind = kind
        fits = (self._index.ntotal, self._index.d) == (card.count, rows.shape[1])
        if not fits or self._known > card.count:
            raise IndexFormatError(f"{path} does not fit its shards; index the photos again.")
        self._is_rotated = isinstance(self._index, faiss.IndexPreTransform)
        lists = faiss.try_extract_index_ivf(self._index)
        if lists is not None:
            lists.parallel_mode = 1  # the lists of one query by all threads
        stored = self._exists[: card.max_place_id + 1]
        self._live = np.packbits(stored, bitorder="little") if self._known < card.count else None

    def _in_snapshot(
        self,
        query: NDArray[np.float32],
        wanted: int,
        among: Among | None,
        box: Box | None,
    ) -> Found:
        stored = (self._exists if among is None else among)[: self._card.max_place_id + 1]
        there = self._known if among is None else int(np.count_nonzero(stored))
        if not there:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        bitmap = self._live if among is None else np.packbits(stored, bitorder="little")
        # Lists near the query may hold little that a filter lets pass: then all are probed. And
        # what is left lies further from the query, where codes tell vectors apart less well.
        few = 2 * there < self._known
        probes = self._card.lists if few else self._card.probes
        while True:
            options = {} if bitmap is None else {"sel": faiss.IDSelectorBitmap(bitmap)}
            candidates = self._candidates(wanted)
            if few:
                candidates = max(candidates, FILTERED_CANDIDATES, int(FILTERED_SHARE * there))
            parameters = self._faiss_kind.parameters(options, probes, candidates)
            if self._is_rotated:
                parameters = faiss.SearchParametersPreTransform(index_params=parameters)
            most = min(candidates, there)
            (cosines,), (places,) = self._index.search(query[None], most, params=parameters)
            cosines, places = cosines[places >= 0], places[places >= 0]
            if len(places) >= min(wanted, there):
                break
            if probes == self._card.lists:  # a graph, in which the filter left islands
                return self._exhaustive(query, np.flatnonzero(stored), wanted)
            probes = self._card.lists
        return self._compared(query, places, cosines, wanted)

    def _compared(
        self,
        query: NDArray[np.float32],
        places: NDArray[np.int64],
        estimates: NDArray[np.float32],
        wanted: int,
    ) -> Found:
        """Those of the candidates that may be among the `wanted` best, with their cosines.

        `estimates` are what codes say of the cosines, descending. How wrong they were so far says
        how much better than its estimate a candidate may be.
        """
        exact = np.empty(0, np.float32)
        done = max(_FIRST_COMPARED, wanted)
        while True:
            start, done = len(exact), min(done, len(places))
            exact = np.concatenate([exact, self._cosines(places[start:done], query)])
            if done == len(places):
                break
            error = np.sqrt(np.mean((exact - estimates[:done]) ** 2))
            if np.partition(exact, -wanted)[-wanted] > estimates[done] + _ERRORS * error:
                break
            done *= 2
        return places[:done], exact

    def _stored_ids(self) -> NDArray[np.int64]:
        return stored_ids(self._index)


def rotated(codes: Any, dims: int) -> Any:
    """An index of rotated descriptors, with cosines unchanged: what RaBitQ's estimates ask for.

    Without it they are worse the more a few numbers weigh: of the ten nearest of those that a
    filter leaves, the best thousand by code held 60 %, with it 97 to 99 %.

    Args:
        codes: an index of `code_dims(dims)` numbers.
        dims: numbers of a descriptor.
    """
    return faiss.IndexPreTransform(faiss.HadamardRotation(dims), codes)


def stored_ids(index: Any) -> NDArray[np.int64]:
    """The place ids of all vectors in a FAISS index."""
    if isinstance(index, faiss.IndexPreTransform):
        return stored_ids(faiss.downcast_index(index.index))
    if isinstance(index, faiss.IndexIVF):
        lists = index.invlists
        parts = [
            faiss.rev_swig_ptr(lists.get_ids(at), lists.list_size(at)).copy()
            for at in range(index.nlist)
            if lists.list_size(at)
        ]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)
    return np.asarray(faiss.vector_to_array(index.id_map), np.int64)
