"""A Milvus collection opened for search, with the descriptors that it copies."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Box
from place_search.indexer.errors import CollectionLostError, StoreOutageError
from place_search.indexer.stores.milvus_client import (
    SECONDS,
    MilvusConnection,
    milvus_connection,
    read_note,
)
from place_search.indexer.stores.snapshot_store import Among, Candidates, SnapshotStore
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.vectors import Descriptors, Hit, best

VECTORS = "descriptor"
FIELDS = {
    "place_id": "INT64",
    VECTORS: "FLOAT_VECTOR",
    "latitude": "DOUBLE",
    "longitude": "DOUBLE",
    "name": "VARCHAR",
}
"""The fields of a collection, and Milvus's names of their types."""
METRIC = "IP"
"""Milvus's name of the inner product."""
PAGE = 16_384
"""The greatest number of results of a search or query of Milvus."""
SEARCHES = "Bounded"
"""Consistency of searches: a change waits until searches see it."""
CHANGES = "Strong"


class MilvusStore(SnapshotStore):
    """A collection of Milvus opened for search; connected at the first search. Thread-safe.

    Only places of the rows are results: the collection may hold others, removed or newer.
    """

    def __init__(self, card: StoreCard, path: Path, rows: Descriptors) -> None:
        """Open the collection that a file names, whose checksum the caller has found right.

        Raises:
            IndexFormatError: the file does not fit these rows.
            StoreOutageError: pymilvus is not installed.
        """
        note = read_note(path)
        super().__init__(card, rows)
        self._require_fit(path, note["count"], note["dims"])
        self.collection: str = note["collection"]
        self._searched = note["searched"]
        self._link = milvus_connection(card.uri)
        self._is_checked = False

    def _in_snapshot(
        self,
        query: NDArray[np.float32],
        k: int,
        among: Among | None,
        box: Box | None,
    ) -> Candidates:
        stored = (self._exists if among is None else among)[: self._card.max_place_id + 1]
        passing_count = int(np.count_nonzero(stored))
        if not passing_count:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        condition = "" if among is None or box is None else _inside(box)
        if among is not None and passing_count <= PAGE:
            condition = f"place_id in {np.flatnonzero(stored).tolist()}"
        limit = self._candidates(k)
        while True:
            page = min(limit, PAGE)
            nearest = self._nearest(query, page, condition)
            passing = nearest[nearest < len(stored)]
            passing = passing[stored[passing]]
            if len(passing) >= min(k, passing_count):
                return passing, self._cosines(passing, query)
            if page == PAGE or len(nearest) < page:  # there are no more: compare all
                return self._exhaustive(query, np.flatnonzero(stored), k)
            limit = 8 * page

    def _exhaustive(self, query: NDArray[np.float32], ids: NDArray[np.int64], k: int) -> Candidates:
        """The `k` best of these places, all of which are compared."""
        hits: list[Hit] = []
        for start in range(0, len(ids), 1024):
            part = ids[start : start + 1024]
            hits = sorted(
                [*hits, *best(part, self._cosines(part, query), k)],
                key=lambda hit: (-hit.similarity, hit.place_id),
            )[:k]
        return (
            np.array([hit.place_id for hit in hits], np.int64),
            np.array([hit.similarity for hit in hits], np.float32),
        )

    def _nearest(self, query: NDArray[np.float32], limit: int, condition: str) -> NDArray[np.int64]:
        """The ids of about `limit` nearest vectors that fit a `condition` of Milvus."""
        settings = {"ef": limit} if self._searched == "HNSW" else {}
        self._check()
        try:
            (hits,) = self._link.call(
                "search",
                self.collection,
                data=[query],
                anns_field=VECTORS,
                limit=limit,
                filter=condition,
                search_params={"metric_type": METRIC, "params": settings},
                output_fields=["place_id"],
                consistency_level=SEARCHES,
            )
        except StoreOutageError:
            self._is_checked = False  # Milvus may come back with another collection
            raise
        return np.unique(np.array([hit["entity"]["place_id"] for hit in hits], np.int64))

    def _check(self) -> None:
        """Make sure once that the collection is that of the index. Raises as `require_own`."""
        if not self._is_checked:
            require_own(self._link, self.collection, self._rows.shape[1], self._card.count)
            self._is_checked = True

    def _stored_ids(self) -> NDArray[np.int64]:
        self._check()
        parts = [np.empty(0, np.int64)]
        for start in range(0, self._card.max_place_id + 1, PAGE):
            rows = self._link.call(
                "query",
                self.collection,
                filter=f"place_id >= {start} and place_id < {start + PAGE}",
                output_fields=["place_id"],
                limit=PAGE,
                consistency_level=CHANGES,
            )
            parts.append(np.array([row["place_id"] for row in rows], np.int64))
        return np.concatenate(parts)


def count_vectors(link: MilvusConnection, collection: str, level: str, seconds: float) -> int:
    """The number of vectors that searches of a `level` of consistency see."""
    (answer,) = link.call(
        "query",
        collection,
        seconds=seconds,
        filter="",
        output_fields=["count(*)"],
        consistency_level=level,
    )
    return int(answer["count(*)"])


def require_own(
    link: MilvusConnection, collection: str, dims: int, count: int, seconds: float = SECONDS
) -> None:
    """Make sure that a collection is that of an index: `count` vectors or more of `dims` numbers.

    Counting them may load the collection, in at most so many `seconds`.

    Raises:
        CollectionLostError: there is none, or it is another one.
        StoreOutageError: Milvus does not answer.
    """
    described = link.call("describe_collection", collection)["fields"]
    types = {field["name"]: field["type"].name for field in described}
    sizes = {field["name"]: field["params"].get("dim", dims) for field in described}
    if wrong := [name for name, kind in FIELDS.items() if types.get(name) != kind]:
        name = wrong[0]
        found = f"is {types[name]}" if name in types else "does not exist"
        difference = f"the field {name} {found} there, and {FIELDS[name]} in the index"
    elif int(sizes[VECTORS]) != dims:
        difference = f"its vectors have {sizes[VECTORS]} numbers, and those of the index {dims}"
    elif (metric := _metric_of(link, collection)) != METRIC:
        difference = f"its vectors are compared by {metric}, and those of the index by {METRIC}"
    elif (found_count := _count_in(link, collection, count, seconds)) < count:
        difference = f"it has only {found_count} of the {count} vectors of the index"
    else:
        return
    raise CollectionLostError(
        f"The collection {collection} of Milvus at {link.uri} is not that of the index: "
        f"{difference}; make it again with `place-search verify INDEX --repair`."
    )


def _metric_of(link: MilvusConnection, collection: str) -> str:
    """The metric by which vectors are compared."""
    for name in link.call("list_indexes", collection, field_name=VECTORS):
        return str(link.call("describe_index", collection, index_name=name)["metric_type"])
    return "nothing"


def _count_in(link: MilvusConnection, collection: str, count: int, seconds: float) -> int:
    """The number of vectors; a lack is measured again with those that were added just now."""
    found_count = count_vectors(link, collection, SEARCHES, seconds)
    return (
        found_count if found_count >= count else count_vectors(link, collection, CHANGES, seconds)
    )


def _inside(box: Box) -> str:
    """A condition of Milvus: whether a place lies in a box."""
    across = "or" if box.west > box.east else "and"
    return (
        f"latitude >= {box.south:.9f} and latitude <= {box.north:.9f} and "
        f"(longitude >= {box.west:.9f} {across} longitude <= {box.east:.9f})"
    )
