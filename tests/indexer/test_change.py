"""Adding, syncing, removing and compacting: what stays, what goes, and what readers see."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest

from place_search.indexer import (
    ChangeReport,
    Index,
    IndexFormatError,
    IndexWriteError,
    ModelMismatchError,
    UnknownPlaceError,
    add_photos,
    build_index,
    compact_index,
    open_index,
    open_source,
    remove_places,
    sync_photos,
)
from place_search.indexer.changes.duplicates import Duplicate
from place_search.indexer.storage.manifest import current_index_id, signed
from place_search.models import Model

Render = Callable[..., Path]


@pytest.fixture
def built(photos: Path, tmp_path: Path, model: Model) -> Path:
    """An index of the eleven photos, in three shards."""
    build_index(open_source(photos), tmp_path / "index", model, photos_per_shard=4)
    return tmp_path / "index"


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


def whole(folder: Path) -> Index:
    """Open an index and make sure that everything in it fits together."""
    index = open_index(folder)
    rows = np.concatenate(list(index.descriptors().chunks(3)))
    assert len(rows) == index.count == index.manifest.places == len(list(index.places()))
    for at, (place, row) in enumerate(zip(index.places(), rows, strict=True)):
        hits = index.search(row, index.count + 5)
        assert len(hits) == index.count
        assert {hit.place_id for hit in hits} == set(index.place_ids.tolist())
        best = [hit for hit in hits if hit.similarity > hits[0].similarity - 1e-5]
        assert place.place_id in [hit.place_id for hit in best]
        assert index.row_of(place.place_id) == at
        assert index.thumbnail(place.place_id)[:2] == b"\xff\xd8"
        assert index.codes(place.place_id)[0].size
    with h5py.File(folder / "descriptors.h5") as joined:
        live = ~joined["removed"][()].astype(bool)
        np.testing.assert_array_equal(joined["place_id"][()][live], index.place_ids)
        np.testing.assert_array_equal(joined["descriptors"][()][live], rows)
    assert sorted(index.manifest.files) == sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", ".lock")
    )
    return index


def names(index: Index) -> dict[int, str]:
    return {place.place_id: place.name for place in index.places()}


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
        assert (hit.place_id, round(hit.similarity, 5)) == (place.place_id, 1)
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
    left = {0: "more/p08.jpg", 1: "more/p09.jpg", 2: "more/p10.jpg", 3: "p00.jpg"}
    left |= {6: "p03.jpg", 9: "p06.jpg", 10: "p07.jpg"}
    assert names(index) == left | {11: "new.jpg", 12: "p02.jpg", 14: "renamed.jpg"}
    again = sync_photos(built, open_source(photos), model)
    assert (again.added, again.changed, again.removed, again.unchanged) == (0, 0, 0, 10)
    assert again.index_id == report.index_id


def test_ids_are_never_used_again(built: Path, photos: Path, model: Model, render: Render) -> None:
    remove_places(built, [10, 9])
    compact_index(built)
    add_photos(built, open_source(photos), model)
    assert sorted(names(whole(built))) == [*range(9), 11, 12]
    for unknown in (13, -1):
        with pytest.raises(UnknownPlaceError, match=f"There never was a place {unknown}"):
            remove_places(built, [unknown])


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


def test_removing_by_name_and_id(built: Path) -> None:
    before = whole(built)
    report = remove_places(built, [0, "p07.jpg"])
    index = whole(built)
    assert (report.removed, report.places, index.manifest.removed) == (2, 9, 2)
    assert set(names(before)) - set(names(index)) == {0, 10}
    assert before.count == 11
    assert before.thumbnail(0)
    for call in (index.place, index.thumbnail, index.codes):
        with pytest.raises(UnknownPlaceError):
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
    assert report.index_id == current_index_id(built)


def test_a_running_reader_can_notice_a_new_version(built: Path) -> None:
    index = open_index(built)
    assert current_index_id(built) == index.index_id
    remove_places(built, [1])
    assert current_index_id(built) == open_index(built).index_id != index.index_id
    shutil.rmtree(built)
    with pytest.raises(IndexFormatError, match="does not exist"):
        current_index_id(built)


def test_the_store_takes_up_changes_past_a_threshold(
    built: Path, photos: Path, model: Model, render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    faiss = (built / "index.faiss").read_bytes()
    render(photos / "x.jpg", 50)
    add_photos(built, open_source(photos), model)
    assert (built / "index.faiss").read_bytes() == faiss
    monkeypatch.setattr("place_search.indexer.stores.store_files.LATE_BYTES", 0)
    remove_places(built, [0])
    index = whole(built)
    assert (index.store_card.count, index.store_card.max_place_id) == (11, 11)
    assert (built / "index.faiss").read_bytes() != faiss


def test_another_model_cannot_add(built: Path, photos: Path, blocks: ModuleType) -> None:
    for change in (add_photos, sync_photos):
        with pytest.raises(ModelMismatchError, match=r"made with model 'blocks-0' .* 'blocks-1'"):
            change(built, open_source(photos), blocks.block_model(weights="1"))


def test_an_older_format_is_read_but_not_changed(built: Path, photos: Path, model: Model) -> None:
    table = json.loads((built / "manifest.json").read_text())
    del table["sha256"], table["shards"], table["counts"]["removed"]
    table["format_version"] = 1
    table["store"] = {"kind": "flat", "dims": 96, "candidates": 200}
    (built / "manifest.json").write_text(json.dumps(table, indent=1))
    assert open_index(built).count == 11
    with pytest.raises(IndexFormatError, match="made by an older place-search and cannot be ch"):
        remove_places(built, [1])
    build_index(open_source(photos), built, model)
    assert whole(built).manifest.format_version == 2


def test_what_is_no_index_is_left_alone(tmp_path: Path, photos: Path, model: Model) -> None:
    for folder in (tmp_path / "nowhere", photos):
        changes: list[Callable[[], ChangeReport]] = [
            lambda folder=folder: add_photos(folder, open_source(photos), model),  # type: ignore[misc]
            lambda folder=folder: remove_places(folder, [1]),  # type: ignore[misc]
            lambda folder=folder: compact_index(folder),  # type: ignore[misc]
        ]
        for change in changes:
            with pytest.raises(IndexFormatError, match="make one with `place-search index"):
                change()
    assert not (photos / ".lock").exists()
    assert not (tmp_path / "nowhere").exists()


def test_a_read_only_index_stays_as_it_is(unprivileged: Path, model: Model, render: Render) -> None:
    for number in range(3):
        render(unprivileged / "photos" / f"{number}.jpg", number)
    out = unprivileged / "index"
    build_index(open_source(unprivileged / "photos"), out, model)
    before = open_index(out).index_id
    for folder in (out / "descriptors", out / "thumbnails", out):
        folder.chmod(0o500)
    with pytest.raises(IndexWriteError, match="may not be written; change its permissions"):
        remove_places(out, [1])
    assert open_index(out).index_id == before
    for folder in (out, out / "descriptors", out / "thumbnails"):
        folder.chmod(0o700)


def test_damage_is_not_copied_into_a_new_shard(built: Path) -> None:
    shard = built / "descriptors" / "00001.h5"
    with h5py.File(shard) as file:
        offset = file["descriptors"].id.get_offset()
    content = bytearray(shard.read_bytes())
    content[offset] ^= 1
    shard.write_bytes(content)
    remove_places(built, [5])
    with pytest.raises(IndexFormatError, match=r"00001.h5 is damaged; run `place-search verify"):
        compact_index(built)
    assert open_index(built).count == 10


@pytest.mark.parametrize("limit", [1_500, 9_000])
@pytest.mark.parametrize("change", ["add", "remove"])
def test_a_full_disk_leaves_the_index_as_it_was(
    built: Path, photos: Path, blocks: ModuleType, render: Render, change: str, limit: int
) -> None:
    """A limit on the size of files stands in for a full disk: the system refuses in mid-file."""
    for number in range(4):
        render(photos / f"z{number}.jpg", 60 + number)
    before = whole(built).index_id
    command = [sys.executable, str(blocks.__file__), str(photos), str(built)]
    options = [f"--change={change}", f"--limit={limit}"]

    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"IndexWriteError: {built} is on a full disk; free some space" in done.stderr
    assert open_index(built).index_id == before
    subprocess.run([*command, options[0]], check=True, capture_output=True)
    assert whole(built).index_id != before


def test_photos_that_vanish_while_they_are_added(
    built: Path, photos: Path, model: Model, render: Render
) -> None:
    render(photos / "gone.jpg", 70)
    shutil.copy(photos / "p00.jpg", photos / "twin.jpg")
    source = open_source(photos)

    def vanish(stage: str, done: int, total: int) -> None:
        for name in ("gone.jpg", "twin.jpg"):
            (photos / name).unlink(missing_ok=True)

    report = add_photos(built, source, model, progress=vanish)
    assert [tuple(skipped) for skipped in report.skipped] == [
        ("gone.jpg", "it does not exist any more"),
        ("twin.jpg", "it does not exist any more"),
    ]
    assert (report.added, whole(built).count) == (0, 11)


def test_paths_of_all_kinds(tmp_path: Path, model: Model, render: Render) -> None:
    deep = tmp_path / "photos" / "/".join(["läng " * 10] * 5)
    render(deep / "湖 1.jpg", 1)
    render(tmp_path / "photos" / "plain.jpg", 2)
    (tmp_path / "photos" / "loop").symlink_to(tmp_path / "photos", target_is_directory=True)
    (tmp_path / "photos" / "self.jpg").symlink_to("self.jpg")
    out = tmp_path / "an index"
    build_index(open_source(tmp_path / "photos"), out, model)
    report = sync_photos(out, open_source(tmp_path / "photos"), model)
    index = whole(out)
    assert len(str(next(iter(index.places())).path)) > 300
    assert (report.unchanged, report.removed, index.count) == (2, 0, 2)
    assert [skipped.name for skipped in report.skipped] == ["self.jpg"]
    assert remove_places(out, ["plain.jpg"]).places == 1


def test_a_torn_or_foreign_manifest_is_refused(built: Path, photos: Path, model: Model) -> None:
    content = (built / "manifest.json").read_bytes()
    for damaged in (b"", content[:-1], content[: len(content) // 2], b'{"name": "an app"}'):
        (built / "manifest.json").write_bytes(damaged)
        with pytest.raises(IndexFormatError, match=r"is damaged|holds no place-search index"):
            remove_places(built, [1])
        with pytest.raises(IndexFormatError, match=r"is damaged|holds no place-search index"):
            sync_photos(built, open_source(photos), model)
    table = json.loads(content)
    del table["sha256"]
    (built / "manifest.json").write_bytes(signed({**table, "format_version": 3}))
    with pytest.raises(IndexFormatError, match="made by a newer place-search"):
        compact_index(built)
