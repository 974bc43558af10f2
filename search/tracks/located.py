"""Where a frame was taken, as a track tells it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from place_search.core.geodesy import Position, bearing
from place_search.search.tracks.markov import State
from place_search.search.tracks.motion import LONGEST, SPEEDS
from place_search.search.tracks.observer import Observer

COLUMNS = (
    *("frame", "name", "seconds", "known", "probability", "place_id", "place"),
    *("latitude", "longitude", "heading"),
)
"""What tables show of a frame."""
BESIDE = 2
"""Places at most so many further along the route count as the same one."""
_KNOWN_FROM = 0.5
"""How probable the places within a step must be for a frame to be told as known."""
_SMALL_PART = 20
"""They are at most some such part of the index, or all of a small one would be one step away."""
_CHANCE = 4.0
"""So much likelier than those off the known places a frame may be at one of them by chance."""
_MOVING = 0.1
"""The speed, in places a frame, from which on a direction is told."""


@dataclass(frozen=True, slots=True)
class LocatedFrame:
    """A frame of a track and its place.

    `frame` counts from 0; `seconds` are those of a video. `place_id` and `place` are the most
    probable place; a frame is `known` where it and those within a step of it are more probable
    than not, and has no place else. `probability` is that of the place and those right beside it,
    or that of being off the known places where the frame is not known. `position` is estimated
    from these places; `heading` is the way of the camera in degrees from north. `error` says why
    the frame could not be read; its place is then that which its neighbours tell.
    """

    frame: int
    name: str
    seconds: float | None
    known: bool
    probability: float
    place_id: int | None
    place: str | None
    position: Position | None
    heading: float | None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The frame as JSON has it."""
        return {
            "frame": self.frame,
            "name": self.name,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "known": self.known,
            "probability": round(self.probability, 4),
            "place_id": self.place_id,
            "place": self.place,
            "position": None if self.position is None else self.position._asdict(),
            "heading": None if self.heading is None else round(self.heading, 1),
            **({} if self.error is None else {"error": self.error}),
        }

    def to_row(self) -> dict[str, Any]:
        """The values of `COLUMNS`."""
        latitude, longitude = self.position or (None, None)
        told = self.to_dict() | {"latitude": latitude, "longitude": longitude}
        return {name: told[name] for name in COLUMNS}


def locate(
    observer: Observer,
    state: State,
    frame: int,
    name: str,
    seconds: float | None = None,
    error: str | None = None,
) -> LocatedFrame:
    """The place of a frame by the state of its track."""
    chances = state.places
    # No place has been looked at where no frame before this one could be read.
    best = int(chances.argmax()) if len(chances) else 0
    apart = np.abs(state.coordinates - state.coordinates[best : best + 1])
    near = apart <= BESIDE
    chance = float(chances[near].sum())
    reach = max(BESIDE, min(LONGEST, observer.index.count // _SMALL_PART))
    if chances[apart <= reach].sum() < _KNOWN_FROM:
        return LocatedFrame(
            frame, name, seconds, False, min(state.off, 1.0), None, None, None, None, error
        )
    index, routes = observer.index, observer.routes
    row = int(routes.row[state.coordinates[best]])
    place = index.place(int(index.place_ids[row]))
    rows = routes.row[state.coordinates[near]]
    degrees = index.positions[rows]
    placed = np.isfinite(degrees).all(axis=1)
    position = None
    if placed.any():
        weights = chances[near][placed]
        # Longitudes are counted from the best place's, for the date line's sake.
        origin = degrees[placed][int(weights.argmax())]
        away = degrees[placed] - origin
        away[:, 1] = (away[:, 1] + 180) % 360 - 180
        latitude, longitude = origin + weights @ away / weights.sum()
        position = Position(float(latitude), float((longitude + 180) % 360 - 180))
    speeds = state.mass[:, near].sum(axis=1)
    speed = float(speeds @ np.array(SPEEDS) / max(float(speeds.sum()), 1e-12))
    return LocatedFrame(
        frame=frame,
        name=name,
        seconds=seconds,
        known=True,
        probability=min(chance, 1.0),
        place_id=place.place_id,
        place=place.name,
        position=position,
        heading=_heading(observer, row, speed),
        error=error,
    )


def is_astray(state: State) -> bool:
    """Whether a frame by itself speaks for one place, and the track says that it is not there."""
    if not len(state.coordinates):
        return False
    likelihood = np.exp(state.odds)
    best = state.coordinates[int(likelihood.argmax())]
    near = np.abs(state.coordinates - best) <= BESIDE
    alone = likelihood[near].sum() >= _KNOWN_FROM * (likelihood.sum() + _CHANCE)
    return bool(alone and state.places[near].sum() < _KNOWN_FROM)


def _heading(observer: Observer, row: int, speed: float) -> float | None:
    """The direction of the route at a place, the way that the camera goes along it."""
    if abs(speed) < _MOVING:
        return None
    ends = []
    for step in (-1, 1):
        there = observer.routes.along(row, step)
        ends.append(row if there is None else there)
    if speed < 0:
        ends.reverse()
    start, end = (Position(*observer.index.positions[end].tolist()) for end in ends)
    if not np.isfinite([*start, *end]).all() or start == end:
        return None
    return bearing(start, end)
