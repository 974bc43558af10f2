"""Descriptors of a whole evaluation, never all in memory: in a scratch file, or in an index."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from place_search.core.text import free_bytes, needed_bytes
from place_search.evaluation.errors import TruthError
from place_search.evaluation.ranking import Chunk
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows
from place_search.indexer import Index, Skipped

CHUNK_BYTES = 128 << 20
"""Descriptors of the database that are in memory at a time."""


class Database(Protocol):
    """The descriptors of a truth's database."""

    def chunks(self) -> Iterator[Chunk]:
        """All of them, each with its row in the truth's database."""
        ...


class Scratch:
    """(n, dims) float32 rows in a file without a name, which is gone when this is.

    Rows that were never written are zeros.
    """

    def __init__(self, count: int, dims: int) -> None:
        """Make room for the rows. Raises `TruthError` where the disk has none."""
        self._count, self._dims = count, dims
        folder = Path(tempfile.gettempdir())
        needed, free = 4 * count * dims, shutil.disk_usage(folder).free
        if needed > free:
            raise TruthError(
                f"The descriptors of {count} photos need {needed_bytes(needed)} in {folder}, which "
                f"has {free_bytes(free)} free; set TMPDIR to a folder on a larger disk."
            )
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
        weakref.finalize(self, self._file.close)
        self._file.truncate(needed)

    def write(self, row: int, descriptor: NDArray[np.float32]) -> None:
        """Set one row, (dims,). Raises `TruthError` where the disk is full by now."""
        data = np.ascontiguousarray(descriptor, dtype=np.float32)
        try:
            os.pwrite(self._file.fileno(), data.data.cast("B"), 4 * row * self._dims)
        except OSError as error:
            raise TruthError(
                f"The descriptors cannot be written to {tempfile.gettempdir()} ({error.strerror}); "
                "make room, or set TMPDIR to a folder on a larger disk."
            ) from error

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Rows in a range, (stop - start, dims)."""
        out = np.empty((stop - start, self._dims), dtype=np.float32)
        if out.size:
            os.preadv(self._file.fileno(), [out.data.cast("B")], 4 * start * self._dims)
        return out

    def take(self, rows: Rows) -> NDArray[np.float32]:
        """These rows, (len(rows), dims)."""
        out = np.empty((len(rows), self._dims), dtype=np.float32)
        for target, row in zip(out, rows.tolist(), strict=True):
            target[:] = self.read(row, row + 1)[0]
        return out


class ScratchDatabase:
    """The first rows of a scratch file as a database."""

    def __init__(self, scratch: Scratch, count: int, dims: int) -> None:
        self._scratch, self._count = scratch, count
        self._step = max(1, CHUNK_BYTES // (4 * dims))

    def chunks(self) -> Iterator[Chunk]:
        """All rows in their order."""
        for start in range(0, self._count, self._step):
            stop = min(start + self._step, self._count)
            yield np.arange(start, stop), self._scratch.read(start, stop)


class IndexDatabase:
    """The places of an index as the database of a truth.

    `skipped` maps database rows to the photos that the index has left out as unreadable;
    `lacking` are photos that it knows nothing of.
    """

    def __init__(self, index: Index, truth: GroundTruth) -> None:
        """Find each database photo in the index, by its path or else by its name."""
        self._index, self._truth = index, truth
        paths, names = {}, {}
        for row, place in enumerate(index.places()):
            paths[os.fspath(place.path)] = names[place.name] = row
        left_out = {photo.name: photo for photo in index.manifest.skipped}
        root = truth.root.resolve()
        self._row_of = np.full(index.count, -1, dtype=np.int64)
        self._indexed = np.full(len(truth.database), -1, dtype=np.int64)
        self.skipped: dict[int, Skipped] = {}
        self.lacking: list[str] = []
        for row, name in enumerate(truth.database):
            place_row = paths.get(os.path.normpath(root / name), names.get(name))
            if place_row is not None:
                self._row_of[place_row] = row
                self._indexed[row] = place_row
            elif name in left_out:
                self.skipped[row] = left_out[name]
            else:
                self.lacking.append(name)
        self._step = max(1, CHUNK_BYTES // (4 * index.dims))

    def require_all(self) -> None:
        """Make sure that no photo of the database is lacking. Raises `TruthError`."""
        if self.lacking:
            raise TruthError(
                f"{self._index.folder} lacks {len(self.lacking)} of the "
                f"{len(self._truth.database)} database photos of {self._truth.name}, the first "
                f"is '{self.lacking[0]}'; index the same data again."
            )

    def take(self, rows: Rows) -> NDArray[np.float32]:
        """The descriptors of these rows of the database, (len(rows), D); zeros for skipped ones."""
        out = np.zeros((len(rows), self._index.dims), dtype=np.float32)
        there = self._indexed[rows] >= 0
        out[there] = self._index.descriptors().take(self._indexed[rows[there]])
        return out

    def chunks(self) -> Iterator[Chunk]:
        """The descriptors of the database's photos; other places of the index are left out."""
        start = 0
        for chunk in self._index.descriptors().chunks(self._step):
            rows = self._row_of[start : start + len(chunk)]
            start += len(chunk)
            known = rows >= 0
            yield (rows, chunk) if known.all() else (rows[known], chunk[known])
