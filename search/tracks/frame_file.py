"""Descriptors of a track's frames in a file, so that an interrupted run can continue."""

import hashlib
import json
import os

import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import PlaceSearchError
from place_search.core.files import LockedFile

_HEADER_BYTES = 256
Vectors = NDArray[np.float32]


class FrameFile:
    """A growing file of float32 rows (n, D); a row of NaN is a frame that cannot be read.

    A file of other frames or another model is begun anew.
    """

    def __init__(self, file: LockedFile, dims: int, identity: str) -> None:
        """Continue a file, or begin it.

        Raises:
            PlaceSearchError: the file cannot be written.
        """
        self._file, self._dims = file, dims
        header_fields = {
            "dims": dims,
            "frames": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest(),
        }
        header = json.dumps(header_fields).encode().ljust(_HEADER_BYTES)
        if os.pread(file.descriptor, _HEADER_BYTES, 0) != header:
            file.truncate(0)
            file.write(header, 0)
        size = os.fstat(file.descriptor).st_size - _HEADER_BYTES
        self.count = size // (4 * dims)
        """The number of complete rows."""

    def write(self, row: int, descriptor: Vectors) -> None:
        """Write a row; rows that are missing before it are those of frames that cannot be read.

        Raises:
            PlaceSearchError: the disk is full.
        """
        self.extend(row)
        data = np.ascontiguousarray(descriptor, np.float32)
        self._file.write(data.data.cast("B"), self._offset(row))
        self.count = max(self.count, row + 1)

    def extend(self, count: int) -> None:
        """Add rows of frames that cannot be read until there are `count`. Raises as `write`."""
        while self.count < count:
            self.write(self.count, np.full(self._dims, np.nan, np.float32))

    def read(self, row: int) -> Vectors | None:
        """A row, (D,); None for a frame that cannot be read.

        Raises:
            PlaceSearchError: the file was cut short.
        """
        data = np.empty(self._dims, np.float32)
        read = os.preadv(self._file.descriptor, [data.data.cast("B")], self._offset(row))
        if read != data.nbytes:
            raise PlaceSearchError(
                f"{self._file.path} was cut short meanwhile; run the command again."
            )
        return None if np.isnan(data[0]) else data

    def _offset(self, row: int) -> int:
        return _HEADER_BYTES + 4 * row * self._dims
