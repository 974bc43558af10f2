"""FAISS, one-bit codes (RaBitQ; Gao & Long, SIGMOD 2024), all of them scanned."""

from typing import Any

from place_search.indexer.stores.faiss_builder import TRAINING_ROWS, FaissBuilder, mean_row
from place_search.indexer.stores.faiss_store import QUERY_BITS, FaissStore, faiss
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.tuning import spread
from place_search.indexer.stores.vectors import Rows


class RabitqStore(FaissStore):
    """Codes side by side."""

    def _parameters(self, options: dict[str, Any], probes: int, candidates: int) -> Any:
        return faiss.RaBitQSearchParameters(qb=QUERY_BITS, **options)


class RabitqBuilder(FaissBuilder):
    """Makes stores of one-bit codes."""

    store = RabitqStore

    def empty(self, card: StoreCard, rows: Rows) -> Any:
        """Codes relative to the mean of some rows."""
        codes: Any = faiss.IndexRaBitQ(card.dims, faiss.METRIC_INNER_PRODUCT)
        codes.train(mean_row(rows, spread(rows, TRAINING_ROWS)))
        return faiss.IndexIDMap2(codes)


BUILDER = RabitqBuilder()
