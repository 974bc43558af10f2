"""Positives by distance: which database photos were taken within a radius of each query."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Utm, geocentric, to_position, to_utm
from place_search.evaluation.errors import TruthError
from place_search.evaluation.truth.ground_truth import Metres, Rows
from place_search.indexer import PlacePhoto

RADIUS_M = 25.0
"""The field's usual radius of a right place, in metres; a split may give its own."""


def within(database: Metres, queries: Metres, radius_m: float) -> tuple[Rows, ...]:
    """For each query the rows of the database at most `radius_m` away, ascending.

    A photo without a position (NaN) is near nothing.
    """
    from scipy.spatial import cKDTree  # this import takes 0.2 s

    placed = np.flatnonzero(np.isfinite(database).all(axis=1))
    queries_placed = np.flatnonzero(np.isfinite(queries).all(axis=1))
    positives: list[Rows] = [np.empty(0, dtype=np.int64)] * len(queries)
    if placed.size and queries_placed.size:
        neighbours = cKDTree(database[placed]).query_ball_point(
            queries[queries_placed], radius_m, return_sorted=True
        )
        for query, rows in zip(queries_placed.tolist(), neighbours, strict=True):
            positives[query] = placed[np.array(rows, dtype=np.int64)]
    return tuple(positives)


def utm_metres(utms: Sequence[Utm | None]) -> Metres:
    """Eastings and northings, (N, 2), NaN for none."""
    nowhere = (np.nan, np.nan)
    metres = [nowhere if utm is None else utm[:2] for utm in utms]
    return np.array(metres, np.float64).reshape(-1, 2)


def metres_of(photos: Sequence[PlacePhoto]) -> Metres:
    """The positions of photos in one frame: UTM where all share a zone, else geocentric.

    Photos without a position have NaN.

    Raises:
        TruthError: some have metres of an unknown zone, and others a zone or degrees.
    """
    utms = [_utm(photo) for photo in photos]
    grids = {_grid(utm.zone) for utm in utms if utm is not None}
    polar = any(utm is None and photo.position for utm, photo in zip(utms, photos, strict=True))
    if len(grids) <= 1 and not polar:
        return utm_metres(utms)
    degrees = np.full((len(photos), 2), np.nan)
    zoneless, on_earth = [], []
    for row, photo in enumerate(photos):
        # Metres count before degrees, as in one zone: names of a benchmark round these to a metre.
        position = (to_position(photo.utm) if photo.utm else None) or photo.position
        if position is not None:
            degrees[row] = position
            on_earth.append(photo.name)
        elif photo.utm is not None:
            zoneless.append(photo.name)
    if zoneless:
        raise TruthError(
            f"{len(zoneless)} of {len(photos)} photos have metres without a UTM zone, the first is "
            f"'{zoneless[0]}', which cannot be compared with the zone or degrees that others have "
            f"in the list or in their metadata, as '{(on_earth or zoneless)[0]}' has; give the "
            "metres their zone, or all photos metres."
        )
    return geocentric(degrees)


def _grid(zone: str) -> tuple[str, bool]:
    """The number of a zone and its hemisphere: metres are the same in all bands of these."""
    return zone[:-1], zone[-1:] >= "N"


def _utm(photo: PlacePhoto) -> Utm | None:
    if photo.utm is not None:
        return photo.utm
    return None if photo.position is None else to_utm(photo.position)


def plane(metres: Metres) -> NDArray[np.float64]:
    """Positions as (N, 2) metres east and north, for drawing; geocentric ones are projected."""
    if metres.shape[1] == 2:
        return metres
    centre = np.nanmean(metres, axis=0)
    up = centre / np.linalg.norm(centre)
    east = np.array([-up[1], up[0], 0.0])
    if not east.any():  # at a pole every direction is south
        east[0] = 1.0
    east /= np.linalg.norm(east)
    axes = np.stack([east, np.cross(up, east)], axis=1)
    return np.asarray((metres - centre) @ axes, dtype=np.float64)


def distance(a: Metres, b: Metres) -> NDArray[np.float64]:
    """The distances in metres between positions, row by row; NaN for unknown positions."""
    lengths: NDArray[np.float64] = np.linalg.norm(a - b, axis=-1)
    return lengths
