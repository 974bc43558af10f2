"""The photos of a source, with their names, positions and order."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Position, Utm, is_zone, look_like_degrees, metres_in
from place_search.indexer.places import PlacePhoto
from place_search.indexer.sources.walk import count_kinds
from place_search.indexer.storage.added_folders import Adding
from place_search.indexer.storage.manifest import Skipped

_NUMBERS = ("latitude", "longitude", "easting", "northing", "taken", "heading")
AGREE_M = 100.0
"""The distance in metres up to which positions in UTM and in degrees agree."""
_PHOTO_FIELDS = ("name", "position", "utm", "sequence", "taken", "heading")


def degrees_doubt(where: str, eastings: Sequence[float], northings: Sequence[float]) -> str:
    """Why metres without a zone are probably degrees, "" where they are not."""
    if not look_like_degrees(eastings, northings):
        return ""
    first = next((a, b) for a, b in zip(eastings, northings, strict=True) if a == a and b == b)
    return (
        f"{where} give eastings and northings that look like degrees, such as {first[0]:.10g} and "
        f"{first[1]:.10g}; they are taken for metres, so all places lie close together. Give "
        "metres, or a CSV with path,latitude,longitude."
    )


@dataclass(frozen=True, slots=True)
class Doubt:
    """A doubt about the positions of a source: its code in reports of the doctor, and its sentence.

    `count` is the number of photos, `example` the name of the first.
    """

    code: str
    count: int
    example: str
    sentence: str


class PhotoList(Sequence[PlacePhoto]):
    """Photos as compact columns: a million photos take about 0.1 GB."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._paths: list[str] = []
        self._names: dict[int, str] = {}
        self._zones: dict[int, str] = {}
        self._sequences: dict[int, str] = {}
        self._numbers: dict[str, array[float]] = {}

    def append(
        self,
        path: str,
        *,
        name: str = "",
        position: Position | None = None,
        utm: Utm | None = None,
        sequence: str = "",
        taken: float | None = None,
        heading: float | None = None,
    ) -> None:
        """Add a photo by its posix path under the root; without a name, that path is its name."""
        row = len(self._paths)
        self._paths.append(path)
        if name and name != path:
            self._names[row] = name
        if position is not None:
            self._set("latitude", row, position.latitude)
            self._set("longitude", row, position.longitude)
        if utm is not None:
            self._set("easting", row, utm.easting)
            self._set("northing", row, utm.northing)
            if utm.zone:
                self._zones[row] = utm.zone
        if sequence:
            self._sequences[row] = sequence
        if taken is not None:
            self._set("taken", row, taken)
        if heading is not None:
            self._set("heading", row, heading)

    def append_as(self, path: str, photo: PlacePhoto, **changes: Any) -> None:
        """Add a photo under another path, as of `append`, with the fields of `changes` replaced."""
        values = {key: getattr(photo, key) for key in _PHOTO_FIELDS}
        self.append(path, **(values | changes))

    def _set(self, key: str, row: int, value: float) -> None:
        column = self._numbers.setdefault(key, array("d"))
        column.extend([float("nan")] * (row - len(column)))
        column.append(value)

    def _get(self, key: str, row: int) -> float | None:
        column = self._numbers.get(key, ())
        value = column[row] if row < len(column) else None
        return value if value is not None and value == value else None  # not NaN

    def doubts(self, where: str) -> tuple[Doubt, ...]:
        """Metres that are probably degrees, and photos whose metres and degrees disagree."""
        doubts = []
        first, second = (self._numbers.get(key, ()) for key in ("easting", "northing"))
        if not self._zones and (sentence := degrees_doubt(where, first, second)):
            doubts.append(Doubt("metres-look-like-degrees", len(self), self[0].name, sentence))
        if far_rows := self._disagreeing_rows():
            example = self[far_rows[0]].name
            sentence = (
                f"{where} give {len(far_rows)} of {len(self)} photos eastings and northings more "
                f"than {AGREE_M:.0f} m from their latitude and longitude, the first is "
                f"'{example}'; correct one of the two."
            )
            doubts.append(Doubt("position-disagrees", len(far_rows), example, sentence))
        return tuple(doubts)

    def _disagreeing_rows(self) -> list[int]:
        rows_of: defaultdict[str, list[int]] = defaultdict(list)
        for row, zone in self._zones.items():
            if is_zone(zone) and self._get("latitude", row) is not None:
                rows_of[zone].append(row)
        far_rows: list[int] = []
        for zone, rows in rows_of.items():
            degrees, metres = (
                np.array([[self._numbers[key][row] for key in keys] for row in rows])
                for keys in (_NUMBERS[:2], _NUMBERS[2:4])
            )
            is_near = np.linalg.norm(metres_in(zone, degrees) - metres, axis=1) <= AGREE_M
            far_rows += np.array(rows)[~is_near].tolist()  # and those beyond the projection
        return sorted(far_rows)

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> PlacePhoto: ...
    @overload
    def __getitem__(self, index: slice) -> list[PlacePhoto]: ...
    def __getitem__(self, index: int | slice) -> PlacePhoto | list[PlacePhoto]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        path = self._paths[row]
        latitude, longitude, easting, northing, taken, heading = (
            self._get(key, row) for key in _NUMBERS
        )
        return PlacePhoto(
            path=self.root / path,
            name=self._names.get(row, path),
            position=Position(latitude, longitude)
            if latitude is not None and longitude is not None
            else None,
            utm=Utm(easting, northing, self._zones.get(row, ""))
            if easting is not None and northing is not None
            else None,
            sequence=self._sequences.get(row, ""),
            taken=taken,
            heading=heading,
        )


@dataclass(frozen=True, slots=True)
class Intake:
    """The fields of a source for reports: see `Source`."""

    left_out: Mapping[str, int]
    unlisted: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    panoramas: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of the intake, as part of a report."""
        return {
            "left_out": dict(self.left_out),
            "unlisted": [folder._asdict() for folder in self.unlisted],
            "warnings": list(self.warnings),
            "panoramas": self.panoramas,
        }


@dataclass(frozen=True, slots=True)
class Source:
    """Photos to index, in the order of their future place ids, all under one root folder.

    `left_out` counts, by kind in words, files and folders that are not taken for photos;
    `unlisted` are folders and links that cannot be read; `doubts` are about the positions that the
    source gives; `warnings` are other sentences on positions and panoramas; `panoramas` is the
    number of panoramas that were cut into views. `centres` are (N, 3) camera positions in the frame
    of a model that does not say where on Earth it is, NaN for none. While the source is in use,
    `adding` keeps its frames and views from being deleted.
    """

    root: Path
    photos: Sequence[PlacePhoto]
    kind: str
    left_out: Mapping[str, int] = field(default_factory=dict)
    unlisted: tuple[Skipped, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    warnings: tuple[str, ...] = ()
    panoramas: int = 0
    centres: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    adding: tuple[Adding, ...] = field(default=(), repr=False, compare=False)

    @property
    def intake(self) -> Intake:
        """The fields for reports, without the photos."""
        warnings = (*(doubt.sentence for doubt in self.doubts), *self.warnings)
        return Intake(self.left_out, self.unlisted, warnings, self.panoramas)

    @property
    def no_photos(self) -> str:
        """A sentence on files that are not taken for photos; "" without such files."""
        kinds = count_kinds(Counter(self.left_out))
        return f"Left out of {self.root}, as no photos: {kinds}." if kinds else ""

    @property
    def left_unread(self) -> tuple[str, ...]:
        """Sentences on files that are not taken for photos, and on unreadable folders."""
        folders = (
            f"{self.root / folder.name} is left out: {folder.reason}." for folder in self.unlisted
        )
        return (*filter(None, (self.no_photos,)), *folders)
