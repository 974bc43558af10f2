"""FAISS, lists of one-bit codes, of which those near the query are scanned."""

from typing import Any

from place_search.core.rows import spread_rows
from place_search.indexer.stores.faiss_builder import FaissBuilder
from place_search.indexer.stores.faiss_store import QUERY_BITS, faiss, rotate_codes
from place_search.indexer.stores.store_card import StoreCard, code_dims
from place_search.indexer.stores.vectors import Descriptors

ROWS_A_LIST = 40
"""The descriptors that each centre of a list is fitted to; FAISS recommends 39."""
ROUNDS = 10
"""Rounds of k-means."""


class IvfRabitq(FaissBuilder):
    """Lists of codes."""

    rotates = True

    def empty(self, card: StoreCard, rows: Descriptors) -> Any:
        """Lists around centres that are fitted to some rows; FAISS's lists keep place ids."""
        codes: Any = faiss.index_factory(
            code_dims(card.dims), f"IVF{card.lists},RaBitQ", faiss.METRIC_INNER_PRODUCT
        )
        codes.cp.niter = ROUNDS
        codes.cp.min_points_per_centroid = 1  # else small indexes cause a warning
        index = rotate_codes(codes, card.dims)
        index.train(rows.take(spread_rows(rows.shape[0], ROWS_A_LIST * card.lists)))
        return index

    def parameters(self, options: dict[str, Any], probes: int, candidates: int) -> Any:
        """The nearest `probes` lists are scanned."""
        return faiss.IVFRaBitQSearchParameters(nprobe=probes, qb=QUERY_BITS, **options)


BUILDER = IvfRabitq()
