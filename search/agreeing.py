"""What the results of one search say of each other: only one place can be the photo's.

Photos of different places may share a part: the bonnet of a car, a watermark, the frame of a
screenshot. Geometry agrees on it, and calls each of them the place of any photo that has it too.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import distances_m
from place_search.indexer import Index
from place_search.models import Codes, Grid, are_empty
from place_search.search.probability import UNSURE_FROM, agreement
from place_search.search.several.views import Found
from place_search.search.verification import Query, Verification, verify

FAR_M = 1000.0
"""Farther apart than the spots from which one thing is seen, but for towers and mountains."""
COMPARED = 3
"""The found results after the first that it is compared with, 2 at least."""
OF_ITS_OWN = 30
"""Matches of the first one, away from those of the others, that more than a shared part has."""
STANDS_OUT = 0.7
"""The share of the first one's matches below which another has no say: it matches far less."""
CELLS_LEFT = 1 / 3
"""The share of a place's grid that must be left beside what matches the photo, to judge by it."""
MATCHES_LEFT = 30
"""The mutual matches that what is left of two places must have, to judge by them."""
AGREEMENT_LEFT = 0.3
"""The agreement of what is left of two photos, below which they show two places."""


def in_agreement(
    index: Index, ranked: Sequence[Found], threshold: float, notes: list[str]
) -> list[Found]:
    """Results as they say together how probable each is.

    Where the found ones cannot be one place, what they share with the photo is none: each is then
    unsure, and `notes` say so.
    """
    found = [one for one in ranked if (one.probability or 0.0) >= threshold]
    note = _apart(index, found) or _sharing(index, found)
    if note is None:
        return list(ranked)
    notes.append(f"{note}: what they share is no place, but a watermark or a part of the car, say.")
    return [one._replace(probability=UNSURE_FROM) if one in found else one for one in ranked]


def _apart(index: Index, found: Sequence[Found]) -> str | None:
    """What is said where as many lie far from the first as near it, or more."""
    positions = [index.place(one.hit.place_id).position for one in found]
    there = np.array([position for position in positions if position is not None])
    if not len(there) or positions[0] is None:
        return None
    away = distances_m(there, positions[0])
    far = np.count_nonzero(away > FAR_M)
    if not far or 2 * far < len(there):
        return None
    kilometres = f"{away.max() / 1000:.0f} km apart"
    return f"{len(found)} results agree with the photo, and lie up to {kilometres}"


def _sharing(index: Index, found: Sequence[Found]) -> str | None:
    """What is said where the found ones only share a part."""
    matched = (
        Matched(index.codes(one.hit.place_id), one.verification)
        for one in found
        if one.verification is not None
    )
    if not share_a_part(matched):
        return None
    return f"{len(found)} results agree with the photo in a part, and not with each other beyond it"


class Matched(NamedTuple):
    """A place's codes, and how they match a photo."""

    codes: Codes
    found: Verification


def share_a_part(matched: Iterable[Matched]) -> bool:
    """Whether the first of places agrees with no other but where they match one photo.

    It is compared with the next `COMPARED`. Of fewer than two others, where the first matches far
    more or elsewhere, or where little is left that does not match the photo, nothing can be said.
    """
    places = list(islice(matched, 1 + COMPARED))
    inliers = [place.found.inliers for place in places]
    if len(places) < 3 or min(inliers) < STANDS_OUT * inliers[0]:
        return False
    first, *others = places
    if _of_its_own(first, others) > OF_ITS_OWN:
        return False
    rest, *rests = map(_without_matches, places)
    if min(map(_share_left, (rest, *rests))) < CELLS_LEFT:
        return False
    query = Query.of_codes(rest)
    for rest_of_other in rests:
        left = verify(query, rest_of_other)
        if left.mutual < MATCHES_LEFT or agreement(left) >= AGREEMENT_LEFT:
            return False
    return True


def _of_its_own(first: Matched, others: Sequence[Matched]) -> int:
    """How many matches of a place are where no other one matches the photo, nor beside it."""
    own = _cells(first.found.matches[:, :2])
    theirs = _cells(np.concatenate([other.found.matches[:, :2] for other in others]))
    height, width = np.concatenate([own, theirs]).max(axis=0, initial=0) + 1
    return int(np.count_nonzero(~_around(theirs, (height, width))[tuple(own.T)]))


def _without_matches(place: Matched) -> Codes:
    """A place's codes, without those that match the photo and their neighbours on the grid."""
    codes, grid = place.codes
    matched = _around(_cells(place.found.matches[:, 2:]), grid)
    return codes * ~matched.reshape(-1, 1), grid


def _share_left(place: Codes) -> float:
    return float(1 - are_empty(place[0]).mean())


def _cells(points: NDArray[np.float32]) -> NDArray[np.intp]:
    """The row and column of each x, y on a grid, (n, 2)."""
    return np.rint(points[:, ::-1]).astype(np.intp)


def _around(cells: NDArray[np.intp], grid: Grid) -> NDArray[np.bool_]:
    """Which cells of a grid are among these or beside them."""
    near = np.zeros((grid[0] + 2, grid[1] + 2), np.bool_)
    rows, columns = cells.T
    for down in range(3):
        for right in range(3):
            near[rows + down, columns + right] = True
    return near[1:-1, 1:-1]
