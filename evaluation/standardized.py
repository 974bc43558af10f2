"""Queries and database, each standardised by its own statistics (Schubert et al. 2020)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.rows import spread_rows
from place_search.evaluation.ranking import Chunk
from place_search.evaluation.truth.ground_truth import Rows
from place_search.search.tracks.standardize import Standard, Statistics, standards

USUAL = 256
"""Photos of the database, evenly spread, that say which similarities are usual."""


class Standards(NamedTuple):
    """What to standardise queries and database by; `usual` are (n, D) standardised photos."""

    queries: Standard
    database: Standard
    usual: NDArray[np.float32]

    def chunks(self, database: Iterable[Chunk]) -> Iterator[Chunk]:
        """The chunks of a database, standardised."""
        for rows, descriptors in database:
            yield rows, self.database.apply(descriptors)


def measure_standards(
    database: Iterable[Chunk],
    count: int,
    queries: Iterable[NDArray[np.float32]],
    lost: Rows,
    dims: int,
) -> Standards:
    """The standards of a database of `count` photos, of which `lost` could not be read."""
    of_queries, of_places = Statistics(dims), Statistics(dims)
    chosen = spread_rows(count, USUAL)
    chosen = chosen[~np.isin(chosen, lost)]
    usual = []
    for rows, descriptors in database:
        there = ~np.isin(rows, lost)
        of_places.add(descriptors[there])
        usual.append(descriptors[np.isin(rows, chosen)])
    for block in queries:
        of_queries.add(block)
    query, place = standards(of_queries, of_places)
    return Standards(query, place, place.apply(np.concatenate(usual)))
