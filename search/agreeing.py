"""What the results of one search say of each other: only one place can be the photo's.

Photos of different places may share a part: the bonnet of a car, a watermark, the frame of a
screenshot. Geometry agrees on it, and calls each of them the place of any photo that has it too.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from place_search.core.geodesy import distances_m
from place_search.indexer import Index
from place_search.models import Codes
from place_search.search.probability import UNSURE_FROM, agreement
from place_search.search.several.views import Found
from place_search.search.verification import Query, Verification, verify

FAR_M = 1000.0
"""Farther apart than the spots from which one thing is seen, but for towers and mountains."""
COMPARED = 3
"""The found results after the first that it is compared with, 2 at least."""
MATCHES_LEFT = 60
"""Mutual matches of what is left of two places, from which on it shows enough to be judged."""
STANDS_OUT = 0.5
"""The share of the first one's matches below which another has no say: it matches far less."""
AGREEMENT_LEFT = 0.3
"""The agreement below which it shows two places."""


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
    more, or where little is left that does not match the photo, nothing can be said.
    """
    places = list(islice(matched, 1 + COMPARED))
    inliers = [place.found.inliers for place in places]
    if len(places) < 3 or min(inliers) < STANDS_OUT * inliers[0]:
        return False
    first, *others = places
    rest = Query.of_codes(_without_matches(first))
    for other in others:
        left = verify(rest, _without_matches(other))
        if left.mutual < MATCHES_LEFT or agreement(left) >= AGREEMENT_LEFT:
            return False
    return True


def _without_matches(place: Matched) -> Codes:
    """A place's codes, without those that match the photo and their neighbours on the grid."""
    codes, grid = place.codes
    columns, rows = np.rint(place.found.matches[:, 2:]).astype(np.intp).T
    matched = np.zeros((grid[0] + 2, grid[1] + 2), np.bool_)
    for down in range(3):
        for right in range(3):
            matched[rows + down, columns + right] = True
    return codes * ~matched[1:-1, 1:-1].reshape(-1, 1), grid
