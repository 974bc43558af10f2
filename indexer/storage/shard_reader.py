"""The descriptors and columns of several shards, as of one array without the removed places."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from place_search.core.errors import WrongParameterError
from place_search.core.rows import read_only
from place_search.core.tables import is_whole
from place_search.core.text import counted
from place_search.indexer.errors import UnknownPlaceError
from place_search.indexer.storage.array_file import ArrayFile
from place_search.indexer.storage.descriptor_codes import decode


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
