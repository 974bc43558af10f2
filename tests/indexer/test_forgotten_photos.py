"""Photos whose places were removed by hand are known by their content, whatever they are called."""

from pathlib import Path

import h5py
import pytest

from place_search.core.files import sha256_of
from place_search.indexer import (
    add_photos,
    compact_index,
    edit_place,
    open_index,
    open_source,
    remove_places,
    sync_photos,
)
from place_search.models import Model
from tests.indexer.conftest import Render
from tests.indexer.whole import names, whole


def test_a_removed_place_leaves_its_photo_s_name_and_hash_alone(built: Path) -> None:
    index = open_index(built)
    (place,) = index.places_of(["p04.jpg"])
    edit_place(built, place.place_id, {"name": "the gate", "note": "by the river", "tags": ["old"]})
    row = index.row_of(place.place_id)
    thumbnail, digest = index.thumbnail(place.place_id), bytes.fromhex(sha256_of(place.path))
    traces = [b"the gate", b"by the river", b'"old"', b"p04.jpg", digest, thumbnail[-60:]]
    with h5py.File(sorted(built.glob("descriptors/*.h5"))[row // 4]) as shard:
        traces.append(shard["descriptors"][row % 4].tobytes())

    def found_in(folder: Path) -> dict[bytes, list[str]]:
        paths = [path for path in folder.rglob("*") if path.is_file()]
        files = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
        return {
            trace: [name for name, content in files.items() if trace in content] for trace in traces
        }

    assert all(found_in(built).values())
    remove_places(built, ["p04.jpg"])
    compact_index(built)
    left = {trace: names for trace, names in found_in(built).items() if names}
    assert left == {b"p04.jpg": ["manifest.json"]}
    assert digest.hex().encode() in (built / "manifest.json").read_bytes()


@pytest.mark.parametrize("compacted", [False, True])
def test_photos_that_are_numbered_anew_leave_out_the_same_one(
    built: Path, photos: Path, model: Model, compacted: bool
) -> None:
    (place,) = open_index(built).places_of(["p04.jpg"])
    edit_place(built, place.place_id, {"name": "the gate"})
    remove_places(built, ["p03.jpg"])
    if compacted:
        compact_index(built)
    (photos / "p02.jpg").unlink()
    for number in (3, 4, 5):
        (photos / f"p{number:02d}.jpg").rename(photos / f"p{number - 1:02d}.jpg")
    report = sync_photos(built, open_source(photos), model)
    assert (report.places, report.forgotten) == (9, 1)
    names = {place.path.name: place.name for place in open_index(built).places()}
    assert "p02.jpg" not in names
    assert (names["p03.jpg"], names["p04.jpg"]) == ("the gate", "p04.jpg")
    report = sync_photos(built, open_source(photos), model)
    assert (report.added, report.removed, report.unchanged, report.forgotten) == (0, 0, 9, 1)


@pytest.mark.parametrize("compacted", [False, True])
def test_another_photo_under_the_name_of_a_removed_one_comes_in(
    built: Path, photos: Path, model: Model, render: Render, compacted: bool
) -> None:
    (place,) = open_index(built).places_of(["p01.jpg"])
    edit_place(built, place.place_id, {"note": "of the first"})
    remove_places(built, ["p01.jpg"])
    if compacted:
        compact_index(built)
    first = (photos / "p01.jpg").read_bytes()
    render(photos / "p01.jpg", 40)
    report = sync_photos(built, open_source(photos), model)
    assert (report.added, report.forgotten) == (1, 0)
    assert add_photos(built, open_source(photos), model).added == 0
    (place,) = open_index(built).places_of(["p01.jpg"])
    assert place.note == ""
    # The one that was removed stays out under any name, this one again too.
    (photos / "first.jpg").write_bytes(first)
    assert sync_photos(built, open_source(photos), model).forgotten == 1
    (photos / "p01.jpg").write_bytes(first)
    report = sync_photos(built, open_source(photos), model)
    assert (report.removed, report.forgotten) == (1, 2)
    assert "p01.jpg" not in names(whole(built)).values()


def test_removed_photos_are_read_only_where_their_size_or_time_is_another(
    built: Path, photos: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(photo: Path) -> str:
        read.append(photo.name)
        return sha256_of(photo)

    monkeypatch.setattr("place_search.indexer.changes.forgotten_photos.sha256_of", counted)
    remove_places(built, ["p01.jpg"])
    sync_photos(built, open_source(photos), model)
    assert read == []
    (photos / "p01.jpg").touch()
    assert sync_photos(built, open_source(photos), model).forgotten == 1
    assert read == ["p01.jpg"]
