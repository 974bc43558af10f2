"""The content of the shards of one version of an index: rows, and columns of them."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import shell_command
from place_search.core.files import allow_open_files, changed_ns, sha256_of
from place_search.core.geodesy import Position, Utm
from place_search.indexer.errors import IndexFormatError
from place_search.indexer.places import PlacePhoto
from place_search.indexer.storage.array_file import ArrayFile, opened_file
from place_search.indexer.storage.commit import matches_stamp
from place_search.indexer.storage.edits import NO_EDITS, Edits
from place_search.indexer.storage.manifest import Manifest, read_manifest
from place_search.indexer.storage.shard_reader import ShardRows
from place_search.indexer.storage.shards import JOINED, Row, pack_of
from place_search.models import Codes

T = TypeVar("T")


def of_current_version(folder: Path, read: Callable[[Manifest], T]) -> T:
    """The result of `read` for the version on disk, of an index that nobody has locked.

    Raises:
        IndexFormatError: no index, or what `read` raises for a version that no writer replaces.
    """
    manifest = read_manifest(folder)
    may_retry = True
    while True:
        try:
            return read(manifest)
        except IndexFormatError:
            # A writer may just have put a new version in place, or renamed a file of this version.
            previous, manifest = manifest, read_manifest(folder)
            if manifest == previous and not may_retry:
                raise
            may_retry = manifest != previous


def current_paths(folder: Path) -> list[tuple[int, bytes]]:
    """The id and the stored path of each place of the version on disk.

    Raises: as `of_current_version`.
    """

    def read(manifest: Manifest) -> list[tuple[int, bytes]]:
        contents = Contents(manifest, manifest.paths(folder))
        paths: list[bytes] = contents.column("path").tolist()
        return list(zip(contents.rows.place_ids.tolist(), paths, strict=True))

    return of_current_version(folder, read)


class Contents:
    """The opened shards of one version; their content is read on demand. Thread-safe."""

    def __init__(self, manifest: Manifest, paths: Mapping[str, Path]) -> None:
        """`paths` are those of the version's files.

        Raises:
            IndexFormatError: a shard cannot be read.
        """
        self.manifest = manifest
        self._paths = paths
        allow_open_files(2 * len(manifest.shards))
        self.shards = [opened_file(paths[name]) for name in manifest.shards]
        self.rows = ShardRows(self.shards, manifest.removed_ids)
        self._verified: set[str] = set()

    def column(self, key: str) -> NDArray[Any]:
        """A small column of the places that are not removed. Raises `IndexFormatError`."""
        return self.rows.column(key)

    @property
    def bytes_a_photo(self) -> float:
        """The bytes of a place's descriptor and local features, on average."""
        descriptor_bytes = np.dtype(self.manifest.descriptor_type).itemsize * self.rows.shape[1]
        code_bytes: int = self.shards[0].shape("cells")[-1]
        grids = self.column("grid")
        cells = float(grids.prod(axis=1).sum()) / max(1, len(grids))
        return descriptor_bytes + code_bytes * cells

    def first_ids(self) -> dict[str, int]:
        """The first place id in each shard, removed places included."""
        starts = np.cumsum([0, *(shard.shape("descriptors")[0] for shard in self.shards)])
        ids = self.rows.stored_ids[starts[:-1]]
        return dict(zip(self.manifest.shards, ids.tolist(), strict=True))

    def check(self) -> None:
        """Make sure that the shards hold the places of the manifest.

        Raises:
            IndexFormatError: ids or counts differ.
        """
        rows = self.rows
        differs = len(rows) != self.manifest.places or (np.diff(rows.stored_ids) <= 0).any()
        if differs or rows.removed.sum() != self.manifest.removed:
            folder = self._paths[JOINED].parent
            raise IndexFormatError(
                f"{folder} is damaged: its places do not fit its manifest; index the photos again."
            )

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """Latitude and longitude of all places that remain, (N, 2) float64, NaN for none."""
        columns = [self.column(key) for key in ("latitude", "longitude")]
        if any(column.strides[0] for column in columns):
            return np.stack(columns, axis=1)
        # All rows are equal, as where no position is known.
        return np.broadcast_to([column[0] for column in columns], (len(self.rows), 2))

    def count_positions(self, edits: Edits = NO_EDITS) -> int:
        """The number of places with a position, in degrees or in metres, or by an edit."""
        has_coordinates = [~np.isnan(self.column(key)) for key in ("latitude", "easting")]
        corrected = [place_id for place_id, edit in edits.by_place.items() if edit.position]
        return int(
            (
                has_coordinates[0] | has_coordinates[1] | np.isin(self.rows.place_ids, corrected)
            ).sum()
        )

    @cached_property
    def thumbnails(self) -> list[ArrayFile]:
        """The packs of thumbnails, one a shard."""
        return [opened_file(self._paths[pack_of(name)]) for name in self.manifest.shards]

    def codes(self, row: int) -> Codes:
        """The codes of a row's local features, (h·w, bytes) uint8, and its grid (h, w)."""
        number, local = self.rows.locate(row)
        shard = self.shards[number]
        height, width = (int(side) for side in shard.value("grid", local))
        codes = np.empty((height * width, shard.shape("cells")[2]), np.uint8)
        shard.read_into(codes, "cells", local)
        shard.check("cells", local, [codes])
        return codes, (height, width)

    def thumbnail(self, row: int) -> bytes:
        """The thumbnail of a row, a JPEG."""
        shard, local = self.rows.locate(row)
        pack = self.thumbnails[shard]
        start, end = (int(pack.value("offset", at)) for at in (local, local + 1))
        jpeg = np.empty(end - start, np.uint8)
        pack.read_into(jpeg, "jpeg", start)
        pack.check("jpeg", local, [jpeg])
        return jpeg.tobytes()

    def text(self, key: str, row: int) -> str:
        """A text of a row."""
        value: bytes = self.rows.value(key, row)
        return value.decode()

    def number(self, key: str, row: int) -> float | None:
        """A number of a row; None where it is unknown (NaN)."""
        value = float(self.rows.value(key, row))
        return None if np.isnan(value) else value

    def position(self, row: int) -> Position | None:
        """The position of a row in degrees."""
        latitude, longitude = (self.number(key, row) for key in ("latitude", "longitude"))
        return None if latitude is None or longitude is None else Position(latitude, longitude)

    def utm(self, row: int) -> Utm | None:
        """The position of a row in metres."""
        easting, northing = (self.number(key, row) for key in ("easting", "northing"))
        if easting is None or northing is None:
            return None
        return Utm(easting, northing, self.text("zone", row))

    def content(self, row: int) -> bytes:
        """The sha256 of the photo of a row."""
        content: bytes = self.rows.value("content", row).tobytes()
        return content

    def is_made_from(self, row: int, photo: Path, *, by_content: bool) -> bool | None:
        """Whether a row was made from a photo as it is now.

        The photo is compared `by_content`, or by size and time: then None stands for an equal size
        with another time, where only the content tells.

        Raises:
            OSError: the photo cannot be read.
        """
        if by_content:
            return sha256_of(photo) == self.content(row).hex()
        status = photo.stat()
        if status.st_size != self.rows.value("size", row):
            return False
        stored = int(self.rows.value("mtime_ns", row))
        return True if _is_one_time(changed_ns(status), stored) else None

    def rows_holding(self, photos: Collection[bytes]) -> dict[bytes, int]:
        """The first row with each of these photos, by sha256; photos without a row are missing."""
        column = self.column("content")
        starts = np.frombuffer(b"".join(photo[:8] for photo in photos), np.uint64)
        begins_alike = np.isin(np.ascontiguousarray(column[:, :8]).view(np.uint64)[:, 0], starts)
        row_of_photo = {
            column[row].tobytes(): row for row in np.flatnonzero(begins_alike)[::-1].tolist()
        }
        return {photo: row for photo, row in row_of_photo.items() if photo in photos}

    def aspect(self, row: int) -> float:
        """The width of the photo of a row, in heights."""
        return float(self.rows.value("width", row)) / max(
            float(self.rows.value("height", row)), 1.0
        )

    def taken(self, row: int) -> float | None:
        """The capture time of the photo of a row, in seconds since 1970; None where unknown."""
        return self.number("taken", row)

    def heading(self, row: int) -> float | None:
        """The heading of the photo of a row, in degrees from north; None where unknown."""
        return self.number("heading", row)

    def photo(self, row: int, path: Path) -> PlacePhoto:
        """The photo of a row, which now lies at a path."""
        return PlacePhoto(
            path=path,
            name=self.text("name", row),
            position=self.position(row),
            utm=self.utm(row),
            sequence=self.text("sequence", row),
            taken=self.taken(row),
            heading=self.heading(row),
        )

    def row(self, row: int) -> Row:
        """All of a row, to write it to another shard.

        Raises:
            IndexFormatError: the files that hold it fail their checksums.
        """
        number, _ = self.rows.locate(row)
        self._verify(self.manifest.shards[number])
        codes, grid = self.codes(row)
        return Row(
            place_id=int(self.rows.place_ids[row]),
            name=self.text("name", row),
            path=self.text("path", row),
            position=self.position(row),
            utm=self.utm(row),
            width=int(self.rows.value("width", row)),
            height=int(self.rows.value("height", row)),
            size=int(self.rows.value("size", row)),
            mtime_ns=int(self.rows.value("mtime_ns", row)),
            content=self.content(row),
            descriptor=self.rows.take(np.array([row]))[0],
            codes=codes,
            grid=grid,
            thumbnail=self.thumbnail(row),
            sequence=self.text("sequence", row),
            taken=self.taken(row),
            heading=self.heading(row),
        )

    def _verify(self, shard: str) -> None:
        """Check a shard's files before rows are copied: a copy gets new checksums."""
        for name in (shard, pack_of(shard)):
            if name not in self._verified:
                if not matches_stamp(self._paths[name], self.manifest.files[name]):
                    repair = shell_command("verify", self._paths[JOINED].parent, "--repair")
                    raise IndexFormatError(f"{self._paths[name]} is damaged; run {repair} first.")
                self._verified.add(name)


def _is_one_time(time: int, other: int) -> bool:
    """Whether two times in nanoseconds are one, though a drive may have rounded it down.

    NTFS counts 100 ns, exFAT 10 ms or whole seconds, FAT two seconds. Times of whole seconds alone
    are not compared so: of them a later one may be that of a change.
    """
    whole, fraction = sorted((time, other), key=lambda ns: ns % 10**9)
    return time == other or any(
        whole % step == 0 and fraction % 10**9 > 0 and whole == fraction // step * step
        for step in (100, 10**7, 10**9, 2 * 10**9)
    )
