"""Reading a file of arrays: numbers straight from it at known offsets, never mapped into memory.

Mapped files would kill the process when they are cut short, and count as its resident memory.
"""

import os
import weakref
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import PlaceSearchError, shell_command
from place_search.core.files import open_regular
from place_search.core.forking import OfOneProcess
from place_search.core.text import parse_json
from place_search.indexer.errors import IndexFormatError, read_refusal
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

    @property
    def identity(self) -> tuple[object, ...]:
        """The path and the facts of the file that change when it is written again."""
        return _identity(self.path, os.fstat(self._descriptor))

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


_OPENED: "weakref.WeakValueDictionary[tuple[object, ...], ArrayFile]" = (
    weakref.WeakValueDictionary()
)
# A child would share the position in the files with its parent.
os.register_at_fork(after_in_child=_OPENED.clear)


def _identity(path: Path, status: os.stat_result) -> tuple[object, ...]:
    return path, status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns


def opened_file(path: Path) -> ArrayFile:
    """The file at a path, as another open version of the index has it, if it is unchanged.

    Versions share most files. An index of a million places has hundreds, and finding the datasets
    of one takes milliseconds.

    Raises: as `ArrayFile`.
    """
    with suppress(OSError):  # the next line says what is wrong
        if (file := _OPENED.get(_identity(path, path.stat()))) is not None:
            return file
    file = ArrayFile(path)
    _OPENED[file.identity] = file
    return file


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
