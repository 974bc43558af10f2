"""Where a camera was at a time, by the GPX file of a receiver that was with it."""

from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import open_regular
from place_search.core.geodesy import Position, is_null_island, is_on_earth
from place_search.core.tables import parse_number
from place_search.core.text import iso_time
from place_search.indexer.errors import SourceError

GAP_S = 10.0
"""Between segments that are further apart nothing is known."""
_LATE_S = 0.05
"""A frame comes so much after its time at most; what lies so little outside counts as inside."""
_EARTH_M = 6_371_009.0

Floats = NDArray[np.float64]


class GpxTrack:
    """The points of a GPX file in the order of their times.

    `times` are seconds since 1970 in UTC, ascending, `degrees` (N, 2) latitudes and longitudes, of
    which those beyond the date line go on; `apart` says of each point that what lies between the
    one before and it is not known. `warnings` are sentences on what was odd.
    """

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            SourceError: it cannot be read, or has no points with times.
        """
        self.path = path
        self.warnings: list[str] = []
        rows = self._rows()
        rows.sort()
        times = np.array([row[0] for row in rows])
        segments = np.array([row[1] for row in rows])
        degrees = np.array([row[2:] for row in rows])
        kept = np.diff(times, prepend=-np.inf) > 0
        self.times: Floats = times[kept]
        self.degrees: Floats = np.column_stack(
            [degrees[kept, 0], np.unwrap(degrees[kept, 1], period=360)]
        )
        other = np.diff(segments[kept], prepend=segments[0]) != 0
        self.apart = other & (np.diff(self.times, prepend=self.times[0]) > GAP_S)

    @property
    def span(self) -> str:
        """From when to when it goes, in words."""
        return f"{in_words(self.times[0])} to {in_words(self.times[-1])}"

    def at(self, time: float) -> Position | None:
        """The position at a time, on the line between two points; None where it is not known."""
        if -_LATE_S <= time - self.times[-1] <= _LATE_S:
            time = float(self.times[-1])
        after = int(np.searchsorted(self.times, time))
        if after == len(self.times) or (after == 0 and time < self.times[0]):
            return None
        if self.times[after] != time and self.apart[after]:
            return None
        latitude, longitude = (np.interp(time, self.times, column) for column in self.degrees.T)
        return Position(float(latitude), float((longitude + 180) % 360 - 180))

    def times_every(self, metres: float) -> Floats:
        """The times at which so many metres more have been gone along the track, from its start."""
        latitude, longitude = np.radians(self.degrees).T
        # Haversines: exact for points that are close together.
        half = np.sin(np.diff(latitude) / 2) ** 2 + np.cos(latitude[1:]) * np.cos(latitude[:-1]) * (
            np.sin(np.diff(longitude) / 2) ** 2
        )
        steps = 2 * _EARTH_M * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
        gone = np.concatenate([[0.0], np.cumsum(np.where(self.apart[1:], 0, steps))])
        moved = np.concatenate([[True], np.diff(gone) > 0])
        due = np.arange(0, gone[-1] + metres * 1e-6, metres)
        return np.asarray(np.interp(due, gone[moved], self.times[moved]), np.float64)

    def _rows(self) -> list[tuple[float, int, float, float]]:
        """Time, segment, latitude and longitude of each point."""
        rows, segment, points, local = [], 0, 0, 0
        try:
            with open_regular(self.path) as stream:
                # No other file is read for it, and expat bounds what its entities grow to.
                for _, element in ElementTree.iterparse(stream):  # noqa: S314
                    tag = element.tag.rpartition("}")[2]
                    if tag == "trkseg":
                        segment += 1
                    if tag != "trkpt":
                        continue
                    points += 1
                    place = Position(*(parse_number(element.get(key, "")) for key in _DEGREES))
                    text = next((e.text for e in element if e.tag.rpartition("}")[2] == "time"), "")
                    element.clear()
                    time = parse_time(text or "")
                    if time is None or not is_on_earth(place) or is_null_island(place):
                        continue
                    local += time.tzinfo is None
                    rows.append((in_utc(time).timestamp(), segment, *place))
        except ElementTree.ParseError as error:
            raise SourceError(
                f"{self.path} is not a GPX file ({error}); export the track as GPX 1.1."
            ) from error
        except OSError as error:
            raise SourceError(
                f"{self.path} cannot be read ({error.strerror}); check it."
            ) from error
        if not rows:
            lacks = "no track points with a position and a time" if points else "no track points"
            raise SourceError(
                f"{self.path} has {lacks}; export the recorded track, with its times, as GPX."
            )
        if local:
            self.warnings.append(
                f"{local} points of {self.path} have times without a time zone, which are taken "
                "for UTC."
            )
        return rows


_DEGREES = ("lat", "lon")


def parse_time(text: str) -> datetime | None:
    """A time as ISO 8601 writes it; None for others, and for one whose year in UTC is none."""
    try:
        time = datetime.fromisoformat(text.strip())
        in_utc(time)
    except (ValueError, OverflowError):
        return None
    return time


def in_utc(time: datetime) -> datetime:
    """A time in UTC, for which one without a zone is taken."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def in_words(time: float) -> str:
    """Seconds since 1970 as people write them."""
    iso = iso_time(time)
    return f"{iso[:19].replace('T', ' ')} UTC" if iso else f"{time:.0f} s since 1970"
