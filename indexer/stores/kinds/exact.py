"""FAISS, every descriptor compared as it is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.indexer.stores.faiss_builder import FaissBuilder
from place_search.indexer.stores.faiss_store import FaissStore, faiss
from place_search.indexer.stores.snapshot_store import Found
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Rows


class ExactStore(FaissStore):
    """All descriptors side by side."""

    def _parameters(self, options: dict[str, Any], probes: int, candidates: int) -> Any:
        return faiss.SearchParameters(**options)

    def _candidates(self, wanted: int) -> int:
        return wanted

    def _compared(
        self,
        found: NDArray[np.int64],
        similarities: NDArray[np.float32],
        query: NDArray[np.float32],
    ) -> Found:
        return found, similarities


class ExactBuilder(FaissBuilder):
    """Makes exact stores."""

    store = ExactStore
    is_exact = True

    def empty(self, card: StoreCard, rows: Rows) -> Any:
        """A flat index."""
        return faiss.IndexIDMap2(faiss.IndexFlatIP(card.dims))


BUILDER = ExactBuilder()
