"""The place of a frame, by the state of its track."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from place_search.core.geodesy import Position, bearing, compass_degrees, mean_position
from place_search.search.tracks.markov import State
from place_search.search.tracks.motion import LONGEST, SPEEDS
from place_search.search.tracks.observer import Observer

COLUMNS = (
    *("frame", "name", "seconds", "known", "probability", "place_id", "place"),
    *("latitude", "longitude", "heading"),
)
"""The columns of a table of frames."""
SAME_PLACE_STEPS = 2
"""The number of places along the route within which two places count as the same."""
_KNOWN_FROM = 0.5
"""The probability of the places within a step from which on a frame counts as known."""
_SMALL_PART = 20
"""The places within a step are at most one of `_SMALL_PART` of an index: all places of a small
index would be within a step."""
_CHANCE = 4.0
"""The likelihood ratio that a frame off the known places may reach at one of them by chance."""
_MOVING = 0.1
"""The speed, in places a frame, from which on a heading is estimated."""


@dataclass(frozen=True, slots=True)
class LocatedFrame:
    """A frame of a track and its place.

    `frame` counts from 0; `seconds` are those of a video. `place_id` and `place` are the most
    probable place; a frame is `known` where this place and those within a step of it are more
    probable than not, and has no place else. `probability` is that of the place and its neighbours,
    or, for a frame that is not known, that of being off the known places. `position` is estimated
    from these places; `heading` is the camera's direction of motion in degrees from north. `error`
    says why the frame could not be read; its place is then estimated from the frames around it.
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
            "heading": None if self.heading is None else compass_degrees(self.heading, 1),
            **({} if self.error is None else {"error": self.error}),
        }

    def to_row(self) -> dict[str, Any]:
        """The values of `COLUMNS`."""
        latitude, longitude = self.position or (None, None)
        values = self.to_dict() | {"latitude": latitude, "longitude": longitude}
        return {name: values[name] for name in COLUMNS}


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
    # No place is listed where no frame before this frame could be read.
    best = int(chances.argmax()) if len(chances) else 0
    steps = np.abs(state.coordinates - state.coordinates[best : best + 1])
    near = steps <= SAME_PLACE_STEPS
    chance = float(chances[near].sum())
    reach = max(SAME_PLACE_STEPS, min(LONGEST, observer.index.count // _SMALL_PART))
    if chances[steps <= reach].sum() < _KNOWN_FROM:
        return LocatedFrame(
            frame, name, seconds, False, min(state.off, 1.0), None, None, None, None, error
        )
    index, routes = observer.index, observer.routes
    row = int(routes.row[state.coordinates[best]])
    place = index.place(int(index.place_ids[row]))
    rows = routes.row[state.coordinates[near]]
    degrees = index.positions[rows]
    placed = np.isfinite(degrees).all(axis=1)
    position = mean_position(degrees[placed], chances[near][placed]) if placed.any() else None
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
    """Whether a frame alone is evidence for one place, and its track leads to another."""
    if not len(state.coordinates):
        return False
    likelihood = np.exp(state.odds)
    best = state.coordinates[int(likelihood.argmax())]
    near = np.abs(state.coordinates - best) <= SAME_PLACE_STEPS
    alone = likelihood[near].sum() >= _KNOWN_FROM * (likelihood.sum() + _CHANCE)
    return bool(alone and state.places[near].sum() < _KNOWN_FROM)


def _heading(observer: Observer, row: int, speed: float) -> float | None:
    """The direction of the route at a place, in the camera's direction of motion."""
    if abs(speed) < _MOVING:
        return None
    ends = []
    for step in (-1, 1):
        neighbour = observer.routes.along(row, step)
        ends.append(row if neighbour is None else neighbour)
    if speed < 0:
        ends.reverse()
    start, end = (Position(*observer.index.positions[end].tolist()) for end in ends)
    if not np.isfinite([*start, *end]).all() or start == end:
        return None
    return bearing(start, end)
