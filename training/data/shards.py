"""Rows of numbers in HDF5 shards, each whole or absent, so that a killed job can continue."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from place_search.core.files import allow_open_files, write_whole
from place_search.core.progress import Progress, silent
from place_search.training.process_group import ProcessGroup

Values = NDArray[np.float16] | NDArray[np.float32]
Fill = Callable[[range], Values]
"""Computes the rows of a range, (n, …)."""


class Shards:
    """`count` rows in files of `rows` rows each, in `folder`; all files carry the same `stamp`.

    A file with another stamp, in another format or cut short counts as absent.
    """

    def __init__(self, folder: Path, stamp: str, count: int, rows: int) -> None:
        self._folder, self._stamp = folder, stamp
        self._ranges = [range(start, min(start + rows, count)) for start in range(0, count, rows)]
        self._rows = rows
        self._open: dict[int, h5py.File] = {}
        allow_open_files(len(self._ranges))

    def fill(
        self,
        compute: Fill,
        processes: ProcessGroup,
        stage: str = "",
        progress: Progress = silent,
    ) -> None:
        """Compute the missing shards; several processes share the work."""
        self._folder.mkdir(parents=True, exist_ok=True)
        own_numbers = range(processes.rank, len(self._ranges), processes.size)
        for count, number in enumerate(own_numbers, 1):
            if not self._is_whole(number):
                self._write(number, compute(self._ranges[number]))
            progress(stage, count, len(own_numbers))
        processes.wait_for_all()

    def take(self, rows: NDArray[np.int64]) -> Values:
        """The given rows, in their order, (n, …)."""
        out: Values | None = None
        for number in np.unique(rows // self._rows).tolist():
            at = np.flatnonzero(rows // self._rows == number)
            values = self._values(number)
            if out is None:
                out = np.empty((len(rows), *values.shape[1:]), dtype=values.dtype)
            unique_rows, inverse = np.unique(rows[at] - number * self._rows, return_inverse=True)
            out[at] = values[unique_rows][inverse]
        if out is None:
            raise ValueError("no rows asked for")
        return out

    def blocks(self) -> Iterator[tuple[range, Values]]:
        """All rows, a shard at a time."""
        for number, rows in enumerate(self._ranges):
            yield rows, self._values(number)[:]

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _values(self, number: int) -> h5py.Dataset:
        if number not in self._open:
            self._open[number] = h5py.File(self._path(number), "r")
        return self._open[number]["values"]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.h5"

    def _is_whole(self, number: int) -> bool:
        try:
            with h5py.File(self._path(number), "r") as file:
                is_full = len(file["values"]) == len(self._ranges[number])
                return bool(is_full and file.attrs["stamp"] == self._stamp)
        except (OSError, KeyError):
            return False

    def _write(self, number: int, values: Values) -> None:
        buffer = io.BytesIO()  # HDF5 raises no OSError where the disk is full
        with h5py.File(buffer, "w") as file:
            file.create_dataset("values", data=values)
            file.attrs["stamp"] = self._stamp
        write_whole(self._path(number), buffer.getvalue())
