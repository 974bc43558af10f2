"""Descriptors of a track's frames in a file, so that an interrupted run goes on from there."""

import fcntl
import hashlib
import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.indexer import IndexWriteError

_HEADER_BYTES = 256
Vectors = NDArray[np.float32]


class FrameFile:
    """(n, D) float32 rows that grow; rows of NaN stand for frames that cannot be read.

    A file of other frames or another model is begun anew.
    """

    def __init__(self, path: Path, dims: int, identity: str) -> None:
        """Open or begin the file.

        Raises:
            IndexWriteError: it cannot be written, or another process writes it.
        """
        self.path, self._dims = path, dims
        told = {
            "dims": dims,
            "frames": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest(),
        }
        header = json.dumps(told).encode().ljust(_HEADER_BYTES)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.pread(self._file, _HEADER_BYTES, 0) != header:
                    os.ftruncate(self._file, 0)
                    self._write(memoryview(header), 0)
            except BaseException:
                os.close(self._file)
                raise
        except BlockingIOError:
            raise IndexWriteError(
                f"Another process is writing {path}; wait for it, or name another --out."
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        size = os.fstat(self._file).st_size - _HEADER_BYTES
        self.count = size // (4 * dims)
        """Rows that are whole."""

    def append(self, descriptor: Vectors | None) -> None:
        """Add a row; None for a frame that cannot be read."""
        row = np.full(self._dims, np.nan, np.float32) if descriptor is None else descriptor
        data = np.ascontiguousarray(row, np.float32)
        try:
            self._write(data.data.cast("B"), self._offset(self.count))
        except OSError as error:
            raise self._unwritable(error) from error
        self.count += 1

    def read(self, row: int) -> Vectors | None:
        """A row, (D,); None for a frame that cannot be read.

        Raises:
            IndexWriteError: somebody has cut the file short.
        """
        data = np.empty(self._dims, np.float32)
        if os.preadv(self._file, [data.data.cast("B")], self._offset(row)) != data.nbytes:
            raise IndexWriteError(f"{self.path} was cut short meanwhile; run the command again.")
        return None if np.isnan(data[0]) else data

    def close(self) -> None:
        """Close the file; whoever named it removes it when all is done."""
        os.close(self._file)

    def _write(self, data: memoryview, offset: int) -> None:
        while data:  # a full disk takes a part, and refuses the next one
            written = os.pwrite(self._file, data, offset)
            data, offset = data[written:], offset + written

    def _offset(self, row: int) -> int:
        return _HEADER_BYTES + 4 * row * self._dims

    def _unwritable(self, error: OSError) -> IndexWriteError:
        return IndexWriteError(
            f"{self.path} cannot be written ({error.strerror}); make room, or write to another "
            "folder."
        )
