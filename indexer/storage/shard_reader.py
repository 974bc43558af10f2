"""Reading shards: numbers straight from the file at known offsets, never mapped into memory.

Mapped files would kill the process when they are cut short, and count as its resident memory.
"""

import os
import weakref
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from place_search.core.errors import PlaceSearchError, WrongParameterError, shell_command
from place_search.core.files import open_regular
from place_search.core.forking import OfOneProcess
from place_search.core.rows import read_only
from place_search.core.tables import is_whole
from place_search.core.text import counted, parse_json
from place_search.indexer.errors import IndexFormatError, UnknownPlaceError, read_refusal
from place_search.indexer.storage.descriptor_codes import decode
from place_search.indexer.storage.shards import ADDED, SUMS, crc32_of, part_sums


class ArrayFile(OfOneProcess):
    """The datasets of an HDF5 file of place-search, read on demand.

    The file stays open, so that it can be read to the end after a newer index has replaced it.
    Thread-safe.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            IndexFormatError: there is no such file.
            IndexReadError: the file may not or cannot be read.
        """
        self.path = path
        try:
            with open_regular(path) as opened:
                self._descriptor = os.dup(opened.fileno())
        except OSError as error:
            raise self._read_error(error) from error
        weakref.finalize(self, os.close, self._descriptor)
        self._checked: set[str] = set()
        self._parts_sums: dict[str, NDArray[np.uint32] | None] = {}

    def damage_error(self) -> IndexFormatError:
        """The error to raise where the content of the file is wrong."""
        folder = self.path.parent.parent  # files of rows lie in folders of their index
        repair = shell_command("verify", folder, "--repair")
        return IndexFormatError(f"{self.path} is missing or damaged; mend it with {repair}.")

    def _read_error(self, error: Exception) -> PlaceSearchError:
        """The error to raise where the file cannot be read, by the system's reason."""
        return read_refusal(self.path, error) or self.damage_error()

    @cached_property
    def _datasets(self) -> Mapping[str, "_Dataset"]:
        """All datasets by name, of the opened file: its path may lead to a newer file by now."""
        try:
            with (
                open(self._descriptor, "rb", buffering=0, closefd=False) as opened,
                h5py.File(opened, "r") as file,
            ):
                return {
                    key.decode(): _locate_dataset(h5py.h5d.open(file.id, key)) for key in file.id
                }
        except (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError) as error:
            raise self._read_error(error) from error

    def _dataset(self, key: str) -> "_Dataset":
        try:
            return self._datasets[key]
        except KeyError as error:
            raise self.damage_error() from error

    @cached_property
    def _sums(self) -> Mapping[str, int]:
        """The checksums of small columns; files of version 0.1 have none."""
        if SUMS not in self._datasets:
            return {}
        try:
            sums: dict[str, int] = parse_json(self._read(SUMS).tobytes())
        except ValueError as error:
            raise self.damage_error() from error
        return sums

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of a dataset."""
        return self._dataset(key).shape

    def dtype(self, key: str) -> np.dtype[Any]:
        """The type of a dataset's numbers."""
        return self._dataset(key).dtype

    def column(self, key: str) -> NDArray[Any]:
        """A small column, whose checksum holds; all rows are unknown where an older shard lacks it.

        Raises:
            IndexFormatError: the file is damaged.
            IndexReadError: the file cannot be read.
        """
        if self._lacks(key):
            return np.full(self.shape("place_id"), ADDED[key])
        column = self._read(key)
        if self._sums and self._sums.get(key) != crc32_of(column):
            raise self.damage_error()
        self._checked.add(key)
        return column

    def value(self, key: str, row: int) -> Any:
        """One row of a small column; the first access checks the whole column.

        Raises: as `column`.
        """
        if self._lacks(key):
            return ADDED[key]
        if key not in self._checked:
            return self.column(key)[row]
        dataset = self._datasets[key]
        out = np.empty(dataset.shape[1:], dataset.dtype)
        self.read_into(out, key, row)
        return out[()]

    def _lacks(self, key: str) -> bool:
        return key in ADDED and key not in self._datasets and key not in self._sums

    def read_into(self, out: NDArray[Any], key: str, row: int) -> None:
        """Fill a contiguous array from the start of a row on.

        Raises:
            IndexFormatError: the file is shorter than it was.
            IndexReadError: the file cannot be read.
        """
        dataset = self._dataset(key)
        if not out.size:  # as the local features of an index without them
            return
        # One call reads at most 2 GiB, which no read of this file comes near.
        try:
            read = os.preadv(
                self._descriptor, [out.data.cast("B")], dataset.offset + row * dataset.stride
            )
        except OSError as error:
            raise self._read_error(error) from error
        if read != out.nbytes:
            raise self.damage_error()

    def _read(self, key: str) -> NDArray[Any]:
        """A whole dataset."""
        dataset = self._dataset(key)
        out = np.empty(dataset.shape, dataset.dtype)
        self.read_into(out, key, 0)
        return out

    @cached_property
    def _descriptor_rows(self) -> tuple[int, int, Sequence[int] | None]:
        """The offset of the first descriptor, the bytes of a descriptor, and their checksums."""
        dataset, sums = self._dataset("descriptors"), self._part_sums("descriptors")
        return dataset.offset, dataset.stride, None if sums is None else sums.data

    def descriptor(self, row: int) -> bytes:
        """The bytes of one descriptor, whose checksum holds.

        Raises:
            IndexFormatError: the file is shorter than it was, or is damaged.
            IndexReadError: the file cannot be read.
        """
        offset, stride, sums = self._descriptor_rows
        try:
            read = os.pread(self._descriptor, stride, offset + row * stride)
        except OSError as error:
            raise self._read_error(error) from error
        if len(read) != stride or (sums is not None and zlib.crc32(read) != sums[row]):
            raise self.damage_error()
        return read

    def check(self, key: str, row: int, parts: Sequence[NDArray[Any]] | NDArray[Any]) -> None:
        """Compare the checksums of `parts`, read of the places from `row` on, with the stored ones.

        Files of version 0.1 have no checksums: their content is not checked.

        Raises:
            IndexFormatError: a checksum differs.
        """
        sums = self._part_sums(key)
        if sums is None:
            return
        if [crc32_of(part) for part in parts] != sums[row : row + len(parts)].tolist():
            raise self.damage_error()

    def _part_sums(self, key: str) -> NDArray[np.uint32] | None:
        """The checksum of each place's part of a large dataset."""
        if key not in self._parts_sums:
            self._parts_sums[key] = self.column(part_sums(key)) if self._sums else None
        return self._parts_sums[key]


class _Dataset(NamedTuple):
    """A dataset in its file: offset, shape, bytes of a row, and type of its numbers."""

    offset: int
    shape: tuple[int, ...]
    stride: int
    dtype: np.dtype[Any]


def _locate_dataset(dataset: Any) -> _Dataset:
    """The location of a dataset in its file.

    h5py's low-level interface takes a third of the time of its other one, and an index may have
    hundreds of shards with a dozen columns each.
    """
    offset, shape, kind = dataset.get_offset(), dataset.shape, dataset.dtype
    if offset is None and np.prod(shape):
        raise ValueError("it is not stored contiguously")
    return _Dataset(offset or 0, shape, int(np.prod(shape[1:])) * kind.itemsize, kind)


class ShardRows:
    """The descriptors of several shards as one array on disk. Thread-safe.

    Rows of removed places are left out: they have no row number.
    """

    def __init__(
        self, shards: Sequence[ArrayFile], removed: NDArray[np.int64] | None = None
    ) -> None:
        """`removed` are the ids of removed places."""
        self._shards = shards
        counts = [shard.shape("descriptors")[0] for shard in shards]
        self._starts = np.cumsum([0, *counts])
        self._first_rows: list[int] = self._starts.tolist()  # bisect takes a tenth of numpy's time
        self.stored_ids: NDArray[np.int64] = read_only(
            np.concatenate([shard.column("place_id") for shard in shards])
        )
        """The place ids of all rows of the shards, removed places included."""
        self.removed: NDArray[np.bool_] = np.zeros(len(self.stored_ids), np.bool_)
        """Flags of the rows of `stored_ids` whose places are removed."""
        if removed is not None and len(removed):
            self.removed |= np.isin(self.stored_ids, removed)
        self._live_rows = np.flatnonzero(~self.removed) if self.removed.any() else None
        self.place_ids = read_only(self.without_removed(self.stored_ids))
        self.shape = (len(self.place_ids), shards[0].shape("descriptors")[1])
        self.dtype = np.dtype(np.float32)
        self._stored_type = shards[0].dtype("descriptors")

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        """All rows in memory, (N, D), for `numpy.asarray`."""
        if copy is False:
            raise ValueError("The descriptors are on disk: an array of them is a copy.")
        rows = np.empty(self.shape, dtype or self.dtype)
        start = 0
        for chunk in self.chunks():
            rows[start : start + len(chunk)] = chunk
            start += len(chunk)
        return rows

    def without_removed(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The rows of places that are not removed, of a column of all rows of the shards."""
        return stored if self._live_rows is None else stored[self._live_rows]

    def row_of(self, place_id: SupportsIndex) -> int:
        """The row of a place.

        Raises:
            UnknownPlaceError: there is no such place, or it was removed.
        """
        if not is_whole(place_id):
            raise UnknownPlaceError(f"The id of a place is a whole number, not {place_id!r:.80}.")
        row = int(np.searchsorted(self.place_ids, place_id))
        if row >= len(self) or self.place_ids[row] != place_id:
            if place_id in self.stored_ids:
                raise UnknownPlaceError(
                    f"Place {place_id} was removed; it can be restored until the index is "
                    "compacted."
                )
            raise UnknownPlaceError(
                f"There is no place {place_id} in this index; it has {counted(len(self), 'place')}."
            )
        return row

    def locate(self, row: int) -> tuple[int, int]:
        """The number of the shard that holds a row, and the row's number in that shard."""
        return self._locate_stored(row if self._live_rows is None else int(self._live_rows[row]))

    def _locate_stored(self, stored: int) -> tuple[int, int]:
        shard = bisect_right(self._first_rows, stored) - 1
        return shard, stored - self._first_rows[shard]

    def take(self, rows: ArrayLike) -> NDArray[np.float32]:
        """These rows, (len(rows), D).

        Raises:
            WrongParameterError: there are no such rows.
            IndexFormatError: a shard is damaged.
            IndexReadError: a shard cannot be read.
        """
        try:
            numbers = np.asarray(rows)
        except ValueError:  # lists of different lengths
            numbers = np.asarray(rows, object)
        if numbers.size and not (
            numbers.ndim == 1
            and numbers.dtype.kind in "iu"
            and 0 <= numbers.min() <= numbers.max() < len(self)
        ):
            raise WrongParameterError(
                f"The parameter rows is {rows!r:.40}, but it must be the numbers of rows from 0 to "
                f"{len(self) - 1}; those of a mask are numpy.flatnonzero(mask).",
                "rows",
            )
        numbers = numbers.astype(np.int64, copy=False)
        stored = numbers if self._live_rows is None else self._live_rows[numbers]
        shards = np.searchsorted(self._starts, stored, side="right") - 1
        local = stored - self._starts[shards]
        parts = [
            self._shards[shard].descriptor(row)
            for shard, row in zip(shards.tolist(), local.tolist(), strict=True)
        ]
        read = np.frombuffer(b"".join(parts), self._stored_type)
        return decode(read.reshape(len(numbers), self.shape[1]))

    def column(self, key: str, *, start: int = 0) -> NDArray[Any]:
        """A small column of the rows from `start` on, in the memory of one row if all are equal.

        Raises:
            IndexFormatError: a shard cannot be read, or is damaged.
        """
        parts = [_broadcast_if_equal(shard.column(key)) for shard in self._shards]
        if all(part.strides[0] == 0 for part in parts):
            firsts = _broadcast_if_equal(np.stack([part[0] for part in parts if len(part)]))
            if not firsts.strides[0]:
                return np.broadcast_to(firsts[:1], (len(self), *firsts.shape[1:]))[start:]
        return self.without_removed(np.concatenate(parts))[start:]

    def value(self, key: str, row: int) -> Any:
        """One row of a small column. Raises: as `column`."""
        shard, local = self.locate(row)
        return self._shards[shard].value(key, local)

    def stored_value(self, key: str, place_id: int) -> Any:
        """A place's value in a small column, though it may be removed. Raises: as `column`."""
        shard, local = self._locate_stored(int(np.searchsorted(self.stored_ids, place_id)))
        return self._shards[shard].value(key, local)

    def chunks(self, rows: int = 1024, *, start: int = 0) -> Iterator[NDArray[np.float32]]:
        """All rows from `start` on in their order, (≤ rows, D) at a time, none across shards."""
        return map(decode, self.stored_chunks(rows, start=start))

    def stored_chunks(
        self, rows: int = 1024, *, start: int = 0
    ) -> Iterator[NDArray[np.int8] | NDArray[np.float32]]:
        """The rows of `chunks` as they are stored: int8 codes or float32."""
        if start >= len(self):
            return
        stored = start if self._live_rows is None else int(self._live_rows[start])
        for number, shard in enumerate(self._shards):
            count, dims = shard.shape("descriptors")
            first = int(self._starts[number])
            for at in range(max(stored - first, 0), count, rows):
                out = np.empty((min(rows, count - at), dims), self._stored_type)
                shard.read_into(out, "descriptors", at)
                shard.check("descriptors", at, out)
                if self._live_rows is not None:
                    low, high = np.searchsorted(
                        self._live_rows, [first + at, first + at + len(out)]
                    )
                    if high - low < len(out):
                        out = out[self._live_rows[low:high] - (first + at)]
                if len(out):
                    yield out


def _broadcast_if_equal(column: NDArray[Any]) -> NDArray[Any]:
    """A column, in the memory of one row where all rows are equal, as where all are unknown."""
    if not len(column):
        return column
    broadcast = np.broadcast_to(column[:1].copy(), column.shape)
    is_float = column.dtype.kind == "f"
    for part in (slice(-1, None), slice(None)):  # most columns differ in their last row
        if not np.array_equal(column[part], broadcast[part], equal_nan=is_float):
            return column
    return broadcast
