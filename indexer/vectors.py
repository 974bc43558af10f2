"""Vector stores: what an index asks of the engine that finds its nearest descriptors."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Hit(NamedTuple):
    """A place and the cosine of its descriptor with the query's."""

    place_id: int
    similarity: float


class Rows(Protocol):
    """Descriptors on disk in the order of their ascending place ids."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions."""
        ...

    @property
    def place_ids(self) -> NDArray[np.int64]:
        """The place id of each row, ascending."""
        ...

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """These rows, (len(rows), D)."""
        ...

    def chunks(self, rows: int = 1024) -> Iterator[NDArray[np.float32]]:
        """All rows in their order, (≤ rows, D) at a time."""
        ...


class VectorStore(Protocol):
    """An engine opened for search. Thread-safe."""

    @property
    def kind(self) -> str:
        """What the manifest calls this kind of store."""
        ...

    def search(
        self, descriptor: NDArray[np.float32], k: int, *, only: NDArray[np.int64] | None = None
    ) -> list[Hit]:
        """The k places most similar to a (D,) descriptor of norm 1, the best first.

        Similarities are exact cosines; places of equal similarity come by ascending id. `only`
        restricts the search to these place ids, of which some may not exist.
        """
        ...


def best(place_ids: NDArray[np.int64], similarities: NDArray[np.float32], k: int) -> list[Hit]:
    """The k best of these candidates, equal ones by ascending id."""
    order = np.lexsort((place_ids, -similarities))[:k]
    return [Hit(int(place_ids[row]), float(similarities[row])) for row in order]


def exact_search(
    rows: Rows, queries: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Search for (Q, D) queries by brute force, reading every descriptor once.

    Returns:
        place ids (Q, min(k, N)) int64 and cosines of the same shape, the best first.
    """
    ids = np.empty((len(queries), 0), np.int64)
    similarities = np.empty((len(queries), 0), np.float32)
    start = 0
    for chunk in rows.chunks():
        found = np.tile(rows.place_ids[start : start + len(chunk)], (len(queries), 1))
        start += len(chunk)
        ids = np.concatenate([ids, found], axis=1)
        similarities = np.concatenate([similarities, queries @ chunk.T], axis=1)
        order = np.lexsort((ids, -similarities), axis=1)[:, :k]
        ids = np.take_along_axis(ids, order, axis=1)
        similarities = np.take_along_axis(similarities, order, axis=1)
    return ids, similarities
