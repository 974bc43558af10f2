"""FAISS, every descriptor compared as it is."""

from typing import Any

from place_search.indexer.stores.faiss_builder import FaissBuilder
from place_search.indexer.stores.faiss_store import faiss
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors


class Exact(FaissBuilder):
    """All descriptors side by side."""

    is_exact = True

    def empty(self, card: StoreCard, rows: Descriptors) -> Any:
        """A flat index."""
        return faiss.IndexIDMap2(faiss.IndexFlatIP(card.dims))

    def parameters(self, options: dict[str, Any], probes: int, candidates: int) -> Any:
        """Nothing to choose."""
        return faiss.SearchParameters(**options)


BUILDER = Exact()
