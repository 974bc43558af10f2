"""Descriptors of an evaluation, in a scratch file or in an index: never all in memory."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import write_at
from place_search.core.rows import spread_rows
from place_search.core.text import free_bytes, needed_bytes
from place_search.evaluation.errors import TruthError
from place_search.evaluation.ranking import Chunk
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows
from place_search.indexer import Index, Skipped
from place_search.models import Codes

CHUNK_BYTES = 128 << 20
"""Bytes of database descriptors that are in memory at a time."""
COMPARED = 100
"""The largest number of photos whose content is compared with that of their places."""


class Database(Protocol):
    """The descriptors of a truth's database."""

    def chunks(self) -> Iterator[Chunk]:
        """All descriptors in chunks, each with its row in the truth's database."""
        ...


class Scratch:
    """(n, dims) float32 rows in an unnamed file, which is freed with this object.

    Rows that were never written are zeros.
    """

    def __init__(self, count: int, dims: int) -> None:
        """Make room for the rows. Raises `TruthError` where the disk has none."""
        self._count, self._dims = count, dims
        folder = Path(tempfile.gettempdir())
        needed, free_size = 4 * count * dims, shutil.disk_usage(folder).free
        if needed > free_size:
            raise TruthError(
                f"The descriptors of {count} photos need {needed_bytes(needed)} in {folder}, which "
                f"has {free_bytes(free_size)} free; set TMPDIR to a folder on a larger disk."
            )
        with _plain_errors():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
            weakref.finalize(self, self._file.close)
            self._file.truncate(needed)

    def write(self, row: int, descriptor: NDArray[np.float32]) -> None:
        """Set one row, (dims,). Raises `TruthError` where the disk is full by now."""
        data = np.ascontiguousarray(descriptor, dtype=np.float32)
        with _plain_errors():
            write_at(self._file.fileno(), data.data.cast("B"), 4 * row * self._dims)

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


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TruthError(
            f"The descriptors cannot be written to {tempfile.gettempdir()} ({error.strerror}); "
            "make room, or set TMPDIR to a folder on a larger disk."
        ) from error


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

    `skipped` maps database rows to the photos that the index has left out as unreadable.
    `missing` are the photos that the index lacks, `changed` those whose content was another when
    they were indexed.
    """

    def __init__(self, index: Index, truth: GroundTruth) -> None:
        """Find each database photo in the index: by its path, else by its path when indexed.

        Sizes are compared; where path, size and time do not agree, so is the content of `COMPARED`
        photos, spread over the list.
        """
        self.index, self._truth = index, truth
        self._root, self._made_at = truth.root.resolve(), index.manifest.source["root"]
        self._indexed = np.full(len(truth.database), -1, dtype=np.int64)
        moved = self._match()
        self._place_of = {
            name: int(index.place_ids[place])
            for name, place in zip(truth.database, self._indexed.tolist(), strict=True)
            if place >= 0
        }
        left_out = {photo.name: photo for photo in index.manifest.skipped}
        self.skipped: dict[int, Skipped] = {}
        self.missing: list[str] = []
        for row in np.flatnonzero(self._indexed < 0).tolist():
            name = truth.database[row]
            photo = left_out.get(name) or left_out.get(self._path_when_indexed(self._path(name)))
            if photo is None:
                self.missing.append(name)
            else:
                self.skipped[row] = photo._replace(name=name)
        self.changed = self._compare(moved)
        self._step = max(1, CHUNK_BYTES // (4 * index.dims))

    @property
    def identity(self) -> dict[str, str]:
        """What tells this version of the index from others, and how it rounds descriptors."""
        manifest = self.index.manifest
        return {"id": manifest.index_id, "descriptor_type": manifest.descriptor_type}

    def _match(self) -> set[int]:
        """Find the place of each photo; returns the rows whose place is not found by its path."""
        places = [(os.fspath(place.path), place.name) for place in self.index.places()]
        paths = {path: row for row, (path, _) in enumerate(places)}
        for row, name in enumerate(self._truth.database):
            self._indexed[row] = paths.get(self._path(name), -1)
        names: dict[str, int] = {}
        for place in np.setdiff1d(np.arange(len(places)), self._indexed).tolist():
            path, name = places[place]
            names[self._path_when_indexed(path)] = place
            names.setdefault(name, place)
        moved = set(np.flatnonzero(self._indexed < 0).tolist())
        for row in moved:
            self._indexed[row] = names.get(self._truth.database[row], -1)
        return moved

    def _path(self, name: str) -> str:
        return os.path.normpath(self._root / name)

    def _path_when_indexed(self, path: str) -> str:
        """A photo's path below the folder that was indexed."""
        return os.path.relpath(path, self._made_at)

    def _compare(self, moved: set[int]) -> list[str]:
        """The photos whose content is not that of their places."""
        changed, undecided = [], []
        for row in np.flatnonzero(self._indexed >= 0).tolist():
            is_unchanged = self._is_made_from(row, by_content=False)
            if is_unchanged is False:
                changed.append(row)
            elif is_unchanged is None or row in moved:
                undecided.append(row)
        for number in spread_rows(len(undecided), COMPARED).tolist():
            if self._is_made_from(undecided[number], by_content=True) is False:
                changed.append(undecided[number])
        return [self._truth.database[row] for row in sorted(changed)]

    def _is_made_from(self, row: int, *, by_content: bool) -> bool | None:
        photo = self._truth.path(self._truth.database[row])
        try:
            return self.index.is_made_from(int(self._indexed[row]), photo, by_content=by_content)
        except OSError:  # the photo cannot be read on this machine
            return None

    def require_all(self) -> None:
        """Make sure that the index holds the photos of the database. Raises `TruthError`."""
        count, folder = len(self._truth.database), self.index.folder
        if self.missing:
            raise TruthError(
                f"{folder} lacks {len(self.missing)} of the {count} database photos of "
                f"{self._truth.name}, the first is '{self.missing[0]}'; index the same data again."
            )
        if self.changed:
            raise TruthError(
                f"{folder} was made from other photos than those of {self._truth.name}: at least "
                f"{len(self.changed)} of the {count} differ, the first is "
                f"'{self._truth.path(self.changed[0])}'; name the index of these photos, or index "
                "them again."
            )

    def codes(self, name: str) -> Codes | None:
        """The codes of a database photo's local features, if the index has the photo."""
        place_id = self._place_of.get(name)
        return None if place_id is None else self.index.codes(place_id)

    def take(self, rows: Rows) -> NDArray[np.float32]:
        """The descriptors of these database rows, (len(rows), D); zeros for unreadable photos."""
        out = np.zeros((len(rows), self.index.dims), dtype=np.float32)
        is_indexed = self._indexed[rows] >= 0
        out[is_indexed] = self.index.descriptors().take(self._indexed[rows[is_indexed]])
        return out

    def chunks(self) -> Iterator[Chunk]:
        """The descriptors of the database's photos; other places of the index are left out."""
        start = 0
        for chunk in self.index.descriptors().chunks(self._step):
            places = self._indexed - start
            rows = np.flatnonzero((places >= 0) & (places < len(chunk)))
            start += len(chunk)
            yield rows, chunk[places[rows]]
