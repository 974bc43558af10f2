"""FAISS, one-bit codes (RaBitQ; Gao & Long, SIGMOD 2024), all of them scanned."""

from typing import Any

from place_search.core.sampling import spread_rows
from place_search.indexer.stores.faiss_builder import TRAINING_ROWS, FaissBuilder, mean_row
from place_search.indexer.stores.faiss_store import QUERY_BITS, faiss
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors


class Rabitq(FaissBuilder):
    """Codes side by side."""

    def empty(self, card: StoreCard, rows: Descriptors) -> Any:
        """Codes relative to the mean of some rows."""
        codes: Any = faiss.IndexRaBitQ(card.dims, faiss.METRIC_INNER_PRODUCT)
        codes.train(mean_row(rows, spread_rows(rows.shape[0], TRAINING_ROWS)))
        return faiss.IndexIDMap2(codes)

    def parameters(self, options: dict[str, Any], probes: int, candidates: int) -> Any:
        """All codes are scanned."""
        return faiss.RaBitQSearchParameters(qb=QUERY_BITS, **options)


BUILDER = Rabitq()
