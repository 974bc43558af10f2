"""The results of one search, judged together: only one place can be the photo's.

Photos of different places may share a part: the bonnet of a car, a watermark, the frame of a
screenshot. Geometry agrees on that part, so each of these places seems to be the place of any photo
with the same part.
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
from place_search.search.several.views import RankedPlace
from place_search.search.verification import Query, Verification, verify

FAR_M = 1000.0
"""The distance from which on two photos show no common object, but for towers and mountains."""
COMPARED = 3
"""The number of found results that the first is compared with, 2 at least."""
OF_ITS_OWN = 30
"""The most matches that the first result has apart from the others, where they share a part."""
MOVED_ALIKE = 0.8
"""The least share of the matches with a part of the car or a watermark that are moved alike: what
stands in the world has another size and other angles from elsewhere."""
MOVED_CELLS = 1.01
"""The largest difference between moves that are alike, in cells."""
STANDS_OUT = 0.7
"""The share of the first result's matches below which another result is no evidence."""
CELLS_LEFT = 1 / 3
"""The least share of a place's grid outside its matches with the photo, to compare the rest."""
MATCHES_LEFT = 30
"""The least number of mutual matches between the rests of two places, to judge by them."""
AGREEMENT_LEFT = 0.3
"""The agreement of the rests of two places below which they are two places."""


def in_agreement(
    index: Index, ranked: Sequence[RankedPlace], threshold: float, notes: list[str]
) -> list[RankedPlace]:
    """The results, with the probabilities of found ones lowered where they contradict each other.

    Where the found results cannot be one place, they share something else with the photo: each
    is then unsure, and `notes` get a sentence on it.
    """
    found = [result for result in ranked if (result.probability or 0.0) >= threshold]
    note = _note_if_apart(index, found) or _note_if_sharing(index, found)
    if note is None:
        return list(ranked)
    notes.append(f"{note}: what they share is no place, but a watermark or a part of the car, say.")
    return [
        result._replace(probability=UNSURE_FROM) if result in found else result for result in ranked
    ]


def _note_if_apart(index: Index, found: Sequence[RankedPlace]) -> str | None:
    """The note where as many found results lie far from the first as near it, or more."""
    positions = [index.place(result.hit.place_id).position for result in found]
    located = np.array([position for position in positions if position is not None])
    if not len(located) or positions[0] is None:
        return None
    metres = distances_m(located, positions[0])
    far = np.count_nonzero(metres > FAR_M)
    if not far or 2 * far < len(located):
        return None
    kilometres = f"{metres.max() / 1000:.0f} km apart"
    return f"{len(found)} results agree with the photo, and lie up to {kilometres}"


def _note_if_sharing(index: Index, found: Sequence[RankedPlace]) -> str | None:
    """The note where the found results only share a part."""
    matched = (
        MatchedPlace(index.codes(result.hit.place_id), result.verification)
        for result in found
        if result.verification is not None
    )
    if not share_a_part(matched):
        return None
    return f"{len(found)} results agree with the photo in a part, and not with each other beyond it"


class MatchedPlace(NamedTuple):
    """A place's codes, and their verification with a photo."""

    codes: Codes
    verification: Verification


def share_a_part(matched: Iterable[MatchedPlace]) -> bool:
    """Whether the first place agrees with the others only where all of them match one photo.

    It is compared with the next `COMPARED` places. False where what matches has another size or
    other angles, and where that cannot be told: with fewer than two others, where the first matches
    far more or elsewhere, or where too little of the places is outside their matches.
    """
    places = list(islice(matched, 1 + COMPARED))
    inliers = [place.verification.inliers for place in places]
    if len(places) < 3 or min(inliers) < STANDS_OUT * inliers[0]:
        return False
    if not all(map(_moved_alike, places)):
        return False
    first, *others = places
    if _of_its_own(first, others) > OF_ITS_OWN:
        return False
    rest, *rests = map(_without_matches, places)
    if min(map(_share_left, (rest, *rests))) < CELLS_LEFT:
        return False
    query = Query.of_codes(rest)
    for rest_of_other in rests:
        verification = verify(query, rest_of_other)
        if verification.mutual < MATCHES_LEFT or agreement(verification) >= AGREEMENT_LEFT:
            return False
    return True


def _moved_alike(place: MatchedPlace) -> bool:
    """Whether most matches lie as far to one side in the place as all do at the median.

    The photo is taken to be as large as the place.
    """
    (_, (rows, columns)), matches = place.codes, place.verification.matches
    if not len(matches):
        return False
    height, width = place.verification.grid
    scale = np.array((columns / width, rows / height), np.float32)
    moves = matches[:, 2:] - matches[:, :2] * scale
    apart = np.abs(moves - np.median(moves, axis=0)).max(axis=1)
    return float((apart <= MOVED_CELLS).mean()) >= MOVED_ALIKE


def _of_its_own(first: MatchedPlace, others: Sequence[MatchedPlace]) -> int:
    """The number of matches of a place that lie in no cell of another's matches, nor beside one."""
    own = _cells(first.verification.matches[:, :2])
    of_others = _cells(np.concatenate([other.verification.matches[:, :2] for other in others]))
    height, width = np.concatenate([own, of_others]).max(axis=0, initial=0) + 1
    return int(np.count_nonzero(~_around(of_others, (height, width))[tuple(own.T)]))


def _without_matches(place: MatchedPlace) -> Codes:
    """A place's codes, without those that match the photo and their neighbours on the grid."""
    codes, grid = place.codes
    matched = _around(_cells(place.verification.matches[:, 2:]), grid)
    return codes * ~matched.reshape(-1, 1), grid


def _share_left(place: Codes) -> float:
    return float(1 - are_empty(place[0]).mean())


def _cells(points: NDArray[np.float32]) -> NDArray[np.intp]:
    """The row and column of each x, y on a grid, (n, 2)."""
    return np.rint(points[:, ::-1]).astype(np.intp)


def _around(cells: NDArray[np.intp], grid: Grid) -> NDArray[np.bool_]:
    """A mask (h, w) of a grid: the given `cells` and their neighbours."""
    near = np.zeros((grid[0] + 2, grid[1] + 2), np.bool_)
    rows, columns = cells.T
    for down in range(3):
        for right in range(3):
            near[rows + down, columns + right] = True
    return near[1:-1, 1:-1]
