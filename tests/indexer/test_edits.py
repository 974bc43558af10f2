"""What people say of places is kept whole, and outlives every change of the index."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from place_search.core.geodesy import Position
from place_search.core.progress import silent
from place_search.indexer import (
    EditConflictError,
    FieldError,
    Filter,
    IndexFormatError,
    IndexWriteError,
    UnknownPlaceError,
    add_photos,
    build_index,
    compact_index,
    declare_fields,
    edit_place,
    open_index,
    open_source,
    parse_filter,
    remove_places,
    repair_index,
    restore_places,
    sync_photos,
    verify_index,
)
from place_search.indexer.changes.change import changing
from place_search.indexer.storage.edits import Edit, edits_file
from place_search.indexer.storage.manifest import FORMAT_VERSION, read_manifest
from place_search.models import Model
from tests.indexer.conftest import Render
from tests.indexer.whole import whole

ALL: dict[str, Any] = {
    "name": "North gate",
    "note": "Closed in\nwinter.",
    "tags": ["gate", "night", "gate"],
    "fields": {"floor": 3, "seen": "2024-05-31", "open": True, "label": "ü"},
    "position": {"latitude": 48.5, "longitude": 11.5},
}
FIELDS = {"floor": "number", "seen": "date", "open": "boolean", "label": "text"}


@pytest.fixture
def edited(built: Path) -> Path:
    declare_fields(built, FIELDS)
    edit_place(built, 4, ALL)
    return built


def test_who_could_read_an_index_can_still_read_it(built: Path) -> None:
    """One of the people who change a shared index may give new files to himself alone."""
    (built / "manifest.json").chmod(0o644)
    old = os.umask(0o077)
    try:
        edit_place(built, 4, {"name": "North gate"})
        remove_places(built, [1], compact=False)
        compact_index(built)
    finally:
        os.umask(old)
    names = ["manifest.json", *read_manifest(built).files]
    assert {(built / name).stat().st_mode & 0o777 for name in names} == {0o644}


def test_an_edit_reads_no_open_shard_anew(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_index(built)
    thumbnail = opened.thumbnail(4)
    monkeypatch.setattr("place_search.indexer.storage.array_file.h5py.File", None)
    edit_place(built, 4, {"name": "North gate"})
    index = open_index(built)  # of hundreds of shards, each would take milliseconds
    assert (index.place(4).name, index.thumbnail(4)) == ("North gate", thumbnail)


def test_a_shard_that_was_written_again_is_read_anew(built: Path) -> None:
    opened = open_index(built)
    shard = built / opened.manifest.shards[0]
    content = shard.read_bytes()
    shard.write_bytes(content.replace(b"\x89HDF", b"\x89XXX"))
    with pytest.raises(IndexFormatError, match="damaged"):
        open_index(built)


def test_what_is_said_of_a_place_is_told(edited: Path) -> None:
    index = whole(edited)
    place = index.place(4)
    assert (place.name, place.note, place.version) == ("North gate", "Closed in\nwinter.", 1)
    assert place.tags == ("gate", "night")
    assert place.fields == {"floor": 3.0, "seen": "2024-05-31", "open": True, "label": "ü"}
    assert place.position == Position(48.5, 11.5)
    assert place.utm is not None
    assert place.utm.zone == "32U"
    assert index.positions[4].tolist() == [48.5, 11.5]
    assert index.names(index.matching(Filter(tags=("gate",)))) == ["North gate"]
    assert index.tags() == {"gate": 1, "night": 1}
    assert index.place(3).version == 0


def test_a_patch_leaves_what_it_does_not_name(edited: Path) -> None:
    before = open_index(edited)
    edit = edit_place(edited, 4, {"fields": {"floor": None, "open": False}, "position": None})
    assert edit == Edit(
        2,
        "North gate",
        ALL["note"],
        ("gate", "night"),
        {"seen": "2024-05-31", "open": False, "label": "ü"},
    )
    assert edit_place(edited, 4, dict.fromkeys(("name", "note", "tags", "fields"))) == Edit(3)
    after = open_index(edited)
    assert after.place(4).name == "p01.jpg"
    assert after.place(4).position is None
    assert before.place(4).name == "North gate", "a version stays as it is while it is open"


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"fields": {"floor": "3"}}, "floor takes a number, not"),
        ({"fields": {"floor": True}}, "floor takes a number"),
        ({"fields": {"floor": 10**400}}, "floor takes a number"),
        ({"fields": {"seen": "31.5.2024"}}, "a date such as"),
        ({"fields": {"open": "yes"}}, "open takes a boolean"),
        ({"fields": {"colour": "red"}}, "no own field 'colour'"),
        ({"fields": [1]}, "values by name"),
        ({"tags": "gate"}, "a list of text"),
        ({"tags": ["a", ""]}, "A tag is empty"),
        ({"tags": [str(number) for number in range(65)]}, "at most 64 tags"),
        ({"name": "a\nb"}, "cannot be printed"),
        ({"name": "a" * 201}, "at most 200"),
        ({"note": 3}, "is text, not int"),
        ({"note": "\ud800"}, "cannot be printed"),
        ({"position": {"latitude": 91, "longitude": 0}}, "not on Earth"),
        ({"position": {"latitude": 0, "longitude": 0}}, "stands for one that is not known"),
        ({"position": [48, 11]}, '"latitude": DEGREES'),
        ({"colour": "red"}, "no 'colour' to edit"),
    ],
)
def test_what_does_not_fit_is_refused(edited: Path, patch: dict[str, Any], message: str) -> None:
    before = (edited / "manifest.json").read_bytes()
    with pytest.raises(FieldError, match=message):
        edit_place(edited, 4, patch)
    assert (edited / "manifest.json").read_bytes() == before


def test_of_two_who_edit_one_place_the_second_is_told(edited: Path) -> None:
    assert edit_place(edited, 4, {"note": "one"}, version=1).version == 2
    with pytest.raises(EditConflictError, match="version 2, not 1"):
        edit_place(edited, 4, {"note": "two"}, version=1)
    with pytest.raises(EditConflictError, match="version 2, not 1"):
        remove_places(edited, [4], version=1)
    assert open_index(edited).place(4).note == "one"
    with pytest.raises(UnknownPlaceError, match="no place 99"):
        edit_place(edited, 99, {"note": "two"})


def test_edits_outlive_every_change(
    edited: Path, photos: Path, model: Model, render: Render, tmp_path: Path
) -> None:
    render(photos / "new.jpg", 50)
    add_photos(edited, open_source(photos), model)
    assert whole(edited).place(4).note == ALL["note"]
    render(photos / "p01.jpg", 51)  # another photo of the same name gets another place
    sync_photos(edited, open_source(photos), model)
    (row,) = whole(edited).matching(Filter(tags=("gate",)))
    heir = int(whole(edited).place_ids[row])
    assert heir > 11
    assert whole(edited).place(heir).path.name == "p01.jpg"
    edit_place(edited, 0, {"note": "goes"})
    remove_places(edited, [0], compact=False)
    compact_index(edited)
    assert set(whole(edited).edits.by_place) == {heir}
    build_index(open_source(photos), edited, model)  # made again: ids begin at 0
    (row,) = whole(edited).matching(Filter(tags=("gate",)))
    assert whole(edited).place(int(row)).name == "North gate"
    assert verify_index(edited).problems == []
    shutil.move(edited, tmp_path / "moved")
    assert open_index(tmp_path / "moved").edits.fields == FIELDS


def test_edits_stay_with_the_place_of_a_photo_that_is_half_written(
    edited: Path, photos: Path, model: Model, render: Render
) -> None:
    edits = whole(edited).edits.by_place
    render(photos / "new.jpg", 51)
    half = (photos / "new.jpg").read_bytes()[:900]
    for update in (sync_photos, add_photos):
        (photos / "p01.jpg").write_bytes(half)
        report = update(edited, open_source(photos), model)
        assert [photo.name for photo in report.skipped] == ["p01.jpg"]
        assert whole(edited).edits.by_place == edits
        assert whole(edited).place(4).note == ALL["note"]
    render(photos / "p01.jpg", 51)  # now all of it is there
    assert sync_photos(edited, open_source(photos), model).changed == 1
    (heir,) = whole(edited).edits.by_place
    assert whole(edited).place(heir).name == "North gate"
    assert heir > 11


def test_edits_follow_a_photo_that_is_renamed(edited: Path, photos: Path, model: Model) -> None:
    copy = shutil.copy(photos / "p01.jpg", photos / "copy.jpg")
    sync_photos(edited, open_source(photos), model)
    assert set(whole(edited).edits.by_place) == {4}  # a copy is a place of its own
    (photos / "p01.jpg").rename(photos / "renamed.jpg")
    Path(copy).rename(photos / "another.jpg")
    sync_photos(edited, open_source(photos), model)
    (heir,) = whole(edited).edits.by_place
    assert whole(edited).place(heir).path.name in ("renamed.jpg", "another.jpg")


@pytest.mark.parametrize("compacted", [False, True])
def test_what_was_said_of_a_photo_waits_until_it_is_there_again(
    edited: Path, photos: Path, model: Model, tmp_path: Path, compacted: bool
) -> None:
    """As when the disk that it is on was not mounted."""
    edit_place(edited, 0, {"note": "removed by hand"})
    by_hand = whole(edited).place(0).path
    remove_places(edited, [0], compact=False)
    moved = tmp_path / "away"
    (photos / "p01.jpg").rename(moved)
    sync_photos(edited, open_source(photos), model)
    assert not whole(edited).matching(Filter(tags=("gate",))).size
    for _ in range(2 if compacted else 0):
        compact_index(edited)
        edit_place(edited, 7, {"note": "seven"})
    moved.rename(photos / "p01.jpg")
    sync_photos(edited, open_source(photos), model, forget=compacted)
    index = whole(edited)
    (row,) = index.matching(Filter(tags=("gate",)))
    place = index.place(int(index.place_ids[row]))
    assert (place.path.name, place.name, place.note) == ("p01.jpg", "North gate", ALL["note"])
    assert by_hand.name not in str(index.edits.by_path)
    if compacted:
        assert [place.note for place in index.places() if place.path == by_hand] == [""]


def test_what_was_said_of_a_photo_that_is_away_survives_indexing_anew(
    edited: Path, photos: Path, model: Model, tmp_path: Path
) -> None:
    (photos / "p01.jpg").rename(tmp_path / "away")
    build_index(open_source(photos), edited, model)
    build_index(open_source(photos), edited, model)
    declare_fields(edited, {}, drop=("floor",))
    (tmp_path / "away").rename(photos / "p01.jpg")
    build_index(open_source(photos), edited, model)
    (row,) = whole(edited).matching(Filter(tags=("gate",)))
    place = whole(edited).place(int(row))
    assert (place.path.name, place.note) == ("p01.jpg", ALL["note"])
    assert "floor" not in place.fields
    assert not whole(edited).edits.by_path


@pytest.mark.parametrize("text", ["👨‍👩‍👧", "क्‍ष", "می‌خواهم", "5\u00a0m", "one\r\ntwo"], ids=ascii)
def test_what_people_write_is_kept(built: Path, text: str) -> None:
    edit_place(built, 1, {"note": text})
    assert open_index(built).place(1).note == text.replace("\r", "")


@pytest.mark.parametrize("text", ["\u202eabc", "\u2066a", "a\x00", "\ue000", "a\rb"], ids=ascii)
def test_what_is_not_seen_is_refused(built: Path, text: str) -> None:
    with pytest.raises(FieldError, match="cannot be printed"):
        edit_place(built, 1, {"note": text})


def test_fields_are_declared_and_dropped(edited: Path) -> None:
    with pytest.raises(FieldError, match="floor is of type number and places have it"):
        declare_fields(edited, {"floor": "text"})
    with pytest.raises(FieldError, match="cannot be of type 'colour'"):
        declare_fields(edited, {"paint": "colour"})
    with pytest.raises(FieldError, match="is no name"):
        declare_fields(edited, {"a b": "text"})
    with pytest.raises(FieldError, match="no own field 'paint'"):
        declare_fields(edited, {}, drop=("paint",))
    fields = declare_fields(edited, {"floor": "text"}, drop=("floor", "seen"))
    assert fields == {"open": "boolean", "label": "text", "floor": "text"}
    assert open_index(edited).place(4).fields == {"open": True, "label": "ü"}


def test_a_damaged_file_of_edits_is_said_and_what_can_be_read_is_kept(
    edited: Path, model: Model
) -> None:
    edit_place(edited, 7, {"note": "seven"})
    path = edited / edits_file(open_index(edited).manifest.files)
    path.write_bytes(path.read_bytes().replace(b"North gate", b"North \xff\xff\xff\xff"))
    with pytest.raises(IndexFormatError, match="keeps what can be read"):
        open_index(edited)
    assert repair_index(edited, lambda: model).repaired == [path.name]
    index = whole(edited)
    assert index.edits.fields == FIELDS
    assert index.place(7).note == "seven"
    assert index.place(4).name == "p01.jpg"


def test_values_whose_declaration_was_damaged_are_declared_as_they_are(
    edited: Path, model: Model
) -> None:
    path = edited / edits_file(open_index(edited).manifest.files)
    path.write_bytes(path.read_bytes().replace(b'{"fields"', b'"fields"', 1))
    repair_index(edited, lambda: model)
    assert whole(edited).edits.fields == {}
    with pytest.raises(FieldError, match="floor takes a boolean"):
        declare_fields(edited, {"floor": "boolean"})
    declare_fields(edited, {"floor": "number"})
    assert whole(edited).matching(parse_filter(whole(edited).edits, field=["floor:ge:3"])).size == 1


def test_indexing_anew_keeps_what_can_be_read_of_damaged_edits(
    edited: Path, photos: Path, model: Model
) -> None:
    edit_place(edited, 7, {"note": "seven"})
    path = edited / edits_file(open_index(edited).manifest.files)
    path.write_bytes(path.read_bytes().replace(b"North gate", b"North \xff\xff\xff\xff"))
    build_index(open_source(photos), edited, model)
    index = whole(edited)
    assert index.edits.fields == FIELDS
    assert [edit.note for edit in index.edits.by_place.values()] == ["seven"]


def test_an_older_index_that_is_edited_is_one_of_today(built: Path) -> None:
    """Older programs know no edits, and would call it damaged."""
    with changing(built, silent) as change:
        change.rewrite(format_version=2)
    assert read_manifest(built).format_version == 2
    edit_place(built, 4, {"note": "four"})
    assert read_manifest(built).format_version == FORMAT_VERSION


@pytest.mark.parametrize("store", ["exact", "rabitq"])
def test_removed_places_come_back_as_they_were(
    photos: Path, model: Model, tmp_path: Path, store: str
) -> None:
    built = tmp_path / "index"
    build_index(open_source(photos), built, model, store=store)
    edit_place(built, 4, {"note": "four"})
    before = {place.place_id: place for place in whole(built).places()}
    for removed in ([4, 5], [0, 1, 2, 4]):
        remove_places(built, removed, compact=False)
        assert not set(removed) & set(whole(built).place_ids.tolist())
        assert restore_places(built, [*removed, 7]).added == len(removed)
    index = whole(built)
    assert {place.place_id: place for place in index.places()} == before
    for place in index.places():
        descriptor = model.embed(model.read(place.path)).descriptor
        assert index.search(descriptor, 1)[0].place_id == place.place_id
    report = sync_photos(built, open_source(photos), model)
    assert (report.unchanged, report.forgotten) == (11, 0)


def test_what_cannot_be_restored_is_said(built: Path, photos: Path, model: Model) -> None:
    remove_places(built, [3], compact=False)
    add_photos(built, open_source(photos), model)
    with pytest.raises(IndexWriteError, match="again, as place 11"):
        restore_places(built, [3])
    compact_index(built)
    with pytest.raises(UnknownPlaceError, match="compacted since"):
        restore_places(built, [3])
