"""Making and updating the file of a FAISS store, and measuring what it finds."""

import errno
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.faiss_store import FaissStore, stored_ids
from indexer.files import FileStamp, replacing
from indexer.store_card import StoreCard
from indexer.vectors import Rows, VectorStore, exact_search
from netvlad import sha256_of

TRAINING_ROWS = 4096
"""Rows whose mean becomes the centre that codes are relative to."""
ROWS_A_LIST = 40
"""Rows that each list's centre is fitted to; FAISS asks for 39."""
ROUNDS = 10
"""Of k-means."""

CANDIDATES = (100, 200, 400, 800)
SCANNED_A_SECOND = 6e9
READ_SECONDS = 4e-6
"""Bytes of codes that are scanned in a second, and what it takes to read and compare one row."""

_QUERIES = 100
_NEIGHBOURS = 10
_GOAL = 0.99
"""What settings are chosen for, so that 0.98 is reached with other queries as well."""
_OWN = np.float32(0.8)


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
        return (card if card.kind == "exact" else _tuned(card, path, rows)), stamp

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
        codes.train(_mean(rows, _spread(rows, TRAINING_ROWS)))
    elif card.kind == "ivf-rabitq":
        codes = faiss.index_factory(card.dims, f"IVF{card.lists},RaBitQ", metric)
        codes.cp.niter = ROUNDS
        codes.train(rows.take(_spread(rows, ROWS_A_LIST * card.lists)))
        return codes  # lists keep ids of their own
    else:
        codes = faiss.index_factory(card.dims, "HNSW32_SQ8", metric)
        codes.train(rows.take(_spread(rows, TRAINING_ROWS)))
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


def _spread(rows: Rows, count: int) -> NDArray[np.int64]:
    """The numbers of so many rows, evenly over all."""
    last = rows.shape[0] - 1
    return np.unique(np.linspace(0, last, min(last + 1, count)).astype(np.int64))


def _mean(rows: Rows, sample: NDArray[np.int64]) -> NDArray[np.float32]:
    """The mean of these rows as (1, D): all that RaBitQ's training takes from its input."""
    total = np.zeros(rows.shape[1], np.float64)
    for start in range(0, len(sample), 256):
        total += rows.take(sample[start : start + 256]).sum(axis=0, dtype=np.float64)
    return (total / len(sample)).astype(np.float32)[None]


def _system_error(error: RuntimeError) -> OSError:
    full = "No space left" in str(error) or "File too large" in str(error)
    return OSError(errno.ENOSPC if full else errno.EIO, str(error).strip().splitlines()[-1])


def _tuned(card: StoreCard, path: Path, rows: Rows) -> StoreCard:
    """The card with the cheapest settings that find enough, and how much they find.

    The index's own descriptors would be too easy to search for. Each is mixed with one of another
    place, to a cosine of about 0.8 with its own, which is what another photo of a place may have.
    """
    sample = _spread(rows, _QUERIES)
    own = rows.take(sample)
    queries = _OWN * own + math.sqrt(1 - _OWN**2) * np.roll(own, len(own) // 2, axis=0)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    _, cosines = exact_search(rows, queries, _NEIGHBOURS)
    best = card
    for setting in _settings(card, rows.shape[0]):
        store = FaissStore(setting, path, rows)
        found = 0
        for query, exact in zip(queries, cosines, strict=True):
            hits = store.search(query, _NEIGHBOURS)
            # Of equally near ones any will do, so what counts is to be as near as the tenth.
            found += sum(hit.similarity >= exact[-1] - 1e-5 for hit in hits)
        recall = round(found / cosines.size, 4)
        if best.recall_at_10 is None or best is card or recall > best.recall_at_10:
            best = replace(setting, recall_at_10=recall)
        if recall >= _GOAL:
            break
    return best


def _settings(card: StoreCard, count: int) -> list[StoreCard]:
    """Cards with more and more probes and candidates, the cheapest first."""
    probes = [1 << bit for bit in range(3, card.lists.bit_length()) if 1 << bit < card.lists]
    cards = [
        replace(card, probes=probe, candidates=candidates)
        for probe in [*probes, card.lists]
        for candidates in CANDIDATES
    ]

    def seconds(setting: StoreCard) -> float:
        scanned = count * setting.probes / setting.lists if setting.lists else 0
        return scanned * card.dims / 8 / SCANNED_A_SECOND + setting.candidates * READ_SECONDS

    return sorted(cards, key=seconds)
