"""What the shards of one version of an index hold: rows, and columns beside them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Position, Utm
from place_search.indexer.errors import IndexFormatError
from place_search.indexer.storage.commit import is_stamped
from place_search.indexer.storage.edits import NO_EDITS, Edits
from place_search.indexer.storage.manifest import Manifest
from place_search.indexer.storage.shard_reader import ArrayFile, ShardRows
from place_search.indexer.storage.shards import JOINED, SHARDS, TABLE, THUMBNAILS, Row

ARRAYS = ("descriptors", "cells")


# The columns that say whether a place has a position: in degrees, in metres.
POSITION_COLUMNS = ("latitude", "easting")


class Contents:
    """The shards of one version, opened. Thread-safe."""

    def __init__(
        self, manifest: Manifest, paths: Mapping[str, Path], columns: Sequence[str] = TABLE
    ) -> None:
        """`paths` are those of the version's files; `columns` are read into memory.

        Raises:
            IndexFormatError: a shard cannot be read.
        """
        self.manifest = manifest
        self._paths = paths
        tables = tuple({"place_id": 0, "grid": 0, **dict.fromkeys(columns)})
        self.shards = [ArrayFile(paths[name], ARRAYS, tables) for name in manifest.shards]
        self.rows = ShardRows(self.shards, manifest.removed_ids)
        self.table: dict[str, NDArray[Any]] = {"place_id": self.rows.place_ids}
        """The columns of the places that are left."""
        for key in tables[1:]:
            column = np.concatenate([shard.tables.pop(key) for shard in self.shards])
            self.table[key] = _once(self.rows.live(column))
        if {"name", "path"} <= self.table.keys() and np.array_equal(
            self.table["name"], self.table["path"]
        ):
            self.table["path"] = self.table["name"]
        self._verified: set[str] = set()

    def first_ids(self) -> dict[str, int]:
        """The first place id in each shard, of places that are removed too."""
        starts = np.cumsum([0, *(shard.shape("descriptors")[0] for shard in self.shards)])
        ids = self.rows.stored_ids[starts[:-1]]
        return dict(zip(self.manifest.shards, ids.tolist(), strict=True))

    def check(self) -> None:
        """Make sure that the shards hold what the manifest says.

        Raises:
            IndexFormatError: they do not.
        """
        rows = self.rows
        wrong = len(rows) != self.manifest.places or (np.diff(rows.stored_ids) <= 0).any()
        if wrong or rows.removed.sum() != self.manifest.removed:
            folder = self._paths[JOINED].parent
            raise IndexFormatError(
                f"{folder} is damaged: its places do not fit its manifest; index the photos again."
            )

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """Latitude and longitude of every place that is left, (N, 2) float64, NaN for none."""
        keys = ("latitude", "longitude")
        both = _once(np.stack([self.table[key] for key in keys], axis=1))
        self.table |= dict(zip(keys, both.T, strict=True))  # kept once
        return both

    def count_positions(self, edits: Edits = NO_EDITS) -> int:
        """How many of the places have a position, in degrees or in metres, or by an edit."""
        known = [~np.isnan(self.table[column]) for column in POSITION_COLUMNS]
        moved = [place_id for place_id, edit in edits.by_place.items() if edit.position]
        return int((known[0] | known[1] | np.isin(self.rows.place_ids, moved)).sum())

    @cached_property
    def thumbnails(self) -> list[ArrayFile]:
        """The packs of thumbnails, one a shard."""
        packs = (name.replace(SHARDS, THUMBNAILS) for name in self.manifest.shards)
        return [ArrayFile(self._paths[pack], ["jpeg"], ["offset"]) for pack in packs]

    def codes(self, row: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """The codes of a row's local features, (h·w, bytes) uint8, and its grid (h, w)."""
        height, width = (int(side) for side in self.table["grid"][row])
        number, local = self.rows.locate(row)
        shard = self.shards[number]
        codes = np.empty((height * width, shard.shape("cells")[2]), np.uint8)
        shard.read_into(codes, "cells", local)
        shard.check("cells", local, [codes])
        return codes, (height, width)

    def thumbnail(self, row: int) -> bytes:
        """The thumbnail of a row, a JPEG."""
        shard, local = self.rows.locate(row)
        pack = self.thumbnails[shard]
        start, end = (int(offset) for offset in pack.tables["offset"][local : local + 2])
        jpeg = np.empty(end - start, np.uint8)
        pack.read_into(jpeg, "jpeg", start)
        pack.check("jpeg", local, [jpeg])
        return jpeg.tobytes()

    def text(self, key: str, row: int) -> str:
        """A text of a row."""
        value: bytes = self.table[key][row]
        return value.decode()

    def position(self, row: int) -> Position | None:
        """The position of a row in degrees."""
        latitude, longitude = (float(self.table[k][row]) for k in ("latitude", "longitude"))
        return None if np.isnan(latitude) else Position(latitude, longitude)

    def utm(self, row: int) -> Utm | None:
        """The position of a row in metres."""
        easting, northing = (float(self.table[k][row]) for k in ("easting", "northing"))
        return None if np.isnan(easting) else Utm(easting, northing, self.text("zone", row))

    def taken(self, row: int) -> float | None:
        """When the photo of a row was taken, in seconds since 1970."""
        taken = float(self.table["taken"][row])
        return None if np.isnan(taken) else taken

    def heading(self, row: int) -> float | None:
        """Where the photo of a row looks, in degrees from north."""
        heading = float(self.table["heading"][row])
        return None if np.isnan(heading) else heading

    def row(self, row: int) -> Row:
        """All of a row, to write it to another shard; needs all columns.

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
            width=int(self.table["width"][row]),
            height=int(self.table["height"][row]),
            size=int(self.table["size"][row]),
            mtime_ns=int(self.table["mtime_ns"][row]),
            content=self.table["content"][row].tobytes(),
            descriptor=self.rows.take(np.array([row]))[0],
            codes=codes,
            grid=grid,
            thumbnail=self.thumbnail(row),
            sequence=self.text("sequence", row),
            taken=self.taken(row),
            heading=self.heading(row),
        )

    def _verify(self, shard: str) -> None:
        """Make sure that what is copied gets no new checksum while it fails its old one."""
        for name in (shard, shard.replace(SHARDS, THUMBNAILS)):
            if name not in self._verified:
                if not is_stamped(self._paths[name], self.manifest.files[name]):
                    folder = self._paths[JOINED].parent
                    raise IndexFormatError(
                        f"{self._paths[name]} is damaged; run `place-search verify {folder} "
                        "--repair` first."
                    )
                self._verified.add(name)


def _once(column: NDArray[Any]) -> NDArray[Any]:
    """A column, in the memory of one row where all rows are equal, as where nothing is known."""
    every = np.broadcast_to(column[:1].copy(), column.shape)
    nan = column.dtype.kind == "f"
    for part in (slice(-1, None), slice(None)):  # most columns differ in their last row
        if not np.array_equal(column[part], every[part], equal_nan=nan):
            return column
    return every
