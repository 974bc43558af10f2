"""Changing groups by hand: naming groups, joining them, and removing places from them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from place_search.indexer import Groups
from place_search.indexer.storage.edits import MAX_NAME, checked_text
from place_search.search.errors import ParameterError


class GroupEdit(NamedTuple):
    """A change of the group that the place `of` is in.

    The group gets the `name`; a blank name removes it, None leaves it. The groups of the places
    to `add` become part of the group; the places to `remove` become another group. Both groups are
    then held: grouping adds photos to them, and never joins two held groups.
    """

    of: int
    name: str | None = None
    add: Sequence[int] = ()
    remove: Sequence[int] = ()

    def check(self, row_of: Callable[[int], int]) -> None:
        """Make sure that an index allows this change; `row_of` is that of the index.

        Raises:
            UnknownPlaceError: there is no such place, or it was removed.
            FieldError: the name is too long or cannot be printed.
            ParameterError: a place is both to add and to remove, or the place `of` is removed.
        """
        for place in (self.of, *self.add, *self.remove):
            row_of(place)
        checked_text("name", self.name or "", MAX_NAME, lines=False)
        if self.of in self.remove:
            raise ParameterError(
                f"Place {self.of} says which group is meant, so it cannot be removed from it; name "
                "another place of the group.",
                "remove",
            )
        if both := set(self.add) & set(self.remove):
            raise ParameterError(
                f"Place {min(both)} is to be added to the group and removed from it; ask for one.",
                *("add", "remove"),
            )

    def changed(self, groups: Groups) -> Groups:
        """The groups after the change.

        Raises:
            ParameterError: a place to remove is in another group.
        """
        groups = _with_places(groups, (self.of, *self.add, *self.remove))
        group, held = groups.group.copy(), groups.held.copy()
        names = dict(groups.names)
        target = groups.of(self.of)
        assert target is not None  # noqa: S101 - just added
        # All at once: thousands of places may be added to groups of an index of a million.
        joined = [other for place in self.add if (other := groups.of(place)) not in (None, target)]
        group[np.isin(groups.group, joined)] = target
        for other in joined:
            if other in names:
                names.setdefault(target, names.pop(other))
        parted = np.isin(groups.place_id, list(self.remove))
        if len(others := groups.place_id[parted & (group != target)]):
            raise ParameterError(
                f"Place {others[0]} is not in the group of place {self.of}, so it cannot be "
                "removed from it; name places of that group.",
                "remove",
            )
        if parted.any():
            stays = groups.place_id[(group == target) & ~parted]
            # A group's id is that of one of its places: the part with that place keeps the id.
            remaining = int(stays.min()) if target in self.remove else target
            if remaining != target:
                group[group == target] = remaining
                if target in names:
                    names[remaining] = names.pop(target)
            group[parted] = groups.place_id[parted].min()
            held |= parted
            target = remaining
        if self.name is not None:
            names.pop(target, None)
            names |= {target: name} if (name := self.name.strip()) else {}
        held |= group == target
        return replace(groups, group=group, held=held, names=names)


def _with_places(groups: Groups, places: Iterable[int]) -> Groups:
    """The groups, with places that were never grouped in groups of their own."""
    new = np.setdiff1d(np.array([*places], np.int64), groups.place_id)
    return groups.with_places(new, new, held=False)
