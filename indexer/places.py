"""Places: database photos and where they were taken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from place_search.core.geodesy import Position, Utm


@dataclass(frozen=True, slots=True)
class PlacePhoto:
    """A photo to index.

    `name` is the name of its place: by default its path under the root. Photos of one `sequence`,
    "" for none, were taken one after the other. `taken` is the capture time in seconds since 1970,
    `heading` the viewing direction in degrees from north.
    """

    path: Path
    name: str
    position: Position | None = None
    utm: Utm | None = None
    sequence: str = ""
    taken: float | None = None
    heading: float | None = None

    @property
    def is_placed(self) -> bool:
        """Whether its source says where it was taken; otherwise the photo's metadata counts."""
        return self.position is not None or self.utm is not None


@dataclass(frozen=True, slots=True)
class Place:
    """A database photo of an index, with its edits.

    `taken` is the capture time in seconds since 1970, `heading` is in degrees from north; `version`
    counts the edits of the place.
    """

    place_id: int
    name: str
    path: Path
    position: Position | None
    utm: Utm | None
    taken: float | None = None
    heading: float | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    fields: Mapping[str, str | float | bool] = field(default_factory=dict, hash=False)
    version: int = 0


class PhotoNote(NamedTuple):
    """A sentence on an oddity of an indexed photo."""

    name: str
    note: str
