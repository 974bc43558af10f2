"""How many places it takes to show so many spots."""

from collections.abc import Iterable

import numpy as np

from place_search.indexer import Groups


def spots_among(groups: Groups, place_ids: Iterable[int]) -> int:
    """How many spots these places show."""
    return len(groups.first_of_spots(np.fromiter(place_ids, np.int64)))


def places_of_spots(groups: Groups, place_ids: Iterable[int], spots: int) -> int:
    """How many of these places, the best first, show `spots` spots; all where they show fewer.

    Places of one group show one spot, and one of no group is a spot of its own.
    """
    ids = np.fromiter(place_ids, np.int64)
    first = groups.first_of_spots(ids)
    return len(ids) if len(first) < spots else int(first[spots - 1]) + 1
