"""Making Milvus collections from the descriptors of an index, which stays authoritative.

The store's file only names the collection. Vectors are added to a collection, never changed, so
that servers of an older version of the index go on. A collection is dropped when its successor is
replaced: until then, readers of the version before may need it.
"""

import json
import re
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from place_search.core.files import FileStamp, write_whole
from place_search.indexer.errors import CollectionLostError, StoreOutageError
from place_search.indexer.storage.manifest import store_file
from place_search.indexer.stores.milvus_client import (
    LONG,
    MilvusConnection,
    milvus_connection,
    read_note,
)
from place_search.indexer.stores.milvus_ledger import Ledger
from place_search.indexer.stores.milvus_store import (
    CHANGES,
    FIELDS,
    METRIC,
    SEARCHES,
    VECTORS,
    MilvusStore,
    count_vectors,
    require_own,
)
from place_search.indexer.stores.store_card import DEAD_SHARE, EXACT_BYTES, StoreCard
from place_search.indexer.stores.tuning import tune
from place_search.indexer.stores.vectors import Descriptors, VectorStore

NOWHERE = 999.0
"""Latitude and longitude of a place without a position: they lie in no box."""
GRAPH = {"M": 32, "efConstruction": 200}
_BATCH_BYTES = 8 << 20
_OWN = re.compile("place_search_[0-9a-f]{32}")
"""The names of collections that may be dropped: an index may come from anybody."""
_LONGEST_NAME = 4096


class MilvusBuilder:
    """Collections with a vector, a name and a position for each place."""

    is_exact = False
    drops_removed = False

    def __init__(self, exact_bytes: int = EXACT_BYTES) -> None:
        """Up to `exact_bytes` of descriptors are all compared; more are linked to a graph."""
        self._exact_bytes = exact_bytes

    def build(self, card: StoreCard, rows: Descriptors, path: Path) -> tuple[StoreCard, FileStamp]:
        """Make a collection of all rows, and measure its recall.

        Raises:
            StoreOutageError: Milvus does not answer, or has not taken all rows.
        """
        link = milvus_connection(card.uri)
        name = _next_collection(link, path.parent)
        count, dims = rows.shape
        exact = 4 * count * dims <= self._exact_bytes
        _create(link, name, dims)
        _send_rows(link, name, rows, 0, "insert")
        link.call("flush", name, seconds=LONG)
        _index(link, name, "FLAT" if exact else "HNSW")
        _await(link, name, count)
        card = card.built_of(rows.place_ids)
        stamp = _write(path, name, card, "FLAT" if exact else "HNSW")
        if exact:
            return card, stamp
        return tune(self, card, rows, path), stamp

    def update(
        self, card: StoreCard, old: Path, rows: Descriptors, path: Path
    ) -> tuple[StoreCard, FileStamp]:
        """Add newer places; removed places stay until they exceed `DEAD_SHARE`.

        The copy of an index gets a collection of its own: both would give the same ids to other
        places.

        Raises:
            StoreOutageError: as `build`, or the collection does not exist.
            IndexFormatError: the file `old` names no collection.
        """
        note = read_note(old)
        stored_count = int(np.searchsorted(rows.place_ids, card.max_place_id, side="right"))
        is_own = Ledger(old.parent).owns(note["collection"])
        if not is_own or card.count - stored_count > DEAD_SHARE * card.count:
            return self.build(card, rows, path)
        count = card.count + rows.shape[0] - stored_count
        link = milvus_connection(card.uri)
        require_own(link, note["collection"], rows.shape[1], card.count, LONG)
        # A killed run may have sent some of the rows already.
        _send_rows(link, note["collection"], rows, stored_count, "upsert")
        _await(link, note["collection"], count)
        card = replace(card, count=count, max_place_id=int(rows.place_ids[-1]))
        return card, _write(path, note["collection"], card, note["searched"])

    def open(self, card: StoreCard, path: Path, rows: Descriptors) -> VectorStore:
        """Open the collection that a file names, whose checksum holds."""
        return MilvusStore(card, path, rows)


def _next_collection(link: MilvusConnection, folder: Path) -> str:
    """The name of a new collection; collections that no version of the index has are dropped."""
    ledger, current = Ledger(folder), folder / store_file("milvus")
    current_name = read_note(current)["collection"] if current.exists() else ""
    kept_lines = []
    for line in ledger.lines:
        name, _, uri = line.partition(" ")
        if uri != link.uri or name == current_name or not _OWN.fullmatch(name):
            kept_lines.append(line)
            continue
        try:
            link.call("drop_collection", name, seconds=LONG)
        except CollectionLostError:
            continue
    name = f"place_search_{uuid.uuid4().hex}"
    # Noted before it is made, so that a killed run leaves no unknown collection.
    ledger.write([*kept_lines, f"{name} {link.uri}"])
    return name


def _create(link: MilvusConnection, name: str, dims: int) -> None:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    options: dict[str, dict[str, Any]] = {
        "place_id": {"is_primary": True},
        VECTORS: {"dim": dims},
        "name": {"max_length": _LONGEST_NAME},
    }
    for field, kind in FIELDS.items():
        schema.add_field(field, DataType[kind], **options.get(field, {}))
    link.call("create_collection", name, seconds=LONG, schema=schema, consistency_level=SEARCHES)


def _send_rows(
    link: MilvusConnection, name: str, rows: Descriptors, start: int, method: str
) -> None:
    """Send the rows from `start` on with their positions and names."""
    if start >= rows.shape[0]:
        return
    ids = rows.place_ids[start:].tolist()
    names = rows.column("name", start=start).tolist()
    latitudes, longitudes = (
        np.nan_to_num(rows.column(key, start=start), nan=NOWHERE).tolist()
        for key in ("latitude", "longitude")
    )
    at = 0
    for chunk in rows.chunks(max(1, _BATCH_BYTES // (4 * rows.shape[1])), start=start):
        part = range(at, at + len(chunk))
        batch = [
            {
                "place_id": ids[row],
                VECTORS: vector,
                "latitude": latitudes[row],
                "longitude": longitudes[row],
                "name": names[row].decode()[: _LONGEST_NAME // 4],
            }
            for row, vector in zip(part, chunk, strict=True)
        ]
        link.call(method, name, seconds=LONG, data=batch)
        at += len(chunk)


def _index(link: MilvusConnection, name: str, kind: str) -> None:
    from pymilvus import MilvusClient

    parameters: Any = MilvusClient.prepare_index_params()
    parameters.add_index(
        VECTORS, index_type=kind, metric_type=METRIC, params=GRAPH if kind == "HNSW" else {}
    )
    link.call("create_index", name, seconds=LONG, index_params=parameters)
    link.call("load_collection", name, seconds=LONG)


def _await(link: MilvusConnection, name: str, count: int) -> None:
    """Wait until searches see `count` vectors.

    Raises:
        StoreOutageError: the collection has fewer.
    """
    found_count = count_vectors(link, name, CHANGES, LONG)
    if found_count < count:
        raise StoreOutageError(
            f"Milvus at {link.uri} has taken only {found_count} of {count} vectors; run the same "
            "command again."
        )


def _write(path: Path, collection: str, card: StoreCard, searched: str) -> FileStamp:
    note = {
        "collection": collection,
        "count": card.count,
        "dims": card.dims,
        "searched": searched,
    }
    return write_whole(path, json.dumps(note, indent=1).encode() + b"\n")
