"""A batch of photos of one drive or night, searched by the differences between its descriptors."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Box
from place_search.core.rows import spread_rows
from place_search.indexer import Hit, Index
from place_search.search.tracks.standardize import Standard, Statistics, standards

_SAMPLE = 1024
"""The number of evenly spread places that the statistics of an index are measured on."""


class BatchStandards(NamedTuple):
    """The standards of the descriptors of `photos` queries, and of those of the places."""

    queries: Standard
    places: Standard
    photos: int

    @property
    def note(self) -> str:
        """The note of an answer whose places were ranked so."""
        return (
            f"Places are ranked by descriptors standardised over {self.photos} photos of the batch;"
            " similarities are those without it."
        )

    def ranked(
        self,
        index: Index,
        descriptor: NDArray[np.float32],
        k: int,
        *,
        only: NDArray[np.int64] | None,
        box: Box | None,
    ) -> Sequence[Hit]:
        """The k places most similar to a (D,) descriptor when both are standardised, best first."""
        [query] = self.queries.apply(descriptor[None])
        # A cosine with a standardised place is that of this vector with the place itself, but for
        # the places' own lengths: near enough to choose candidates by.
        hits = index.search(query / self.places.scale, k, only=only, box=box)
        ids = np.array([hit.place_id for hit in hits], np.int64)
        stored = index.descriptors().take(np.searchsorted(index.place_ids, ids))
        likeness = self.places.cosines(stored, query)
        similarities = stored @ (descriptor / np.linalg.norm(descriptor))
        return [
            Hit(int(ids[row]), float(similarities[row]))
            for row in np.argsort(-likeness, kind="stable")
        ]


def batch_standards(index: Index, descriptors: Iterable[NDArray[np.float32]]) -> BatchStandards:
    """The standards for queries of these (D,) descriptors among the places of an index."""
    queries, places = Statistics(index.dims), Statistics(index.dims)
    for descriptor in descriptors:
        queries.add(descriptor[None])
    places.add(index.descriptors().take(spread_rows(index.count, _SAMPLE)))
    return BatchStandards(*standards(queries, places), queries.count)
