"""A FAISS index opened for search, with the descriptors that it indexes."""

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
    Candidates,
    SnapshotStore,
)
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors

faiss: Any = _faiss  # its annotations lack keyword arguments

QUERY_BITS = 4
"""Bits for each number of the query; unquantised queries take a hundred times as long."""
FILTERED_PROBES = 2
"""The least factor by which a filtered search scans more lists than a search without filter."""
_MOST_NEARBY = 32
"""The number of lists by which the share of passing places nearby is estimated."""
_NEAREST, _PASSING = 128, 4
"""Of the `_NEAREST` nodes of a graph `_PASSING` must pass a filter; else all codes are read."""
_FIRST_COMPARED = 64
"""The number of candidates that are always compared exactly."""
_ERRORS = 2.5
"""Root-mean-square errors of codes below the k-th best cosine from which estimates are dropped."""


class FaissKind(ABC):
    """A kind of FAISS index."""

    @abstractmethod
    def empty(self, card: StoreCard, rows: Descriptors) -> Any:
        """A trained index without vectors."""

    @abstractmethod
    def parameters(self, options: dict[str, Any], probes: int, candidates: int) -> Any:
        """FAISS's parameters of a search; `options` restrict the search to some ids."""


class FaissStore(SnapshotStore):
    """A FAISS index opened for search. Thread-safe."""

    def __init__(self, kind: FaissKind, card: StoreCard, path: Path, rows: Descriptors) -> None:
        """Open an index file whose checksum the caller has found right.

        Raises:
            IndexFormatError: FAISS cannot read the file, or the file is no index of these rows.
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
        self._require_fit(path, self._index.ntotal, self._index.d)
        self._is_rotated = isinstance(self._index, faiss.IndexPreTransform)
        self._lists = faiss.try_extract_index_ivf(self._index)
        if self._lists is not None:
            self._lists.parallel_mode = 1  # the lists of one query by all threads
        self._graph = _graph_in(self._index)
        stored = self._exists[: card.max_place_id + 1]
        self._live = (
            np.packbits(stored, bitorder="little") if self._snapshot_count < card.count else None
        )

    def _in_snapshot(
        self,
        query: NDArray[np.float32],
        k: int,
        among: Among | None,
        box: Box | None,
    ) -> Candidates:
        stored = (self._exists if among is None else among)[: self._card.max_place_id + 1]
        passing_count = self._snapshot_count if among is None else int(np.count_nonzero(stored))
        if not passing_count:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        bitmap = self._live if among is None else np.packbits(stored, bitorder="little")
        # Places that pass a filter are further from the query: they are spread over more lists, and
        # codes tell far vectors apart less well.
        probes, candidates = self._card.probes, self._candidates(k)
        if passing_count < self._snapshot_count:
            probes = self._filtered_probes(query, stored)
            candidates = max(candidates, FILTERED_CANDIDATES)
        limit = min(candidates, passing_count)
        if (
            passing_count < self._snapshot_count
            and self._graph is not None
            and not self._passes_nearby(query, stored)
        ):
            return self._compare_exactly(query, *self._scan_codes(query, stored, limit), k)
        options = {} if bitmap is None else {"sel": faiss.IDSelectorBitmap(bitmap)}
        for probe_count in dict.fromkeys((probes, self._card.lists)):
            parameters = self._faiss_kind.parameters(options, probe_count, candidates)
            if self._is_rotated:
                parameters = faiss.SearchParametersPreTransform(index_params=parameters)
            (cosines,), (places,) = self._index.search(query[None], limit, params=parameters)
            cosines, places = cosines[places >= 0], places[places >= 0]
            # Where lists near the query hold too few passing places, all lists are probed.
            if len(places) == limit:
                break
        if self._graph is not None and len(places) < min(k, passing_count):
            # The filter has split the graph into islands.
            places, cosines = self._scan_codes(query, stored, limit)
        return self._compare_exactly(query, places, cosines, k)

    def _filtered_probes(self, query: NDArray[np.float32], stored: Among) -> int:
        """The number of lists to probe for a filter: the more, the fewer places nearby pass it."""
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

    def _passes_nearby(self, query: NDArray[np.float32], stored: Among) -> bool:
        """Whether some of the nearest nodes pass a filter, so that the graph leads to others."""
        options = self._faiss_kind.parameters({}, 0, _NEAREST)
        _, (places,) = self._index.search(query[None], _NEAREST, params=options)
        places = places[(places >= 0) & (places < len(stored))]
        return int(np.count_nonzero(stored[places])) >= _PASSING

    def _scan_codes(
        self, query: NDArray[np.float32], stored: Among, limit: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The best passing nodes of a graph, and their cosines, by a scan of all codes."""
        ids = self._stored_ids()
        flags = np.zeros(len(ids), np.bool_)
        in_range = ids < len(stored)
        flags[in_range] = stored[ids[in_range]]
        selector = faiss.IDSelectorBitmap(np.packbits(flags, bitorder="little"))
        codes = faiss.downcast_index(self._graph.storage)
        options = faiss.SearchParameters(sel=selector)
        (cosines,), (rows,) = codes.search(query[None], limit, params=options)
        return ids[rows[rows >= 0]], cosines[rows >= 0]

    def _compare_exactly(
        self,
        query: NDArray[np.float32],
        places: NDArray[np.int64],
        estimates: NDArray[np.float32],
        k: int,
    ) -> Candidates:
        """The candidates that may be among the `k` best, with their exact cosines.

        `estimates` are the cosines by codes, descending. The error of the candidates compared so
        far tells how far a candidate may exceed its estimate.
        """
        exact = np.empty(0, np.float32)
        compared = max(_FIRST_COMPARED, k)
        while True:
            start, compared = len(exact), min(compared, len(places))
            exact = np.concatenate([exact, self._cosines(places[start:compared], query)])
            if compared == len(places):
                break
            error = np.sqrt(np.mean((exact - estimates[:compared]) ** 2))
            least = np.partition(exact, -k)[-k] - _ERRORS * error
            promising = int(np.count_nonzero(estimates >= least))
            if promising <= compared:
                break
            compared = min(promising, 2 * compared)
        return places[:compared], exact

    def _stored_ids(self) -> NDArray[np.int64]:
        return stored_ids(self._index)


def rotate_codes(codes: Any, dims: int) -> Any:
    """An index of rotated descriptors, with unchanged cosines, as RaBitQ's estimates require.

    Without the rotation, estimates are worse the more a few numbers dominate: of the ten nearest
    passing places the best thousand codes held 60 %, with the rotation 97 to 99 %.

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
