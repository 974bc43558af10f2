"""FAISS, one-bit codes (RaBitQ; Gao & Long, SIGMOD 2024), all of them scanned."""

from typing import Any

from place_search.core.rows import spread_rows
from place_search.indexer.stores.faiss_builder import TRAINING_ROWS, FaissBuilder, mean_row
from place_search.indexer.stores.faiss_store import QUERY_BITS, faiss, rotate_codes
from place_search.indexer.stores.store_card import StoreCard, code_dims
from place_search.indexer.stores.vectors import Descriptors


class Rabitq(FaissBuilder):
    """Codes side by side."""

    rotates = True

    def empty(self, card: StoreCard, rows: Descriptors) -> Any:
        """Codes relative to the mean of some rows."""
        codes = faiss.IndexRaBitQ(code_dims(card.dims), faiss.METRIC_INNER_PRODUCT)
        index = rotate_codes(faiss.IndexIDMap2(codes), card.dims)
        index.train(mean_row(rows, spread_rows(rows.shape[0], TRAINING_ROWS)))
        return index

    def parameters(self, options: dict[str, Any], probes: int, candidates: int) -> Any:
        """All codes are scanned."""
        return faiss.RaBitQSearchParameters(qb=QUERY_BITS, **options)


BUILDER = Rabitq()
