"""Making and updating the file of a FAISS store, and measuring its recall."""

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import full_disk_in
from place_search.core.files import FileStamp, replacing, sha256_of, utf8_path
from place_search.indexer.stores.faiss_store import FaissKind, FaissStore, stored_ids
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.tuning import tune
from place_search.indexer.stores.vectors import Descriptors, VectorStore

TRAINING_ROWS = 4096
"""The number of descriptors whose mean is the centre of the codes."""


class FaissBuilder(FaissKind):
    """The base of all kinds of FAISS store."""

    is_exact = False
    drops_removed = True
    removes = True
    """Whether vectors can be removed from the index."""
    rotates = False
    """Whether the index rotates descriptors; an old file without rotation is replaced."""

    def build(self, card: StoreCard, rows: Descriptors, path: Path) -> tuple[StoreCard, FileStamp]:
        """Write the index of all rows, reading them in chunks, and measure its recall."""
        index = self.empty(card, rows)
        _add(index, rows, 0)
        stamp = _write(index, path)
        del index  # freed before it is opened again: ten million places take 1.4 GB
        return tune(self, card.built_of(rows.place_ids), rows, path), stamp

    def update(
        self, card: StoreCard, old: Path, rows: Descriptors, path: Path
    ) -> tuple[StoreCard, FileStamp]:
        """Remove places that the rows lack and add newer ones; a graph with gaps is built anew."""
        stored_count = int(np.searchsorted(rows.place_ids, card.max_place_id, side="right"))
        if stored_count < card.count and not self.removes:
            return self.build(card, rows, path)
        with utf8_path(old) as name:
            index: Any = faiss.read_index(name)
        if self.rotates != isinstance(index, faiss.IndexPreTransform):
            return self.build(card, rows, path)
        if stored_count < card.count:
            removed_ids = np.setdiff1d(stored_ids(index), rows.place_ids)
            index.remove_ids(faiss.IDSelectorBatch(removed_ids))
        _add(index, rows, stored_count)
        stamp = _write(index, path)
        return replace(card, count=rows.shape[0], max_place_id=int(rows.place_ids[-1])), stamp

    def open(self, card: StoreCard, path: Path, rows: Descriptors) -> VectorStore:
        """Open a file whose checksum holds."""
        return FaissStore(self, card, path, rows)


def _add(index: Any, rows: Descriptors, start: int) -> None:
    for chunk in rows.chunks(start=start):
        index.add_with_ids(chunk, rows.place_ids[start : start + len(chunk)])
        start += len(chunk)


def _write(index: Any, path: Path) -> FileStamp:
    with replacing(path) as part, utf8_path(part) as name:
        try:
            faiss.write_index(index, name)
        except RuntimeError as error:
            raise _system_error(error) from error
    return FileStamp(sha256_of(path), path.stat().st_size)


def mean_row(rows: Descriptors, sample: NDArray[np.int64]) -> NDArray[np.float32]:
    """The mean of these rows as (1, D): all that RaBitQ's training takes from its input."""
    total = np.zeros(rows.shape[1], np.float64)
    for start in range(0, len(sample), 256):
        total += rows.take(sample[start : start + 256]).sum(axis=0, dtype=np.float64)
    return (total / len(sample)).astype(np.float32)[None]


def _system_error(error: RuntimeError) -> OSError:
    return OSError(full_disk_in(str(error)) or errno.EIO, str(error).strip().splitlines()[-1])
