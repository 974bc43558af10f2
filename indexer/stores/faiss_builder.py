"""Making and updating the file of a FAISS store, and measuring what it finds."""

import errno
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from place_search.core.files import FileStamp, replacing, sha256_of
from place_search.indexer.stores.faiss_store import FaissStore, stored_ids
from place_search.indexer.stores.store_card import StoreCard
from place_search.indexer.stores.tuning import spread, tuned
from place_search.indexer.stores.vectors import Rows, VectorStore

TRAINING_ROWS = 4096
"""Rows whose mean becomes the centre that codes are relative to."""
ROWS_A_LIST = 40
"""Rows that each list's centre is fitted to; FAISS asks for 39."""
ROUNDS = 10
"""Of k-means."""


class FaissEngine:
    """All kinds of FAISS store."""

    def build(self, card: StoreCard, rows: Rows, path: Path) -> tuple[StoreCard, FileStamp]:
        """Write the index of all rows, reading them in chunks, and measure its recall."""
        index = _empty(card, rows)
        _add(index, rows, 0)
        stamp = _write(index, path)
        count = rows.shape[0]
        card = replace(
            card, count=count, trained=count, through=int(rows.place_ids[-1]), recall_at_10=1.0
        )
        if card.kind == "exact":
            return card, stamp
        return tuned(card, rows, partial(self.open, path=path, rows=rows)), stamp

    def update(
        self, card: StoreCard, old: Path, rows: Rows, path: Path
    ) -> tuple[StoreCard, FileStamp]:
        """Drop what the rows lack and add what came after; a graph with gaps is built anew."""
        known = int(np.searchsorted(rows.place_ids, card.through, side="right"))
        if card.kind == "hnsw-sq8" and known < card.count:
            return self.build(card, rows, path)
        index: Any = faiss.read_index(str(old))
        if known < card.count:
            gone = np.setdiff1d(stored_ids(index), rows.place_ids)
            index.remove_ids(faiss.IDSelectorBatch(gone))
        _add(index, rows, known)
        stamp = _write(index, path)
        through = int(rows.place_ids[-1])
        return replace(card, count=rows.shape[0], through=through), stamp

    def open(self, card: StoreCard, path: Path, rows: Rows) -> VectorStore:
        """Open a file whose checksum holds."""
        return FaissStore(card, path, rows)


def _empty(card: StoreCard, rows: Rows) -> Any:
    """An index that is trained and holds nothing."""
    metric = faiss.METRIC_INNER_PRODUCT
    codes: Any
    if card.kind == "exact":
        return faiss.IndexIDMap2(faiss.IndexFlatIP(card.dims))
    if card.kind == "rabitq":
        codes = faiss.IndexRaBitQ(card.dims, metric)
        codes.train(_mean(rows, spread(rows, TRAINING_ROWS)))
    elif card.kind == "ivf-rabitq":
        codes = faiss.index_factory(card.dims, f"IVF{card.lists},RaBitQ", metric)
        codes.cp.niter = ROUNDS
        codes.train(rows.take(spread(rows, ROWS_A_LIST * card.lists)))
        return codes  # lists keep ids of their own
    else:
        codes = faiss.index_factory(card.dims, "HNSW32_SQ8", metric)
        codes.train(rows.take(spread(rows, TRAINING_ROWS)))
    return faiss.IndexIDMap2(codes)


def _add(index: Any, rows: Rows, start: int) -> None:
    for chunk, ids in _numbered(rows, start):
        index.add_with_ids(chunk, ids)


def _numbered(rows: Rows, start: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    for chunk in rows.chunks(start=start):
        yield chunk, rows.place_ids[start : start + len(chunk)]
        start += len(chunk)


def _write(index: Any, path: Path) -> FileStamp:
    with replacing(path) as part:
        try:
            faiss.write_index(index, str(part))
        except RuntimeError as error:
            raise _system_error(error) from error
    return FileStamp(sha256_of(path), path.stat().st_size)


def _mean(rows: Rows, sample: NDArray[np.int64]) -> NDArray[np.float32]:
    """The mean of these rows as (1, D): all that RaBitQ's training takes from its input."""
    total = np.zeros(rows.shape[1], np.float64)
    for start in range(0, len(sample), 256):
        total += rows.take(sample[start : start + 256]).sum(axis=0, dtype=np.float64)
    return (total / len(sample)).astype(np.float32)[None]


def _system_error(error: RuntimeError) -> OSError:
    full = "No space left" in str(error) or "File too large" in str(error)
    return OSError(errno.ENOSPC if full else errno.EIO, str(error).strip().splitlines()[-1])
