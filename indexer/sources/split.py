"""Place splits of the literature: database and query photos with UTM positions, from one file."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Utm, utm_contradiction
from place_search.core.plugins import has_part, load_part
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.photo_list import degrees_doubt

FILES = "place_search.indexer.sources.splits"
ZONES = {"pitts": "17T", "tokyo": "54S"}
"""The UTM zones of the published splits by the start of their file names."""


@dataclass(frozen=True, slots=True)
class Split:
    """The content of a split file.

    Names are posix paths as in the file. Positions are (N, 2) float64, easting and northing in
    metres of `zone` ('' where it is unknown). Timestamps are (N,) numbers that are equal where the
    photos were taken on one visit, or None where the file has none. `warnings` are sentences on
    contradictions in the file.
    """

    file: Path
    database: tuple[str, ...]
    database_utm: NDArray[np.float64]
    queries: tuple[str, ...]
    queries_utm: NDArray[np.float64]
    radius_m: float
    database_times: NDArray[np.float64] | None = None
    query_times: NDArray[np.float64] | None = None
    queries_below_root: bool = True
    """Whether query names are paths under the photo folder itself, not under its queries folder."""
    warnings: tuple[str, ...] = ()

    @property
    def zone(self) -> str:
        """The UTM zone of a published split; "" for other splits, even of a similar name."""
        name = self.file.stem.lower()
        zone = next((zone for start, zone in ZONES.items() if name.startswith(start)), "")
        ends = (self.database_utm.min(axis=0), self.database_utm.max(axis=0))
        fits = not any(utm_contradiction(Utm(float(e), float(n), zone)) for e, n in ends)
        return zone if fits else ""


def is_split(file: Path) -> bool:
    """Whether a file's ending is that of a split."""
    return has_part(FILES, _part(file))


def read_split(file: Path) -> Split:
    """Read a `.mat` file with a dbStruct, or an `.npz` file with positions and name lists.

    Raises:
        SourceError: another kind of file, or a file that contradicts itself; the message says how.
    """
    if not is_split(file):
        raise SourceError(f"{file} is no split; give a .mat file with a dbStruct or an .npz file.")
    split: Split = load_part(FILES, _part(file)).read(file)
    _check(split)
    doubt = degrees_doubt(f"The positions of {file.name}", *split.database_utm.T.tolist())
    return replace(split, warnings=(*split.warnings, doubt)) if doubt else split


def read_name(value: object) -> str:
    """A photo's name as splits hold it: text or UTF-8 bytes, perhaps with backslashes.

    Raises:
        ValueError: the bytes are not UTF-8.
    """
    text = value.decode("utf-8-sig") if isinstance(value, bytes) else str(value)
    return text.strip().replace("\\", "/").removeprefix("./")


def _part(file: Path) -> str:
    return file.suffix.lower().removeprefix(".")


def _check(split: Split) -> None:
    for photos, names, utm, times in (
        ("database photos", split.database, split.database_utm, split.database_times),
        ("queries", split.queries, split.queries_utm, split.query_times),
    ):
        if not names:
            raise SourceError(f"{split.file} names no {photos}; it cannot be used as a split.")
        if utm.shape != (len(names), 2):
            raise SourceError(
                f"{split.file} has {len(names)} {photos} but positions of shape {utm.shape}; "
                "names and positions are out of step, get the file again."
            )
        if times is not None and times.shape != (len(names),):
            raise SourceError(
                f"{split.file} has {len(names)} {photos} but {times.size} timestamps; get the file "
                "again."
            )
        unplaced = np.flatnonzero(~np.isfinite(utm).all(axis=1))
        if unplaced.size:
            raise SourceError(
                f"{split.file} has no position for {unplaced.size} of {len(names)} {photos}, the "
                f"first is '{names[unplaced[0]]}', so that what is right for them is not known; "
                "leave them out."
            )
    if not 0 < split.radius_m < math.inf:
        raise SourceError(
            f"{split.file} has the radius {split.radius_m}; it must be finite, and over 0 m."
        )


def require_inside(file: Path, root: Path, names: Sequence[str], folder: str = "") -> None:
    """Make sure that no listed name, relative to `folder` in the root, leads out of the root.

    Raises:
        SourceError: a name leads out, to files that may be no photos of the data set.
    """
    base = os.path.normpath(root.absolute())
    for name in names:
        path = os.path.normpath(os.path.join(base, folder, name))  # noqa: PTH118 - 90,000 times
        leads_up = os.path.normpath(name).startswith(("..", "/"))
        if leads_up and not path.startswith(os.path.join(base, "")):  # noqa: PTH118
            raise SourceError(
                f"{file} names '{name}', which is not under {root}; name a root that holds all "
                "photos, and write paths below it."
            )
