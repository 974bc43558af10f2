"""Vector stores: what an index asks of the engine that finds its nearest descriptors."""

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
    """The descriptors of all places there are, in the order of their ascending ids."""

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
        """The same as they are stored: float32, or int8 codes that norm 1 makes descriptors of."""

    def column(self, key: str, *, start: int = 0) -> NDArray[Any]:
        """A small column of the rows from `start` on: `name`, `latitude`, …"""


class VectorStore(Protocol):
    """An engine opened for search. Thread-safe."""

    @property
    def kind(self) -> str:
        """What the manifest calls this kind of store."""

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
        restricts the search to these place ids, of which some may not exist; that all of them lie
        in `box` helps engines that know positions. There are fewer than k only where there are no
        more places.

        Raises:
            StoreOutageError: an engine of its own process does not answer.
        """

    def verify(self) -> list[str]:
        """How it disagrees with the rows it was opened for, a sentence each; nothing if not."""


class StoreBuilder(Protocol):
    """How the file of a vector store is made, brought up to date and opened.

    The file is a snapshot of the rows there once were. A store opened for other rows goes by
    those: it never finds a vector that they lack, and finds later ones without the file. So
    adding and removing places leaves the file alone, until `update` takes up what has gathered.
    """

    @property
    def is_exact(self) -> bool:
        """Whether it finds all of the nearest, so that nothing is fitted to the rows."""

    @property
    def drops_removed(self) -> bool:
        """Whether `update` can take vectors out of its file."""

    def build(
        self, card: StoreCard, rows: Descriptors, path: Path
    ) -> tuple[StoreCard, FileStamp | None]:
        """Write a file for these rows; the card comes back with what the file holds.

        A store that compares the rows themselves writes none.
        """

    def update(
        self, card: StoreCard, old: Path, rows: Descriptors, path: Path
    ) -> tuple[StoreCard, FileStamp | None]:
        """Write the successor of a file whose checksum holds, for the rows there are now."""

    def open(self, card: StoreCard, path: Path, rows: Descriptors) -> VectorStore:
        """Open a file whose checksum holds.

        Raises:
            IndexFormatError: the engine cannot read it, or it does not fit card and rows.
        """


def best(place_ids: NDArray[np.int64], similarities: NDArray[np.float32], k: int) -> list[Hit]:
    """The k best of these candidates, equal ones by ascending id."""
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
            # Most columns hold nothing that gets among the best of any query.
            better = (cosines >= similarities[:, -1:]).any(axis=0)
            places, cosines = places[better], cosines[:, better]
        ids = np.concatenate([ids, np.tile(places, (len(queries), 1))], axis=1)
        similarities = np.concatenate([similarities, cosines], axis=1)
        order = np.lexsort((ids, -similarities), axis=1)[:, :k]
        ids = np.take_along_axis(ids, order, axis=1)
        similarities = np.take_along_axis(similarities, order, axis=1)
    return ids, similarities
