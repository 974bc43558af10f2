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
"""The number of database photos, evenly spread, that give a query's usual similarities."""


class Standards(NamedTuple):
    """The statistics to standardise queries and database by; `usual` are (n, D) standardised."""

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
    unreadable: Rows,
    dims: int,
) -> Standards:
    """The standards of a database of `count` photos without the rows `unreadable`."""
    of_queries, of_places = Statistics(dims), Statistics(dims)
    usual_rows = spread_rows(count, USUAL)
    usual_rows = usual_rows[~np.isin(usual_rows, unreadable)]
    usual = []
    for rows, descriptors in database:
        readable = ~np.isin(rows, unreadable)
        of_places.add(descriptors[readable])
        usual.append(descriptors[np.isin(rows, usual_rows)])
    for block in queries:
        of_queries.add(block)
    query, place = standards(of_queries, of_places)
    return Standards(query, place, place.apply(np.concatenate(usual)))
