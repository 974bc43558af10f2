"""Adding, syncing, removing and compacting: what stays, what goes, and what readers see."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from place_search.indexer import (
    IndexWriteError,
    KeptPhotos,
    UnknownPlaceError,
    add_photos,
    build_index,
    compact_index,
    open_index,
    open_source,
    remove_places,
    restore_places,
    sync_photos,
)
from place_search.indexer.changes.duplicates import Duplicate
from place_search.indexer.storage.manifest import Manifest
from place_search.models import Model
from tests.indexer.conftest import Render, keep_photo
from tests.indexer.whole import names, whole


class Counting:
    """A model that counts what it embeds."""

    def __init__(self, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        self.embedded = 0
        embed = type(model.runtime).embed

        def counted(runtime: object, pixels: object) -> object:
            self.embedded += 1
            return embed(runtime, pixels)  # type: ignore[arg-type]

        monkeypatch.setattr(type(model.runtime), "embed", counted)


@pytest.fixture
def counting(model: Model, monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(model, monkeypatch)


def test_only_new_photos_are_embedded(
    built: Path, photos: Path, model: Model, render: Render, counting: Counting
) -> None:
    before = names(whole(built))
    for number in (20, 21, 22):
        render(photos / f"a{number}.jpg", number)

    report = add_photos(built, open_source(photos), model)

    index = whole(built)
    assert counting.embedded == 3
    assert (report.added, report.unchanged, report.places) == (3, 11, 14)
    assert names(index) == before | {11: "a20.jpg", 12: "a21.jpg", 13: "a22.jpg"}
    for place in list(index.places())[-3:]:
        hit = index.search(model.embed(model.read(place.path)).descriptor, 1)[0]
        assert (hit.place_id, round(hit.similarity, 4)) == (place.place_id, 1)
    again = add_photos(built, open_source(photos), model)
    assert (again.added, again.index_id, again.unchanged) == (0, report.index_id, 14)


def test_sync_brings_an_index_in_line(
    built: Path, photos: Path, model: Model, render: Render, counting: Counting
) -> None:
    render(photos / "new.jpg", 30)
    (photos / "p01.jpg").unlink()
    render(photos / "p02.jpg", 31)
    (photos / "p03.jpg").touch()
    (photos / "p04.jpg").rename(photos / "renamed.jpg")
    (photos / "p05.jpg").write_bytes(b"no photo any more")

    report = sync_photos(built, open_source(photos), model)

    index = whole(built)
    assert counting.embedded == 2
    assert (report.added, report.changed, report.removed) == (2, 1, 2)
    assert (report.copied, report.unchanged) == (1, 7)
    assert [skipped.name for skipped in report.skipped] == ["p05.jpg"]
    assert list(index.manifest.skipped) == report.skipped
    remaining = {0: "more/p08.jpg", 1: "more/p09.jpg", 2: "more/p10.jpg", 3: "p00.jpg"}
    remaining |= {
        6: "p03.jpg",
        8: "p05.jpg",
        9: "p06.jpg",
        10: "p07.jpg",
    }  # p05 until it can be read
    assert names(index) == remaining | {11: "new.jpg", 12: "p02.jpg", 14: "renamed.jpg"}
    again = sync_photos(built, open_source(photos), model)
    assert (again.added, again.changed, again.removed, again.unchanged) == (0, 0, 0, 10)
    assert again.index_id == report.index_id


def test_photos_whose_times_a_drive_has_rounded_are_not_read_again(
    photos: Path, tmp_path: Path, model: Model
) -> None:
    """NTFS, exFAT and FAT keep less of a time than the drive that the photos came from."""
    time, photo = 1_700_000_003_123_456_789, min((photos / "more").iterdir())
    os.utime(photo, ns=(time, time))
    build_index(open_source(photos / "more"), tmp_path / "out", model)
    index = open_index(tmp_path / "out")

    for step in (1, 100, 10**7, 10**9, 2 * 10**9):
        rounded = time // step * step
        for later, expected in ((rounded, True), (rounded - 2 * step, None), (time + step, None)):
            os.utime(photo, ns=(later, later))
            assert index.is_made_from(0, photo, by_content=False) is expected


def test_ids_are_never_used_again(built: Path, photos: Path, model: Model) -> None:
    remove_places(built, [10, 9])
    compact_index(built)
    add_photos(built, open_source(photos), model)
    assert sorted(names(whole(built))) == [*range(9), 11, 12]
    for unknown in (13, -1):
        with pytest.raises(UnknownPlaceError, match=f"There never was a place {unknown}"):
            remove_places(built, [unknown])


@pytest.mark.parametrize(
    ("places", "says"),
    [
        ([0, True], "True is neither the id nor the name"),
        ([0, 5.0], "5.0 is neither"),
        ([0, None], "None is neither"),
        (b"\x01\x02", r"are a list of ids and names, such as \[12, 'gate.jpg'\], not b'"),
        ("p00.jpg", "not 'p00.jpg'"),
        (3, "not 3"),
    ],
)
def test_what_is_no_id_or_name_removes_nothing(built: Path, places: object, says: str) -> None:
    with pytest.raises(UnknownPlaceError, match=f"{says}.*nothing was removed"):
        remove_places(built, places)  # type: ignore[arg-type]
    assert len(whole(built)) == 11
    # The ids of an index are numbers of NumPy, and are ids.
    assert remove_places(built, iter(whole(built).place_ids[:2])).removed == 2


def test_a_folder_that_moved_is_recognised(
    built: Path, photos: Path, model: Model, counting: Counting
) -> None:
    moved = photos.rename(photos.with_name("moved"))
    report = sync_photos(built, open_source(moved), model)
    assert (report.unchanged, counting.embedded) == (11, 0)
    assert all(place.path.is_file() for place in whole(built).places())


def test_another_folder_can_be_added(
    built: Path, photos: Path, tmp_path: Path, model: Model, render: Render, counting: Counting
) -> None:
    other = tmp_path / "other"
    render(other / "p00.jpg", 77)
    shutil.copy(photos / "p01.jpg", other / "twin.jpg")

    report = add_photos(built, open_source(other), model)

    assert (report.added, report.copied, counting.embedded) == (2, 1, 1)
    assert report.duplicates == [Duplicate("twin.jpg", "p01.jpg")]
    index = whole(built)
    assert {place.path for place in index.places()} >= {other / "p00.jpg", photos / "p00.jpg"}
    with pytest.raises(UnknownPlaceError, match=r"'p00.jpg' is the name of 2 places .* \(3, 11\)"):
        remove_places(built, ["p00.jpg"])


def test_photos_that_a_server_keeps_outlast_a_sync_and_go_with_their_place(
    built: Path, photos: Path, tmp_path: Path, model: Model
) -> None:
    photo = keep_photo(built, model, name="from a phone")
    report = sync_photos(built, open_source(photos), model)
    assert (report.removed, report.places) == (0, 12)
    for folder in (built, photo.parent):
        folder.rename(tmp_path / f"moved-{folder.name}")
    built = tmp_path / f"moved-{built.name}"
    photo = KeptPhotos(built).folder / photo.name
    assert sync_photos(built, open_source(photos), model).removed == 0
    (place,) = open_index(built).places_of([photo.name])
    assert (place.name, place.path) == ("from a phone", photo)
    remove_places(built, ["from a phone"])  # by the command line, not over HTTP
    assert not open_index(built).manifest.forgotten
    assert photo.exists()
    compact_index(built)
    assert not photo.exists()


def test_positions_that_change_move_a_place(
    photos: Path, tmp_path: Path, model: Model, counting: Counting
) -> None:
    listed = photos / "list.csv"
    listed.write_text("path,latitude,longitude\np01.jpg,47.5,8.5\np02.jpg,47.6,8.6\n")
    build_index(open_source(listed), tmp_path / "index", model)
    listed.write_text("path,latitude,longitude\np01.jpg,47.5,8.5\np02.jpg,46.0,8.0\n")

    report = sync_photos(tmp_path / "index", open_source(listed), model)

    assert (report.changed, report.copied, counting.embedded) == (1, 1, 2)
    first, second = whole(tmp_path / "index").places()
    assert (first.place_id, first.position) == (0, (47.5, 8.5))
    assert (second.place_id, second.name, second.position) == (2, "p02.jpg", (46.0, 8.0))


def test_a_source_that_says_nothing_takes_nothing_back(
    photos: Path, tmp_path: Path, model: Model, counting: Counting
) -> None:
    listed, out = photos / "list.csv", tmp_path / "index"
    listed.write_text(
        "path,latitude,longitude,heading,time,sequence\np01.jpg,47.5,8.5,90,7.5,walk\n"
    )
    build_index(open_source(listed), out, model)
    before = list(whole(out).places())

    report = add_photos(out, open_source(photos), model)

    assert (report.changed, report.unchanged) == (0, 1)
    first, *_ = whole(out).places()
    assert [first] == before
    assert (first.position, first.heading, first.taken) == ((47.5, 8.5), 90, 7.5)
    listed.write_text("path,heading\np01.jpg,\n")
    assert add_photos(out, open_source(listed), model).unchanged == 1
    listed.write_text("path,heading,sequence\np01.jpg,,ride\n")
    assert add_photos(out, open_source(listed), model).changed == 1
    *_, last = whole(out).places()
    assert (last.path.name, last.position, last.heading) == ("p01.jpg", (47.5, 8.5), 90)


def test_removing_by_name_and_id(built: Path) -> None:
    before = whole(built)
    report = remove_places(built, [0, "p07.jpg"])
    index = whole(built)
    assert (report.removed, report.places, index.manifest.removed) == (2, 9, 2)
    assert set(names(before)) - set(names(index)) == {0, 10}
    assert before.count == 11
    assert before.thumbnail(0)
    for call in (index.place, index.thumbnail, index.codes):
        with pytest.raises(UnknownPlaceError, match="Place 10 was removed; it can be restored"):
            call(10)
    assert remove_places(built, [0]).removed == 0
    with pytest.raises(UnknownPlaceError, match=r"no place 'p07.jpg' .* nothing was removed"):
        remove_places(built, [3, "p07.jpg"])
    assert whole(built).count == 9
    with pytest.raises(IndexWriteError, match="That would leave no place"):
        remove_places(built, list(range(11)))
    assert whole(built).count == 9


def test_compaction_drops_what_is_gone_and_keeps_the_rest(
    built: Path, photos: Path, model: Model, render: Render
) -> None:
    for number in (40, 41):
        render(photos / f"{number}.jpg", number)
        add_photos(built, open_source(photos), model)
    remove_places(built, [2, 11])
    before = whole(built)
    everything = {i: (before.place(i), before.thumbnail(i)) for i in before.place_ids.tolist()}
    assert len(before.manifest.shards) == 5

    report = compact_index(built)

    after = whole(built)
    assert report.compacted
    assert (after.manifest.removed, len(after.manifest.shards)) == (0, 1)
    assert {i: (after.place(i), after.thumbnail(i)) for i in after.place_ids.tolist()} == everything
    assert before.thumbnail(3)  # a reader keeps its version
    assert not compact_index(built).compacted
    np.testing.assert_array_equal(
        np.concatenate(list(before.descriptors().chunks())),
        np.concatenate(list(after.descriptors().chunks())),
    )


def test_compaction_leaves_shards_alone_that_are_well(
    photos: Path, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("place_search.indexer.changes.compact.shard_photos", lambda photos, dims: 3)
    out = tmp_path / "index"
    build_index(open_source(photos), out, model, photos_per_shard=3)
    remove_places(out, [4])
    compact_index(out)
    index = whole(out)
    assert list(index.manifest.shards) == [
        f"descriptors/{number:05d}.h5" for number in (0, 4, 2, 3)
    ]
    assert index.place_ids.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]


def test_much_removed_is_compacted_by_itself(built: Path) -> None:
    assert not remove_places(built, [0, 1]).compacted
    report = remove_places(built, [2, 3])
    assert report.compacted
    assert whole(built).manifest.removed == 0
    assert report.index_id == open_index(built).index_id


def test_the_store_takes_up_changes_past_a_threshold(
    built: Path, photos: Path, model: Model, render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    compact_index(built, store="rabitq")
    faiss = (built / "index.faiss").read_bytes()
    render(photos / "x.jpg", 50)
    add_photos(built, open_source(photos), model)
    assert (built / "index.faiss").read_bytes() == faiss
    monkeypatch.setattr("place_search.indexer.stores.store_files.LATE_BYTES", 0)
    remove_places(built, [0])
    index = whole(built)
    assert (index.store_card.count, index.store_card.max_place_id) == (11, 11)
    assert (built / "index.faiss").read_bytes() != faiss


def test_what_was_removed_by_hand_stays_out(
    built: Path, photos: Path, model: Model, counting: Counting, render: Render
) -> None:
    remove_places(built, ["p01.jpg", "p02.jpg"])
    report = sync_photos(built, open_source(photos), model)
    assert (report.added, report.forgotten, report.unchanged) == (0, 2, 9)
    compact_index(built)
    render(photos / "new.jpg", 30)
    report = sync_photos(built, open_source(photos), model)
    assert (report.added, report.forgotten, report.to_dict()["forgotten"]) == (1, 2, 2)
    assert {"p01.jpg", "p02.jpg"}.isdisjoint(names(whole(built)).values())
    # To add a photo by its own list is to want it; to sync with `forget`, to want all.
    (photos / "list.csv").write_text("path\np01.jpg\n")
    assert add_photos(built, open_source(photos / "list.csv"), model).added == 1
    report = sync_photos(built, open_source(photos), model)
    assert (report.added, report.forgotten) == (0, 1)
    report = sync_photos(built, open_source(photos), model, forget=True)
    assert (report.added, report.forgotten) == (1, 0)
    assert sync_photos(built, open_source(photos), model).unchanged == 12
    assert counting.embedded == 3


def test_what_was_removed_stays_out_under_another_name(
    built: Path, photos: Path, model: Model, counting: Counting
) -> None:
    remove_places(built, ["p01.jpg", "p02.jpg"])
    compact_index(built)
    (photos / "p01.jpg").rename(photos / "more" / "named.jpg")
    shutil.copy(photos / "p02.jpg", photos / "copy.jpg")
    for _ in range(2):
        report = sync_photos(built, open_source(photos), model)
        assert (report.added, report.removed, report.forgotten, report.unchanged) == (0, 0, 3, 9)
    (photos / "more" / "named.jpg").rename(photos / "again.jpg")
    assert sync_photos(built, open_source(photos), model).forgotten == 3
    # A copy of what is there is no photo that was removed.
    shutil.copy(photos / "p03.jpg", photos / "twin.jpg")
    assert sync_photos(built, open_source(photos), model).added == 1
    remove_places(built, ["twin.jpg"])
    (photos / "twin.jpg").rename(photos / "sister.jpg")
    assert sync_photos(built, open_source(photos), model).added == 1
    report = sync_photos(built, open_source(photos), model, forget=True)
    assert (report.added, report.forgotten) == (3, 0)
    assert not {"p01.jpg", "p02.jpg"} & set(open_index(built).manifest.forgotten)
    (photos / "again.jpg").rename(photos / "once-more.jpg")
    assert sync_photos(built, open_source(photos), model).forgotten == 0


def test_a_restored_place_is_not_removed_by_its_other_name(
    built: Path, photos: Path, model: Model
) -> None:
    (place,) = open_index(built).places_of(["p01.jpg"])
    remove_places(built, [place.place_id], compact=False)
    (photos / "p01.jpg").rename(photos / "named.jpg")
    assert sync_photos(built, open_source(photos), model).forgotten == 1
    assert restore_places(built, [place.place_id]).added == 1
    report = sync_photos(built, open_source(photos), model)
    assert (report.added, report.removed, report.forgotten) == (1, 1, 0)
    assert "named.jpg" in names(whole(built)).values()


def test_what_was_noted_by_path_alone_stays_out(
    built: Path, photos: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_places(built, ["p01.jpg"])
    to_json = Manifest.to_json
    monkeypatch.setattr(
        Manifest, "to_json", lambda manifest: {**to_json(manifest), "forgotten": ["p01.jpg"]}
    )
    open_index(built).manifest.write(built)
    monkeypatch.undo()
    for name in ("p01.jpg", "named.jpg"):
        assert sync_photos(built, open_source(photos), model).forgotten == 1
        (photos / name).rename(photos / "named.jpg")


def test_a_moved_folder_leaves_out_what_was_removed_too(
    built: Path, photos: Path, model: Model
) -> None:
    remove_places(built, ["more/p08.jpg"])
    moved = photos.rename(photos.with_name("moved"))
    assert sync_photos(built, open_source(moved), model).forgotten == 1
