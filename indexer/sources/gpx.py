"""GPX tracks: the position of a camera at a time, by a receiver that was with it."""

from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import open_regular
from place_search.core.geodesy import Position, is_null_island, is_on_earth
from place_search.core.tables import parse_number
from place_search.core.text import counted, iso_time
from place_search.indexer.errors import SourceError

GAP_S = 10.0
"""Seconds between two segments from which the position in between is unknown."""
_LATE_S = 0.05
"""Seconds that a frame may come late; a time outside by less counts as inside."""
_EARTH_M = 6_371_009.0

Floats = NDArray[np.float64]
_Row: TypeAlias = tuple[float, int, float, float]


class GpxTrack:
    """The points of a GPX file in the order of their times.

    `times` are seconds since 1970 in UTC, ascending, `degrees` (N, 2) latitudes and longitudes,
    which do not jump at the date line. `is_after_gap` flags points between which and the point
    before the position is unknown. `warnings` are sentences on oddities of the file.
    """

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            SourceError: the file cannot be read, or has no points with times.
        """
        self.path = path
        self.warnings: list[str] = []
        rows = self._of_one_receiver(self._rows())
        rows.sort()
        times = np.array([row[0] for row in rows])
        segments = np.array([row[1] for row in rows])
        degrees = np.array([row[2:] for row in rows])
        is_newer = np.diff(times, prepend=-np.inf) > 0
        self.times: Floats = times[is_newer]
        self.degrees: Floats = np.column_stack(
            [degrees[is_newer, 0], np.unwrap(degrees[is_newer, 1], period=360)]
        )
        is_new_segment = np.diff(segments[is_newer], prepend=segments[0]) != 0
        self.is_after_gap = is_new_segment & (np.diff(self.times, prepend=self.times[0]) > GAP_S)

    @property
    def span(self) -> str:
        """The first and the last time of the track, in words."""
        return f"{time_in_words(self.times[0])} to {time_in_words(self.times[-1])}"

    def at(self, time: float) -> Position | None:
        """The position at a time, on the line between two points; None where it is unknown."""
        if -_LATE_S <= time - self.times[-1] <= _LATE_S:
            time = float(self.times[-1])
        point = int(np.searchsorted(self.times, time))
        if point == len(self.times) or (point == 0 and time < self.times[0]):
            return None
        if self.times[point] != time and self.is_after_gap[point]:
            return None
        latitude, longitude = (np.interp(time, self.times, column) for column in self.degrees.T)
        return Position(float(latitude), float((longitude + 180) % 360 - 180))

    def times_every(self, metres: float) -> Floats:
        """The times at every `metres` metres along the track, from its start."""
        latitude, longitude = np.radians(self.degrees).T
        # Haversines: exact for points that are close together.
        half = np.sin(np.diff(latitude) / 2) ** 2 + np.cos(latitude[1:]) * np.cos(latitude[:-1]) * (
            np.sin(np.diff(longitude) / 2) ** 2
        )
        steps = 2 * _EARTH_M * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
        distances = np.concatenate([[0.0], np.cumsum(np.where(self.is_after_gap[1:], 0, steps))])
        targets = np.arange(metres, distances[-1] + metres * 1e-6, metres)
        targets = np.minimum(targets, distances[-1])
        # The way goes on from the last point of a stop or before a gap, which is the one before.
        end = np.searchsorted(distances, targets)
        share = (targets - distances[end - 1]) / (distances[end] - distances[end - 1])
        passed = self.times[end - 1] + share * (self.times[end] - self.times[end - 1])
        return np.concatenate([self.times[:1], passed])

    def _of_one_receiver(self, rows: list[_Row]) -> list[_Row]:
        """The points but for those of times that an earlier segment of the file covers too.

        Two receivers are apart: the way from a point of one to the next of the other is none.
        """
        spans: list[tuple[float, float]] = []
        kept: list[_Row] = []
        for _, segment in groupby(rows, key=itemgetter(1)):
            points = list(segment)
            span = min(points)[0], max(points)[0]
            shared = [other for other in spans if other[0] < span[1] and span[0] < other[1]]
            spans.append(span)
            kept += (
                row for row in points if not any(start <= row[0] <= end for start, end in shared)
            )
        if left_out := len(rows) - len(kept):
            self.warnings.append(
                f"Segments of {self.path} overlap in time, so {counted(left_out, 'point')} of "
                "later ones have no effect; leave the track of one receiver in it."
            )
        return kept

    def _rows(self) -> list[_Row]:
        """Time, segment, latitude and longitude of each point."""
        rows, segment, points, local = [], 0, 0, 0
        try:
            with open_regular(self.path) as stream:
                # Expat reads no other files, and bounds the growth of entities.
                for _, element in ElementTree.iterparse(stream):  # noqa: S314
                    tag = element.tag.rpartition("}")[2]
                    if tag == "trkseg":
                        segment += 1
                    if tag != "trkpt":
                        continue
                    points += 1
                    position = Position(*(parse_number(element.get(key, "")) for key in _DEGREES))
                    text = next((e.text for e in element if e.tag.rpartition("}")[2] == "time"), "")
                    element.clear()
                    time = parse_time(text or "")
                    if time is None or not is_on_earth(position) or is_null_island(position):
                        continue
                    local += time.tzinfo is None
                    rows.append((in_utc(time).timestamp(), segment, *position))
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
    """A time in ISO 8601; None for other texts, and where the year in UTC is out of range."""
    try:
        time = datetime.fromisoformat(text.strip())
        in_utc(time)
    except (ValueError, OverflowError):
        return None
    return time


def in_utc(time: datetime) -> datetime:
    """A time in UTC; a time without a zone is taken for UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def time_in_words(time: float) -> str:
    """Seconds since 1970 in words."""
    iso = iso_time(time)
    return f"{iso[:19].replace('T', ' ')} UTC" if iso else f"{time:.0f} s since 1970"
