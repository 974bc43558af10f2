"""Ground truth: which database photos show the place of which query."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.errors import TruthError

Rows: TypeAlias = NDArray[np.int64]
"""Row numbers of the database."""
Metres: TypeAlias = NDArray[np.float64]
"""Positions in metres: (N, 2) easting and northing, or (N, 3) geocentric; NaN for none."""


class Order(NamedTuple):
    """The order of listed photos: the names of their sequences, "" for none, and their times.

    `taken` is (N,) in seconds since 1970, NaN for none.
    """

    sequences: tuple[str, ...]
    taken: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Queries, database and positives of one evaluation.

    Names are posix paths under `root`. `positives[i]` holds the database rows that are right for
    `queries[i]`, ascending; it may be empty. `own_rows[i]` holds the database rows of that query
    itself, found by its file, also through links. They never count as its results, and are no
    positives of it.

    `name` is that of the data, `protocol` its default protocol, and `missing` lists the photos
    that do not exist. `warnings` are sentences on folders that may not be read and on metres that
    look like degrees. Positions are given where positives come from a radius, times where the data
    tells visits apart, an order where the data lists sequences and times.
    """

    root: Path
    database: tuple[str, ...]
    queries: tuple[str, ...]
    positives: tuple[Rows, ...]
    own_rows: tuple[Rows, ...] = field(init=False)
    name: str = ""
    protocol: str = "truth-csv"
    radius_m: float | None = None
    database_metres: Metres | None = None
    query_metres: Metres | None = None
    database_times: NDArray[np.float64] | None = None
    query_times: NDArray[np.float64] | None = None
    database_order: Order | None = None
    query_order: Order | None = None
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Find the queries in the database."""
        own = rows_of_photos(self.root, self.queries, self.database)
        positives = (
            rows[~np.isin(rows, own_row)] if own_row.size else rows
            for rows, own_row in zip(self.positives, own, strict=True)
        )
        object.__setattr__(self, "own_rows", own)
        object.__setattr__(self, "positives", tuple(positives))

    def path(self, name: str) -> Path:
        """The file of a query or of a database photo."""
        return self.root / name

    @property
    def photos(self) -> tuple[str, ...]:
        """All photos, each once: the database in its order, then the queries outside it."""
        return tuple(dict.fromkeys((*self.database, *self.queries)))

    @property
    def listed_twice(self) -> list[str]:
        """Photos that the database, or the list of queries, names more than once."""
        counts = [*Counter(self.database).items(), *Counter(self.queries).items()]
        return [name for name, count in counts if count > 1]

    @property
    def remedy_all_right(self) -> str:
        """The end of a sentence: the remedy where every photo is right for every query."""
        if self.radius_m is None:
            return "give it other photos to search among, as with --database DIR."
        return "are positions in metres, and is the radius right?"

    def require_photos(self) -> None:
        """Make sure that no photo is missing. Raises `TruthError`."""
        if self.missing:
            raise TruthError(
                f"{len(self.missing)} of the {len(self.photos)} photos of {self.name} are not "
                f"under {self.root}, the first is '{self.missing[0]}'; `place-search doctor` "
                "with the same options says more."
            )


def rows_of_photos(root: Path, photos: Sequence[str], database: Iterable[str]) -> tuple[Rows, ...]:
    """For each photo under a root its rows in the database, ascending.

    A database may list a photo twice, or hold links to it: data sets are often folders of links.
    """

    @cache
    def without_links(folder: str) -> str:
        with suppress(ValueError):  # a name that no file has, with a zero byte
            return os.path.realpath(root / folder)
        return folder

    def file_of(name: str) -> str:
        """The path of a photo's file, without links; also of a photo that does not exist."""
        folder, _, file = name.rpartition("/")
        path = os.path.join(without_links(folder), file)  # noqa: PTH118 - 90,000 times
        return os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114

    asked = [file_of(name) for name in photos]
    rows: dict[str, list[int]] = {file: [] for file in asked}
    for row, name in enumerate(database):
        if (file := file_of(name)) in rows:
            rows[file].append(row)
    return tuple(np.array(rows[file], dtype=np.int64) for file in asked)
