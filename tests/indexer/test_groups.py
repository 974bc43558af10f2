"""The file that keeps the groups of an index: whole or absent, through all changes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from place_search.indexer import (
    Groups,
    IndexFormatError,
    add_photos,
    build_index,
    change_groups,
    compact_index,
    open_index,
    open_source,
    remove_places,
    repair_index,
    sync_photos,
    verify_index,
)
from place_search.indexer.storage.groups import GROUPS, read_groups
from place_search.indexer.storage.manifest import read_manifest
from place_search.models import Model
from tests.indexer.conftest import Render


def pairs_of_two(groups: Groups) -> Groups:
    ids = np.arange(11)
    return replace(
        groups,
        place_id=ids,
        group=ids // 2 * 2,
        held=ids < 4,
        compared=np.array([[0, 1], [8, 9]]),
        same=np.array([True, True]),
        names={4: "Brücke"},
    )


@pytest.fixture
def grouped(built: Path) -> Path:
    assert change_groups(built, pairs_of_two)
    return built


def test_groups_are_kept_and_read(grouped: Path) -> None:
    index = open_index(grouped)
    assert index.groups.of(5) == 4
    assert index.groups.of(11) is None
    assert index.groups.members(4).tolist() == [4, 5]
    assert index.groups.members(10).tolist() == [10]
    assert index.groups.members(3).tolist() == []
    assert index.groups.name(4) == "Brücke"
    assert index.groups.name(6) is None
    assert not change_groups(grouped, lambda _groups: None)


def test_an_index_without_groups_has_none(built: Path) -> None:
    assert GROUPS not in read_manifest(built).files
    assert len(open_index(built).groups.place_id) == 0


def test_they_stand_apart_from_the_files_that_version_0_1_knows(grouped: Path) -> None:
    table = json.loads((grouped / "manifest.json").read_text())
    assert GROUPS not in table["files"]
    assert table["groups"]["bytes"] == (grouped / GROUPS).stat().st_size


def test_they_outlast_changes(grouped: Path, photos: Path, model: Model, render: Render) -> None:
    render(photos / "new.jpg", 99)
    add_photos(grouped, open_source(photos), model)
    remove_places(grouped, [5, 8, 9])
    compact_index(grouped)
    groups = open_index(grouped).groups
    assert groups.place_id.tolist() == [0, 1, 2, 3, 4, 6, 7, 10]
    assert groups.members(4).tolist() == [4]
    assert groups.name(4) == "Brücke"
    assert verify_index(grouped).whole


def test_damage_is_found_and_left_out_by_a_repair(grouped: Path, model: Model) -> None:
    (grouped / GROUPS).write_bytes(b"oops")
    with pytest.raises(IndexFormatError, match="missing or damaged"):
        open_index(grouped)
    assert [defect.file for defect in verify_index(grouped).problems] == [GROUPS]
    repair_index(grouped, lambda: model)
    assert len(open_index(grouped).groups.place_id) == 0
    assert verify_index(grouped).whole


def test_a_file_that_is_none_is_refused(built: Path) -> None:
    class Nonsense(Groups):
        def to_bytes(self) -> bytes:
            return b"PK nonsense"

    change_groups(built, lambda _groups: Nonsense())
    with pytest.raises(IndexFormatError, match="is damaged"):
        open_index(built)


def test_the_old_groups_stay_until_the_manifest_names_the_new_ones(
    grouped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("place_search.indexer.storage.manifest.Manifest.write", fail)
        with pytest.raises(KeyboardInterrupt):
            change_groups(grouped, lambda groups: replace(groups, names={}))
    assert open_index(grouped).groups.name(4) == "Brücke"
    assert verify_index(grouped).whole


def test_a_group_keeps_its_id_without_the_place_of_that_id() -> None:
    """Links to it go on working."""
    groups = Groups(
        place_id=np.array([0, 1, 2, 7]),
        group=np.array([0, 0, 0, 7]),
        held=np.array([True, True, True, False]),
        names={0: "gate", 7: "bridge"},
    )
    remaining = groups.only(np.array([1, 2]))
    assert remaining.group.tolist() == [0, 0]
    assert remaining.names == {0: "gate"}
    assert remaining.held.tolist() == [True, True]


def test_a_place_that_replaces_another_takes_over_its_group(
    grouped: Path, photos: Path, model: Model, render: Render
) -> None:
    render(photos / "p01.jpg", 51)
    (photos / "p00.jpg").rename(photos / "renamed.jpg")
    before = {place.path.name: place.place_id for place in open_index(grouped).places()}
    sync_photos(grouped, open_source(photos), model)
    index = open_index(grouped)
    after = {place.path.name: place.place_id for place in index.places()}
    changed, moved = after["p01.jpg"], after["renamed.jpg"]
    assert min(changed, moved) > 10
    group = before["p01.jpg"] // 2 * 2
    assert index.groups.of(changed) == group == 4
    assert index.groups.members(group).tolist() == [before["p02.jpg"], changed]
    assert index.groups.name(group) == "Brücke"
    assert index.groups.of(moved) == before["p00.jpg"] // 2 * 2
    assert index.groups.held.tolist() == [True] * 3 + [False] * 7 + [True]
    stored = read_groups(grouped / GROUPS)
    assert stored.compared.tolist() == [[0, 1], [8, 9]]
    assert verify_index(grouped).whole


def test_groups_made_by_hand_outlast_indexing_anew(
    grouped: Path, photos: Path, model: Model, render: Render
) -> None:
    def by_hand(groups: Groups) -> Groups:
        return replace(groups, held=groups.group == 4)

    assert change_groups(grouped, by_hand)
    members = [open_index(grouped).place(place).name for place in (4, 5)]
    (photos / "more" / "p08.jpg").unlink()  # ids are others now
    build_index(open_source(photos), grouped, model)
    index = open_index(grouped)
    group = index.groups.of(3)
    assert group == 3
    assert [index.place(int(place)).name for place in index.groups.members(group)] == members
    assert index.groups.name(group) == "Brücke"
    assert len(index.groups.place_id) == 2, "the others are to be found anew"
    assert verify_index(grouped).whole


def test_a_half_written_photo_keeps_its_place_and_group(
    grouped: Path, photos: Path, model: Model
) -> None:
    whole_photo = (photos / "p01.jpg").read_bytes()
    (photos / "p01.jpg").write_bytes(whole_photo[:900])
    report = sync_photos(grouped, open_source(photos), model)
    assert (report.changed, report.removed, report.places) == (0, 0, 11)
    assert open_index(grouped).groups.members(4).tolist() == [4, 5]


def test_groups_of_photos_that_are_away_survive_indexing_anew(
    grouped: Path, photos: Path, model: Model, tmp_path: Path
) -> None:
    """Away as a whole, and half; a new photo meanwhile gets no id that waits."""
    change_groups(grouped, lambda groups: replace(groups, names={0: "Gate"}))
    moved = [open_index(grouped).place(place).path for place in (0, 1, 3)]
    staying = open_index(grouped).place(2).path
    for path in moved:
        path.rename(tmp_path / path.name)
    for _ in range(2):
        build_index(open_source(photos), grouped, model)
    shutil.copy(tmp_path / moved[0].name, photos / "new.jpg")
    sync_photos(grouped, open_source(photos), model)
    assert len(open_index(grouped).groups.place_id) == 1, "one of those that are there was held"
    for path in moved:
        (tmp_path / path.name).rename(path)
    sync_photos(grouped, open_source(photos), model)
    index = open_index(grouped)
    groups = index.groups
    of = {place.path.name: groups.of(place.place_id) for place in index.places()}
    first, second, third = (of[path.name] for path in moved)
    assert first is not None
    assert groups.name(first) == "Gate"
    assert second == first
    assert third == of[staying.name] != first
    assert of["new.jpg"] is None
    assert groups.held.all()


def test_photos_that_were_away_come_back_to_their_groups(
    grouped: Path, photos: Path, model: Model, tmp_path: Path
) -> None:
    """A disk was not mounted: all of a named group that was made by hand, and one of another."""
    change_groups(grouped, lambda groups: replace(groups, names={0: "Gate", 4: "Brücke"}))
    moved = [open_index(grouped).place(place).path for place in (0, 1, 4)]
    for path in moved:
        path.rename(tmp_path / path.name)
    sync_photos(grouped, open_source(photos), model)
    assert open_index(grouped).groups.members(4).tolist() == [5]
    for path in moved:
        (tmp_path / path.name).rename(path)
    sync_photos(grouped, open_source(photos), model)
    index = open_index(grouped)
    first, second, third = (
        next(place.place_id for place in index.places() if place.path == path) for path in moved
    )
    groups = index.groups
    (group,) = {groups.of(first), groups.of(second)}
    assert group is not None
    assert groups.name(group) == "Gate"
    assert sorted(groups.members(group).tolist()) == sorted([first, second])
    assert groups.held[np.isin(groups.place_id, [first, second])].all()
    assert groups.members(4).tolist() == [5, third]
    assert groups.name(4) == "Brücke"
