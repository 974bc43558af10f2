"""Places: database photos and where they were taken."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from place_search.core.geodesy import Position, Utm


@dataclass(frozen=True, slots=True)
class PlacePhoto:
    """A photo to index.

    `name` is what the place is called: by default its path under the root. Photos of one
    `sequence`, "" for none, were taken one after the other, at `taken` in seconds since 1970.
    """

    path: Path
    name: str
    position: Position | None = None
    utm: Utm | None = None
    sequence: str = ""
    taken: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One database photo of an index."""

    place_id: int
    name: str
    path: Path
    position: Position | None
    utm: Utm | None


class PhotoNote(NamedTuple):
    """What was odd about a photo that was indexed, in a sentence."""

    name: str
    note: str
