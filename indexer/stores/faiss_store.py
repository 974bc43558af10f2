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
FILTERED_PROBES = 2
"""How much more is scanned of what a filter lets pass than of all places without one, at least."""
_MOST_NEARBY = 32
"""Lists that tell how much a filter lets pass nearby."""
_NEAREST, _PASSING = 128, 4
"""Of so many nearest nodes of a graph, those that must pass a filter; else all codes are read."""
_FIRST_COMPARED = 64
"""Candidates that are always compared exactly."""
_ERRORS = 2.5
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
        self._lists = faiss.try_extract_index_ivf(self._index)
        if self._lists is not None:
            self._lists.parallel_mode = 1  # the lists of one query by all threads
        self._graph = _graph_in(self._index)
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
        # What a filter lets pass lies further from the query: over more lists, and where codes tell
        # vectors apart less well.
        probes, candidates = self._card.probes, self._candidates(wanted)
        if there < self._known:
            probes = self._filtered_probes(query, stored)
            candidates = max(candidates, FILTERED_CANDIDATES)
        most = min(candidates, there)
        if there < self._known and self._graph is not None and not self._passes(query, stored):
            return self._compared(query, *self._scanned(query, stored, most), wanted)
        options = {} if bitmap is None else {"sel": faiss.IDSelectorBitmap(bitmap)}
        for probed in dict.fromkeys((probes, self._card.lists)):
            parameters = self._faiss_kind.parameters(options, probed, candidates)
            if self._is_rotated:
                parameters = faiss.SearchParametersPreTransform(index_params=parameters)
            (cosines,), (places,) = self._index.search(query[None], most, params=parameters)
            cosines, places = cosines[places >= 0], places[places >= 0]
            # Lists near the query may hold little of what a filter lets pass: then all are probed.
            if len(places) == most:
                break
        if self._graph is not None and len(places) < min(wanted, there):
            # The filter left islands.
            places, cosines = self._scanned(query, stored, most)
        return self._compared(query, places, cosines, wanted)

    def _filtered_probes(self, query: NDArray[np.float32], stored: Among) -> int:
        """How many lists to probe for a filter: more, the less it lets pass of those nearby."""
        probes, lists = FILTERED_PROBES * self._card.probes, self._card.lists
        if probes >= lists:
            return lists
        rotated = query[None]
        if self._is_rotated:
            rotated = faiss.downcast_VectorTransform(self._index.chain.at(0)).apply(rotated)
        _, (nearby,) = self._lists.quantizer.search(rotated, min(probes, _MOST_NEARBY))
        ids = np.concatenate([_ids_in_list(self._lists.invlists, at) for at in nearby.tolist()])
        passed = int(np.count_nonzero(stored[ids[ids < len(stored)]]))
        return min(probes * len(ids) // passed, lists) if passed else lists

    def _passes(self, query: NDArray[np.float32], stored: Among) -> bool:
        """Whether a filter leaves some of the nearest nodes, from which a graph finds others."""
        options = self._faiss_kind.parameters({}, 0, _NEAREST)
        _, (places,) = self._index.search(query[None], _NEAREST, params=options)
        places = places[(places >= 0) & (places < len(stored))]
        return int(np.count_nonzero(stored[places])) >= _PASSING

    def _scanned(
        self, query: NDArray[np.float32], stored: Among, most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The best of a graph's nodes that a filter leaves, and their cosines, by all codes."""
        ids = self._stored_ids()
        flags = np.zeros(len(ids), np.bool_)
        known = ids < len(stored)
        flags[known] = stored[ids[known]]
        selector = faiss.IDSelectorBitmap(np.packbits(flags, bitorder="little"))
        codes = faiss.downcast_index(self._graph.storage)
        options = faiss.SearchParameters(sel=selector)
        (cosines,), (rows,) = codes.search(query[None], most, params=options)
        return ids[rows[rows >= 0]], cosines[rows >= 0]

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
            least = np.partition(exact, -wanted)[-wanted] - _ERRORS * error
            needed = int(np.count_nonzero(estimates >= least))
            if needed <= done:
                break
            done = min(needed, 2 * done)
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
        return np.concatenate([_ids_in_list(index.invlists, at) for at in range(index.nlist)])
    return np.asarray(faiss.vector_to_array(index.id_map), np.int64)


def _graph_in(index: Any) -> Any:
    """The graph in an index; None where it is of another kind."""
    inner = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexIDMap) else None
    return inner if isinstance(inner, faiss.IndexHNSW) else None


def _ids_in_list(lists: Any, at: int) -> NDArray[np.int64]:
    """The place ids in one of FAISS's inverted lists: a copy."""
    size = lists.list_size(at)
    if not size:
        return np.empty(0, np.int64)
    return np.asarray(faiss.rev_swig_ptr(lists.get_ids(at), size), np.int64).copy()
