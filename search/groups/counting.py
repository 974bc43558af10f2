"""Counting places and the spots that they show."""

from collections.abc import Iterable

import numpy as np

from place_search.indexer import Groups


def spots_among(groups: Groups, place_ids: Iterable[int]) -> int:
    """The number of spots that places show."""
    return len(groups.first_of_spots(np.fromiter(place_ids, np.int64)))


def places_of_spots(groups: Groups, place_ids: Iterable[int], spots: int) -> int:
    """The number of places, best first, that show `spots` spots; all where they show fewer.

    Places of one group show one spot; a place without a group is a spot of its own.
    """
    ids = np.fromiter(place_ids, np.int64)
    first = groups.first_of_spots(ids)
    return len(ids) if len(first) < spots else int(first[spots - 1]) + 1
