"""How many places it takes to show so many spots."""

from collections.abc import Iterable

from place_search.indexer import Groups


def places_of_spots(groups: Groups, place_ids: Iterable[int], spots: int) -> int:
    """How many of these places, the best first, show `spots` spots; all where they show fewer.

    Places of one group show one spot, and one of no group is a spot of its own.
    """
    seen: set[tuple[str, int]] = set()
    taken = 0
    for place_id in place_ids:
        group = groups.of(place_id)
        seen.add(("place", place_id) if group is None else ("group", group))
        taken += 1
        if len(seen) == spots:
            break
    return taken
