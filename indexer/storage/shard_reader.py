"""Reading shards: numbers straight from the file at known offsets, never mapped into memory.

Mapped files would kill the process when they are cut short, and count as its resident memory.
"""

import json
import os
import weakref
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from place_search.indexer.errors import IndexFormatError, UnknownPlaceError
from place_search.indexer.storage.descriptor_codes import decode
from place_search.indexer.storage.shards import ADDED, SUMS, sum_of


class ArrayFile:
    """One or more contiguous datasets of an HDF5 file, read by row. Thread-safe.

    The file stays open, so that it can be read to the end after a newer index has replaced it.
    """

    def __init__(self, path: Path, arrays: Sequence[str], tables: Sequence[str] = ()) -> None:
        """Open the file; `tables` are read into memory, `arrays` when asked for.

        Raises:
            IndexFormatError: the file is missing, cut short, or not one that place-search wrote,
                or the checksum of a table does not hold.
        """
        self.path = path
        try:
            with h5py.File(path, "r", locking=False) as file:
                self.tables: dict[str, NDArray[Any]] = {key: _column(file, key) for key in tables}
                self._places = {key: _place(_dataset(file, key)) for key in arrays}
                sums = _sums(file)
            checked = [key for key in tables if sums and (key in sums or key not in ADDED)]
            if any(sum_of(self.tables[key]) != sums[key] for key in checked):
                raise ValueError("a checksum does not hold")
            self._sums = {key: np.array(sums[key], np.uint32) for key in arrays if sums}
            self._descriptor = os.open(path, os.O_RDONLY)
        except (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError) as error:
            raise self.damaged() from error
        weakref.finalize(self, os.close, self._descriptor)

    def damaged(self) -> IndexFormatError:
        """What to raise where the file does not hold what it should."""
        folder = self.path.parent.parent  # files of rows lie in folders of their index
        return IndexFormatError(
            f"{self.path} is missing or damaged; mend it with `place-search verify {folder} "
            "--repair`."
        )

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of an array."""
        shape: tuple[int, ...] = self._places[key][1]
        return shape

    def dtype(self, key: str) -> np.dtype[Any]:
        """The type of an array's numbers."""
        return self._places[key][3]

    def read_into(self, out: NDArray[Any], key: str, row: int) -> None:
        """Fill a contiguous array from the start of a row on.

        Raises:
            IndexFormatError: the file is shorter than it was, or cannot be read.
        """
        offset, _, stride, _ = self._places[key]
        if not out.size:  # as the local features of an index without them
            return
        # One call reads at most 2 GiB; no single read here comes near that.
        try:
            read = os.preadv(self._descriptor, [out.data.cast("B")], offset + row * stride)
        except OSError as error:
            raise self.damaged() from error
        if read != out.nbytes:
            raise self.damaged()

    def row(self, key: str, row: int) -> bytes:
        """The bytes of one row, whose checksum holds.

        Raises:
            IndexFormatError: the file is shorter than it was, cannot be read, or is damaged.
        """
        offset, _, stride, _ = self._places[key]
        try:
            read = os.pread(self._descriptor, stride, offset + row * stride)
        except OSError as error:
            raise self.damaged() from error
        sums = self._sums.get(key)
        if len(read) != stride or (sums is not None and zlib.crc32(read) != sums[row]):
            raise self.damaged()
        return read

    def check(self, key: str, row: int, parts: Sequence[NDArray[Any]] | NDArray[Any]) -> None:
        """Make sure that what was read of places from `row` on is what was once written.

        Files of version 0.1 have no checksums: what they hold is believed.

        Raises:
            IndexFormatError: it is not.
        """
        sums = self._sums.get(key)
        if sums is None:
            return
        if [sum_of(part) for part in parts] != sums[row : row + len(parts)].tolist():
            raise self.damaged()


def _dataset(file: h5py.File, key: str) -> Any:
    """A dataset by h5py's low-level interface, which takes a third of the time: an index may have
    thousands of shards with a dozen columns each.
    """
    return h5py.h5d.open(file.id, key.encode())


def _sums(file: h5py.File) -> dict[str, Any]:
    try:
        sums: dict[str, Any] = json.loads(_read(_dataset(file, SUMS)).tobytes())
    except KeyError:
        return {}
    return sums


def _column(file: h5py.File, key: str) -> NDArray[Any]:
    """A small column; what shards of version 0.1 lack is not known of any place."""
    try:
        return _read(_dataset(file, key))
    except KeyError:
        if key not in ADDED:
            raise
        return np.full(_dataset(file, "place_id").shape, ADDED[key])


def _read(dataset: Any) -> NDArray[Any]:
    out = np.empty(dataset.shape, dataset.dtype)
    if out.size:
        dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, out)
    return out


def _place(dataset: Any) -> tuple[int, tuple[int, ...], int, np.dtype[Any]]:
    """Where a dataset starts in its file, its shape, the bytes of one row, and its type."""
    offset = dataset.get_offset()
    if offset is None and np.prod(dataset.shape):
        raise ValueError("it is not stored contiguously")
    kind = dataset.dtype
    return offset or 0, dataset.shape, int(np.prod(dataset.shape[1:])) * kind.itemsize, kind


class ShardRows:
    """The descriptors of several shards as one array on disk. Thread-safe.

    Rows that are removed are not among its own: they have no number here.
    """

    def __init__(
        self, shards: Sequence[ArrayFile], removed: NDArray[np.int64] | None = None
    ) -> None:
        """`removed` are ids of places that are left out; of shards `place_id` must be read."""
        self._shards = shards
        counts = [shard.shape("descriptors")[0] for shard in shards]
        self._starts = np.cumsum([0, *counts])
        self.stored_ids: NDArray[np.int64] = np.concatenate(
            [shard.tables["place_id"] for shard in shards]
        )
        """The ids of all rows of the shards, those of removed places too."""
        self.removed: NDArray[np.bool_] = np.isin(
            self.stored_ids, [] if removed is None else removed
        )
        """Which of those rows are removed."""
        self._live = np.flatnonzero(~self.removed) if self.removed.any() else None
        self.place_ids = self.live(self.stored_ids)
        self.shape = (len(self.place_ids), shards[0].shape("descriptors")[1])
        self.dtype = np.dtype(np.float32)
        self._stored_type = shards[0].dtype("descriptors")

    def __len__(self) -> int:
        return self.shape[0]

    def live(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Of a column of all rows of the shards, those of the places that are left."""
        return stored if self._live is None else stored[self._live]

    def row_of(self, place_id: int) -> int:
        """The row of a place.

        Raises:
            UnknownPlaceError: there is no such place.
        """
        row = int(np.searchsorted(self.place_ids, place_id))
        if row >= len(self) or self.place_ids[row] != place_id:
            raise UnknownPlaceError(
                f"There is no place {place_id} in this index; it has {len(self)} places."
            )
        return row

    def locate(self, row: int) -> tuple[int, int]:
        """The number of the shard among these that holds a row, and the row's number there."""
        stored = row if self._live is None else int(self._live[row])
        shard = int(np.searchsorted(self._starts, stored, side="right")) - 1
        return shard, stored - int(self._starts[shard])

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """These rows, (len(rows), D)."""
        stored = rows if self._live is None else self._live[rows]
        shards = np.searchsorted(self._starts, stored, side="right") - 1
        local = stored - self._starts[shards]
        parts = [
            self._shards[shard].row("descriptors", row)
            for shard, row in zip(shards.tolist(), local.tolist(), strict=True)
        ]
        read = np.frombuffer(b"".join(parts), self._stored_type)
        return decode(read.reshape(len(rows), self.shape[1]))

    def column(self, key: str, *, start: int = 0) -> NDArray[Any]:
        """A small column of the rows from `start` on, read from the files by their names."""
        parts = [ArrayFile(shard.path, (), (key,)).tables[key] for shard in self._shards]
        return self.live(np.concatenate(parts))[start:]

    def chunks(self, rows: int = 1024, *, start: int = 0) -> Iterator[NDArray[np.float32]]:
        """All rows from `start` on in their order, (≤ rows, D) at a time, none across shards."""
        return map(decode, self.stored_chunks(rows, start=start))

    def stored_chunks(
        self, rows: int = 1024, *, start: int = 0
    ) -> Iterator[NDArray[np.int8] | NDArray[np.float32]]:
        """The same as they are stored: int8 codes or float32."""
        if start >= len(self):
            return
        stored = start if self._live is None else int(self._live[start])
        for number, shard in enumerate(self._shards):
            count, dims = shard.shape("descriptors")
            first = int(self._starts[number])
            for at in range(max(stored - first, 0), count, rows):
                out = np.empty((min(rows, count - at), dims), self._stored_type)
                shard.read_into(out, "descriptors", at)
                shard.check("descriptors", at, out)
                if self._live is not None:
                    low, high = np.searchsorted(self._live, [first + at, first + at + len(out)])
                    if high - low < len(out):
                        out = out[self._live[low:high] - (first + at)]
                if len(out):
                    yield out
