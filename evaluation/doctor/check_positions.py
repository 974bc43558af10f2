"""The doctor's checks of positions: out of range, swapped, or contradictory."""

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Position
from place_search.core.tables import open_table
from place_search.evaluation.doctor.diagnosis import Finding, findings_of
from place_search.evaluation.truth.ground_truth import Metres
from place_search.evaluation.truth.positives import distance
from place_search.indexer import PlacePhoto, SourceError

# UTM metres: eastings of a zone and the rims of its neighbours, and northings of a hemisphere.
_EASTINGS = (100_000.0, 900_000.0)
_NORTHINGS = (0.0, 10_000_000.0)
_FAR_M = 100_000.0


class Listed(NamedTuple):
    """Photos and their coordinates, (N, 2)."""

    names: Sequence[str]
    pairs: NDArray[np.float64]

    def described(self, is_chosen: NDArray[np.bool_]) -> list[str]:
        """The chosen photos with their coordinates, as texts."""
        return [
            f"{self.names[row]} ({self.pairs[row, 0]:.10g}, {self.pairs[row, 1]:.10g})"
            for row in np.flatnonzero(is_chosen).tolist()
        ]


def check_metres(names: Sequence[str], metres: Metres, *, places: int) -> list[Finding]:
    """Eastings and northings of photos, of which the first `places` are the database.

    Metres that are not UTM, as of a local map, are only checked for NaN and infinity.
    """
    if metres.shape[1] != 2 or not len(metres):
        return []
    listed = Listed(names, metres)
    finite = np.asarray(np.isfinite(metres).all(axis=1))
    problems = findings_of(
        "position-not-finite",
        listed.described(~finite & ~np.asarray(np.isnan(metres).all(axis=1))),
        "These positions are no numbers; mend them.",
    )
    if not finite[:places].any():
        return problems
    centre = np.median(metres[:places][finite[:places]], axis=0)
    if _is_utm(centre[::-1][None])[0] and not _is_utm(centre[None])[0]:
        swapped = finite & _is_utm(metres[:, ::-1])
        return [*problems, *_swapped_finding(listed.described(swapped), "easting and northing")]
    swapped = finite & _is_far(metres, centre) & ~_is_far(metres[:, ::-1], centre)
    problems += _swapped_finding(listed.described(swapped), "easting and northing")
    if _is_utm(centre[None])[0]:
        out_of_range = finite & ~swapped & ~_is_utm(metres)
        problems += findings_of(
            "position-out-of-range",
            listed.described(out_of_range),
            "UTM eastings lie between 100 and 900 km and northings below 10,000 km; mend these.",
        )
    return problems


def _is_utm(metres: NDArray[np.float64]) -> NDArray[np.bool_]:
    east, north = metres.T
    # Northings below 1 km are no UTM: no data set is that near the equator or the south pole.
    return np.asarray(
        (east >= _EASTINGS[0])
        & (east <= _EASTINGS[1])
        & (north > max(_NORTHINGS[0], 1000.0))
        & (north <= _NORTHINGS[1])
    )


def _is_far(metres: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(distance(metres, centre) > _FAR_M)


def _swapped_finding(photos: list[str], coordinates: str) -> list[Finding]:
    return findings_of(
        "position-swapped",
        photos,
        f"These have {coordinates} in each other's place; swap them back.",
    )


def check_degrees(names: Sequence[str], degrees: NDArray[np.float64]) -> list[Finding]:
    """Latitudes and longitudes, (N, 2), NaN for none: out of range, swapped, or all zero."""
    listed = Listed(names, degrees)
    latitude, longitude = degrees.T
    is_known = ~np.isnan(degrees).any(axis=1)
    inside = is_known & (abs(latitude) <= 90) & (abs(longitude) <= 180)
    swapped = is_known & ~inside & (abs(longitude) <= 90) & (abs(latitude) <= 180)
    if inside.any():
        # Most are right, so a position that is near their median only when swapped is swapped.
        centre = np.median(degrees[inside], axis=0)
        is_far = abs(degrees - centre).max(axis=1) > 5
        is_near_swapped = abs(degrees[:, ::-1] - centre).max(axis=1) < 1
        swapped |= inside & is_far & is_near_swapped
    nowhere = is_known & (latitude == 0) & (longitude == 0)
    return [
        *_swapped_finding(listed.described(swapped), "latitude and longitude"),
        *findings_of(
            "position-out-of-range",
            listed.described(is_known & ~inside & ~swapped),
            "Latitudes lie between -90 and 90 and longitudes between -180 and 180; mend these.",
        ),
        *findings_of(
            "position-zero",
            listed.described(nowhere),
            "These are at 0, 0 in the sea, which means that their position is not known; leave "
            "their fields blank.",
        ),
    ]


def check_csv(file: Path) -> list[Finding]:
    """Check the positions in a CSV file that cannot be read as a source."""
    names: list[str] = []
    degrees: list[tuple[float, float]] = []
    metres: list[tuple[float, float]] = []
    try:
        with open_table(file, error=SourceError) as table:
            for _, row in table:
                names.append(row.get("path", ""))
                degrees.append((_number(row, "latitude"), _number(row, "longitude")))
                metres.append((_number(row, "easting"), _number(row, "northing")))
    except SourceError:
        return []  # reading it as a source reports the fault
    if not names:
        return []
    return [
        *check_degrees(names, np.array(degrees)),
        *check_metres(names, np.array(metres), places=len(names)),
    ]


def _number(row: dict[str, str], column: str) -> float:
    with suppress(ValueError, TypeError):
        return float(row.get(column) or "nan")
    return math.nan


def degrees_of(photos: Sequence[PlacePhoto]) -> NDArray[np.float64]:
    """The latitudes and longitudes of photos, (N, 2), NaN for none."""
    none = Position(math.nan, math.nan)
    return np.array([photo.position or none for photo in photos], np.float64).reshape(-1, 2)
