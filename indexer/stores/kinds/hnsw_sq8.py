"""FAISS, a graph (HNSW; Malkov & Yashunin 2020) over numbers of 8 bits."""

from typing import Any

from place_search.core.rows import spread_rows
from place_search.indexer.stores.faiss_builder import TRAINING_ROWS, FaissBuilder
from place_search.indexer.stores.faiss_store import faiss
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors


class HnswSq8(FaissBuilder):
    """A graph of descriptors."""

    removes = False

    def empty(self, card: StoreCard, rows: Descriptors) -> Any:
        """A graph without nodes, its 8 bits fitted to the range of some rows."""
        codes: Any = faiss.index_factory(card.dims, "HNSW32_SQ8", faiss.METRIC_INNER_PRODUCT)
        codes.train(rows.take(spread_rows(rows.shape[0], TRAINING_ROWS)))
        return faiss.IndexIDMap2(codes)

    def parameters(self, options: dict[str, Any], probes: int, candidates: int) -> Any:
        """The search keeps `candidates` nodes."""
        return faiss.SearchParametersHNSW(efSearch=candidates, **options)


BUILDER = HnswSq8()
