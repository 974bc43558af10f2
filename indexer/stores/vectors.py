"""The interface of vector stores: engines that find the nearest descriptors of an index."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import FileStamp
from place_search.core.geodesy import Box
from place_search.indexer.stores.store_card import StoreCard


class Hit(NamedTuple):
    """A place and the cosine of its descriptor with the query's."""

    place_id: int
    similarity: float


class Descriptors(Protocol):
    """The descriptors of all places, by ascending place id."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions."""

    @property
    def place_ids(self) -> NDArray[np.int64]:
        """The place id of each row, ascending."""

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """These rows, (len(rows), D)."""

    def chunks(self, rows: int = 1024, *, start: int = 0) -> Iterator[NDArray[np.float32]]:
        """All rows from `start` on in their order, (≤ rows, D) at a time."""

    def stored_chunks(
        self, rows: int = 1024, *, start: int = 0
    ) -> Iterator[NDArray[np.int8] | NDArray[np.float32]]:
        """The rows of `chunks` as they are stored: float32, or int8 codes of any norm."""

    def column(self, key: str, *, start: int = 0) -> NDArray[Any]:
        """A small column of the rows from `start` on: `name`, `latitude`, …"""


class VectorStore(Protocol):
    """An engine opened for search. Thread-safe."""

    @property
    def kind(self) -> str:
        """The name of this kind of store in the manifest."""

    def search(
        self,
        descriptor: NDArray[np.float32],
        k: int,
        *,
        only: NDArray[np.int64] | None = None,
        box: Box | None = None,
    ) -> list[Hit]:
        """The k places most similar to a (D,) descriptor of norm 1, the best first.

        Similarities are exact cosines; places of equal similarity come by ascending id. `only`
        restricts the search to these place ids, of which some may not exist; a `box` that holds
        all of them helps engines that know positions. Fewer than k are returned only where there
        are no more places.

        Raises:
            StoreOutageError: a separate engine does not answer.
        """

    def verify(self) -> list[str]:
        """Sentences on how the store disagrees with the rows that it was opened for."""


class StoreBuilder(Protocol):
    """A kind of vector store: it builds, updates and opens the file of a store.

    The file is a snapshot of earlier rows. A store that is opened for newer rows goes by these: it
    never finds a place that they lack, and compares newer places without the file. So the file
    stays when places are added and removed, until `update` takes up the changes.
    """

    @property
    def is_exact(self) -> bool:
        """Whether the search is exhaustive, so that nothing is fitted to the rows."""

    @property
    def drops_removed(self) -> bool:
        """Whether `update` can remove vectors from the file."""

    def build(
        self, card: StoreCard, rows: Descriptors, path: Path
    ) -> tuple[StoreCard, FileStamp | None]:
        """Write a file for these rows. Returns the card of the file.

        A store that compares the rows themselves writes none.
        """

    def update(
        self, card: StoreCard, old: Path, rows: Descriptors, path: Path
    ) -> tuple[StoreCard, FileStamp | None]:
        """Write the successor of the file `old`, whose checksum holds, for the current rows."""

    def open(self, card: StoreCard, path: Path, rows: Descriptors) -> VectorStore:
        """Open a file whose checksum holds.

        Raises:
            IndexFormatError: the engine cannot read the file, or it does not fit card and rows.
        """


def best(place_ids: NDArray[np.int64], similarities: NDArray[np.float32], k: int) -> list[Hit]:
    """The k best candidates; those of equal similarity by ascending id."""
    order = np.lexsort((place_ids, -similarities))[:k]
    return [Hit(int(place_ids[row]), float(similarities[row])) for row in order]


def exact_search(
    rows: Descriptors, queries: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Search for (Q, D) queries by brute force, reading every descriptor once.

    Returns:
        place ids (Q, min(k, N)) int64 and cosines of the same shape, the best first.
    """
    ids = np.empty((len(queries), 0), np.int64)
    similarities = np.empty((len(queries), 0), np.float32)
    start = 0
    for chunk in rows.chunks():
        places = rows.place_ids[start : start + len(chunk)]
        start += len(chunk)
        cosines = queries @ chunk.T
        if ids.shape[1] == k:
            # Most places of a chunk are among the best of no query.
            better = (cosines >= similarities[:, -1:]).any(axis=0)
            places, cosines = places[better], cosines[:, better]
        ids = np.concatenate([ids, np.tile(places, (len(queries), 1))], axis=1)
        similarities = np.concatenate([similarities, cosines], axis=1)
        order = np.lexsort((ids, -similarities), axis=1)[:, :k]
        ids = np.take_along_axis(ids, order, axis=1)
        similarities = np.take_along_axis(similarities, order, axis=1)
    return ids, similarities
