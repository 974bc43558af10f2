"""Groups of a real index: two views of each place, some added later."""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from place_search.indexer import (
    Groups,
    Index,
    add_photos,
    build_index,
    change_groups,
    open_index,
    open_source,
    remove_places,
    restore_places,
)
from place_search.indexer.storage.lock import lock
from place_search.models import Model
from place_search.search.engine import Engine
from place_search.search.groups import grouping
from place_search.search.groups.by_hand import GroupEdit
from place_search.search.groups.grouping import SPREAD_M, _Addition, group_places
from place_search.search.groups.pairs import Pair, PairJudge
from place_search.search.index_calibration import calibration_for
from tests.search.conftest import Street, jpeg
from tests.search.test_agreeing import over_the_bonnet


@pytest.fixture
def town(street: Street, model: Model, tmp_path: Path) -> Path:
    """An index of three places, two views of each."""
    for place in range(3):
        see(tmp_path, street, place)
    build_index(open_source(tmp_path / "photos"), tmp_path / "index", model)
    return tmp_path / "index"


def see(folder: Path, street: Street, place: int, again: str = "") -> Path:
    """Write two views of a place."""
    photos = folder / "photos"
    photos.mkdir(exist_ok=True)
    (photos / f"{place}{again}-a.jpg").write_bytes(jpeg(street.photo(place)))
    (photos / f"{place}{again}-b.jpg").write_bytes(street.query(place))
    return photos


def by_name(index: Index) -> set[frozenset[str]]:
    groups = index.groups
    names = [groups.members(group) for group in np.unique(groups.group)]
    return {frozenset(index.place(int(place)).name for place in places) for places in names}


def test_a_borrowed_calibration_is_said(town: Path, model: Model) -> None:
    assert not (town / "calibration.json").exists()
    plain = Model(replace(model.card, calibration=None), model.runtime)
    said = group_places(town, plain).to_dict()
    assert [reason["code"] for reason in said["reasons"]] == ["no-calibration"]
    assert said["notes"][0].startswith(f"The model '{model.card.id}' has no calibration")
    assert group_places(town, model).notes == ()


def test_views_of_one_place_are_one_group(town: Path, model: Model) -> None:
    before = open_index(town)
    assert before.groups.of(0) is None

    report = group_places(town, model)
    assert report == (6, 6, 3, 6, ())
    index = open_index(town)
    assert by_name(index) == {frozenset({f"{n}-a.jpg", f"{n}-b.jpg"}) for n in range(3)}
    assert index.index_id == before.index_id
    assert group_places(town, model).new == 0


def test_no_two_photos_are_compared_twice(
    town: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[Pair] = []
    compare = PairJudge.compare

    def watched(judge: PairJudge, place_id: int, others: Iterable[int]) -> list[Pair]:
        found = compare(judge, place_id, others)
        compared.extend(found)
        return found

    monkeypatch.setattr(PairJudge, "compare", watched)
    group_places(town, model)
    pairs = [(pair.first, pair.second) for pair in compared]
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) == set(combinations(range(6), 2))  # each is a neighbour of all others


def test_new_photos_join_the_groups_there_are(town: Path, model: Model, street: Street) -> None:
    group_places(town, model)
    first = open_index(town).groups
    photos = see(town.parent, street, 1, "-later")
    see(town.parent, street, 5)
    add_photos(town, open_source(photos), model)
    added = open_index(town)
    assert added.groups.of(0) == first.of(0)  # carried over to the new version
    assert len(added.groups.place_id) == 6

    assert group_places(town, model) == (10, 4, 4, 10, ())
    assert {len(names) for names in by_name(open_index(town))} == {2, 4}


def test_what_was_made_by_hand_survives(town: Path, model: Model) -> None:
    group_places(town, model)

    def by_hand(groups: Groups) -> Groups:
        held = np.isin(groups.place_id, groups.members(0))
        return replace(groups, held=held, names={0: "Fountain"})

    assert change_groups(town, by_hand)
    group_places(town, model, anew=True)
    groups = open_index(town).groups
    assert groups.name(0) == "Fountain"
    assert len(groups.members(0)) == 2
    assert len(np.unique(groups.group)) == 3

    remove_places(town, [int(groups.members(0)[0])])
    groups = open_index(town).groups
    assert groups.members(0).tolist() == [1]
    assert groups.name(0) == "Fountain"


@pytest.mark.slow
def test_a_restored_place_is_in_its_group_again(town: Path, model: Model, street: Street) -> None:
    group_places(town, model)
    change_groups(town, GroupEdit(0, "Fountain", add=[2]).changed)
    assert open_index(town).groups.members(0).tolist() == [0, 1, 2, 3]
    photos = see(town.parent, street, 5)
    add_photos(town, open_source(photos), model)
    remove_places(town, [0, 1], compact=False)
    group_places(town, model)
    assert open_index(town).groups.members(0).tolist() == [2, 3]
    restore_places(town, [0, 1])
    assert open_index(town).groups.members(0).tolist() == [0, 1, 2, 3]
    remove_places(town, [0, 1, 2, 3], compact=False)
    group_places(town, model, anew=True)
    restore_places(town, [0, 3])
    groups = open_index(town).groups
    assert (groups.members(0).tolist(), groups.name(0)) == ([0, 3], "Fountain")


def test_a_place_that_was_never_grouped_joins_the_group_of_its_id(town: Path, model: Model) -> None:
    """As when it was replaced by another one, which was removed, and is restored."""
    group_places(town, model)
    change_groups(town, lambda groups: groups.only(np.arange(1, 6)))
    assert open_index(town).groups.members(0).tolist() == [1]
    assert group_places(town, model).new == 1
    assert open_index(town).groups.members(0).tolist() == [0, 1]


def test_what_is_grouped_by_hand_while_grouping_runs_stays(
    town: Path, model: Model, street: Street
) -> None:
    before = open_index(town)
    judge = PairJudge(before, calibration_for(before, model).calibration, SPREAD_M)
    add_photos(town, open_source(see(town.parent, street, 5)), model)
    change_groups(town, GroupEdit(6, "New", add=[7]).changed)
    pairs = judge.compare_all([(0, 1)])
    change_groups(town, _Addition(judge, before.place_ids, pairs).added)
    groups = open_index(town).groups
    assert groups.members(0).tolist() == [0, 1]
    assert (groups.members(6).tolist(), groups.name(6)) == ([6, 7], "New")
    assert groups.held.tolist() == [False] * 6 + [True] * 2


def test_photos_far_apart_are_never_one_spot(street: Street, model: Model, tmp_path: Path) -> None:
    see(tmp_path, street, 0)
    lines = ["path,latitude,longitude", "photos/0-a.jpg,48,11", "photos/0-b.jpg,48.001,11"]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    build_index(open_source(tmp_path / "list.csv"), tmp_path / "index", model)
    assert group_places(tmp_path / "index", model).groups == 0
    assert SPREAD_M < 111
    report = group_places(tmp_path / "index", model, spread_m=150, anew=True)
    assert report.groups == 1


def test_results_say_what_spot_they_show(town: Path, model: Model, street: Street) -> None:
    ungrouped = Engine(open_index(town), model).search(street.query(1), k=3)
    assert [result.group for result in ungrouped.results] == [None] * 3

    group_places(town, model)
    found = Engine(open_index(town), model).search(street.query(1), k=3).to_dict()["results"]
    index = open_index(town)
    spot = {"id": index.groups.of(found[0]["place_id"]), "name": None, "photos": 2}
    assert [found[0]["group"], found[1]["group"]] == [spot, spot]
    assert found[2]["group"] != spot


@pytest.mark.slow
def test_what_photos_of_other_places_share_joins_few_of_them(
    street: Street, model: Model, tmp_path: Path
) -> None:
    """All of a drive over the bonnet of one car was one spot."""
    for place in range(8):
        (tmp_path / f"{place}.jpg").write_bytes(jpeg(over_the_bonnet(street, place)))
    build_index(open_source(tmp_path), tmp_path / "index", model)
    group_places(tmp_path / "index", model)
    _, sizes = np.unique(open_index(tmp_path / "index").groups.group, return_counts=True)
    assert sizes.max() <= 3


def test_what_was_compared_is_kept_though_another_program_writes(
    town: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as others:
        compare = grouping._compare_new

        def compare_meanwhile(*arguments: Any) -> list[Pair]:
            others.enter_context(lock(town))
            return compare(*arguments)

        monkeypatch.setattr(grouping, "_compare_new", compare_meanwhile)
        monkeypatch.setattr(time, "sleep", lambda _: others.close())
        assert group_places(town, model).grouped == 6
