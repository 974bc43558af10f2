"""Names, merges and splits by hand."""

from typing import Any

import numpy as np
import pytest

from place_search.indexer import FieldError, Groups, UnknownPlaceError
from place_search.search.errors import ParameterError
from place_search.search.groups import by_hand
from place_search.search.groups.by_hand import GroupEdit

IDS = np.arange(10)
HELD_NONE = np.zeros(9, np.bool_)
GROUPS = Groups(place_id=IDS[:9], group=IDS[:9] // 3 * 3, held=HELD_NONE, names={3: "Bridge"})


def row_of(place: int) -> int:
    """The row of a place in an index of ten."""
    if place not in IDS:
        raise UnknownPlaceError(f"no place {place}")
    return place


def members(groups: Groups) -> dict[int, list[int]]:
    return {int(group): groups.members(int(group)).tolist() for group in np.unique(groups.group)}


def test_a_name_holds_the_group() -> None:
    named = GroupEdit(1, "Town hall").changed(GROUPS)
    assert named.name(0) == "Town hall"
    assert named.held.tolist() == [True] * 3 + [False] * 6
    for blank in ("", " ", "\u00a0 "):
        assert GroupEdit(2, blank).changed(named).name(0) is None
    assert GroupEdit(2, " Gate ").changed(named).name(0) == "Gate"


def test_groups_are_put_together_with_all_their_places() -> None:
    merged = GroupEdit(0, add=[4]).changed(GROUPS)
    assert members(merged) == {0: [0, 1, 2, 3, 4, 5], 6: [6, 7, 8]}
    assert merged.name(0) == "Bridge"
    assert merged.held.tolist() == [True] * 6 + [False] * 3


class _Counted(np.ndarray[Any, np.dtype[np.int64]]):
    """An array that counts how often all of it is compared with a number."""

    comparisons = 0

    def __eq__(self, other: object) -> Any:
        _Counted.comparisons += 1
        return np.asarray(self) == other


def test_many_places_are_put_together_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_hand, "_with_places", lambda groups, _: groups)  # keeps the array
    many = np.arange(200)
    groups = Groups(many, many.view(_Counted), many < 0, names={7: "Bridge", 5: "Gate"})
    _Counted.comparisons = 0
    merged = GroupEdit(0, add=many[1:150].tolist()).changed(groups)
    assert _Counted.comparisons < 10  # of a million places, each takes a millisecond
    assert merged.members(0).tolist() == many[:150].tolist()
    assert merged.names == {0: "Gate"}


def test_places_are_taken_out_together() -> None:
    parted = GroupEdit(5, remove=[3, 4]).changed(GROUPS)
    assert members(parted) == {0: [0, 1, 2], 3: [3, 4], 5: [5], 6: [6, 7, 8]}
    assert parted.name(5) == "Bridge"  # the name stays with the place that was named
    assert parted.name(3) is None
    assert parted.held[3:6].all()
    back = GroupEdit(5, add=[3]).changed(parted)
    assert back.members(5).tolist() == [3, 4, 5]


def test_a_place_that_was_never_grouped_can_be_put_somewhere() -> None:
    changed = GroupEdit(9, "Alone").changed(GROUPS)
    assert (changed.of(9), changed.name(9)) == (9, "Alone")
    assert members(GroupEdit(0, add=[9]).changed(GROUPS))[0] == [0, 1, 2, 9]


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (GroupEdit(1, remove=[1]), "says which group is meant"),
        (GroupEdit(1, add=[2, 4], remove=[4]), "Place 4 is to be added .* and removed"),
    ],
)
def test_what_cannot_be_is_said(edit: GroupEdit, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        edit.check(row_of)


@pytest.mark.parametrize(
    ("name", "says"), [("\n", "cannot be printed"), ("x" * 201, "at most 200")]
)
def test_a_name_fits_as_that_of_a_place_does(name: str, says: str) -> None:
    with pytest.raises(FieldError, match=says):
        GroupEdit(1, name).check(row_of)


def test_unknown_places_and_those_of_other_groups_are_refused() -> None:
    for edit in (GroupEdit(77), GroupEdit(1, add=[2, 77]), GroupEdit(1, remove=[77])):
        with pytest.raises(UnknownPlaceError, match="no place 77"):
            edit.check(row_of)
    with pytest.raises(ParameterError, match="Place 5 is not in the group of place 1"):
        GroupEdit(1, remove=[5]).changed(GROUPS)
