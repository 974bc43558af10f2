"""The FAISS store: exact while the descriptors are few, one bit a dimension beyond that.

Many descriptors are searched by their RaBitQ codes, 1/32 of their size; the candidates that
gives are then compared exactly, with the descriptors read from the shards.
"""

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.errors import IndexFormatError
from indexer.files import FileStamp, replacing
from indexer.vectors import Hit, Rows, best
from netvlad import sha256_of

Kind = Literal["flat", "rabitq"]

# Flat scans about 10 GB a second on one core: this is some 10 ms.
EXACT_BYTES = 128 << 20
TRAINING_ROWS = 4096
"""Rows whose mean becomes the centre that codes are relative to."""


@dataclass(frozen=True, slots=True)
class StoreCard:
    """What the manifest says of a FAISS store; `candidates` are compared exactly at least."""

    kind: Kind
    dims: int
    candidates: int = 200


def choose_store(count: int, dims: int, *, exact_bytes: int = EXACT_BYTES) -> StoreCard:
    """The store for so many descriptors: exact search while they fit `exact_bytes`."""
    return StoreCard("flat" if count * dims * 4 <= exact_bytes else "rabitq", dims)


def build_store(card: StoreCard, rows: Rows, path: Path) -> FileStamp:
    """Write the FAISS index of all rows to `path`, reading them in chunks."""
    codes: Any
    if card.kind == "flat":
        codes = faiss.IndexFlatIP(card.dims)
    else:
        codes = faiss.IndexRaBitQ(card.dims, faiss.METRIC_INNER_PRODUCT)
        count = rows.shape[0]
        sample = np.unique(np.linspace(0, count - 1, min(count, TRAINING_ROWS)).astype(np.int64))
        codes.train(_mean(rows, sample))
    index = faiss.IndexIDMap2(codes)
    start = 0
    for chunk in rows.chunks():
        index.add_with_ids(chunk, rows.place_ids[start : start + len(chunk)])
        start += len(chunk)
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


class FaissStore:
    """A FAISS index opened for search. Thread-safe."""

    def __init__(self, path: Path, card: StoreCard, rows: Rows) -> None:
        """Open an index file whose checksum the caller has found right.

        Raises:
            IndexFormatError: FAISS cannot read the file, or it is not the index of these rows.
        """
        try:
            # Mapped, not copied: opening is quick, and readers of one index share its memory.
            self._index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise IndexFormatError(
                f"{path} is not a FAISS index that this version reads; index the photos again."
            ) from error
        if (self._index.ntotal, self._index.d) != rows.shape:
            raise IndexFormatError(f"{path} does not fit its shards; index the photos again.")
        self.kind: Kind = card.kind
        self._card = card
        self._rows = rows

    def search(
        self, descriptor: NDArray[np.float32], k: int, *, only: NDArray[np.int64] | None = None
    ) -> list[Hit]:
        """The k places most similar to a (D,) descriptor of norm 1, the best first."""
        count = self._index.ntotal if only is None else len(only)
        wanted = min(k, count)
        if wanted < 1:
            return []
        exact = self.kind == "flat"
        candidates = wanted if exact else min(count, max(self._card.candidates, 4 * wanted))
        query = np.ascontiguousarray(descriptor, np.float32)[None]
        similarities, ids = self._index.search(query, candidates, params=self._filter(only))
        found = ids[0] >= 0
        ids, similarities = ids[0][found], similarities[0][found]
        if not exact:
            rows = np.searchsorted(self._rows.place_ids, ids)
            # Not a matrix product: its threads and those of FAISS keep one another waiting.
            similarities = np.vecdot(self._rows.take(rows), query[0])
        return best(ids, similarities, wanted)

    def _filter(self, only: NDArray[np.int64] | None) -> Any:
        if only is None:
            return None
        selector = faiss.IDSelectorBatch(np.ascontiguousarray(only, np.int64))
        if self.kind == "flat":
            return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        return faiss.RaBitQSearchParameters(sel=selector)  # type: ignore[call-arg]
