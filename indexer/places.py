"""Places: database photos and where they were taken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from place_search.core.geodesy import Position, Utm


@dataclass(frozen=True, slots=True)
class PlacePhoto:
    """A photo to index.

    `name` is what the place is called: by default its path under the root. Photos of one
    `sequence`, "" for none, were taken one after the other, at `taken` in seconds since 1970.
    `heading` is where it looks, in degrees from north.
    """

    path: Path
    name: str
    position: Position | None = None
    utm: Utm | None = None
    sequence: str = ""
    taken: float | None = None
    heading: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One database photo of an index, and what people have said of it since.

    `taken` is in seconds since 1970, `heading` in degrees from north; `version` counts how often
    the place was edited.
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
    """What was odd about a photo that was indexed, in a sentence."""

    name: str
    note: str
