"""Whole builds: what they give, what they refuse, and what an interruption leaves."""

import fcntl
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from place_search.core.files import sha256_of
from place_search.indexer import (
    Index,
    IndexBusyError,
    IndexFormatError,
    IndexWriteError,
    Skipped,
    SourceError,
    add_photos,
    build_index,
    open_index,
    open_source,
    remove_places,
)
from place_search.indexer.sources.photo_list import PhotoList
from place_search.indexer.storage.descriptor_codes import decode
from place_search.indexer.storage.plan import Plan, shard_photos, split_ids
from place_search.models import Model


def test_folders_may_be_named_by_text(photos: Path, tmp_path: Path, model: Model) -> None:
    """Types say paths; programs of others give what they have."""
    folder: Any = f"{tmp_path}/index"
    named: Any = str(photos)
    build_index(open_source(named), folder, model)
    before = len(open_index(folder))
    remove_places(folder, [0])
    assert len(open_index(folder)) == before - 1
    add_photos(folder, open_source(named), model)
    assert len(open_index(folder)) == before


def test_a_folder_becomes_an_index(photos: Path, tmp_path: Path, model: Model) -> None:
    seen: list[tuple[str, int, int]] = []

    report = build_index(
        open_source(photos),
        tmp_path / "new" / "index",
        model,
        progress=lambda *step: seen.append(step),
        photos_per_shard=4,
    )

    index = open_index(tmp_path / "new" / "index")
    names = [photo.name for photo in open_source(photos).photos]
    assert [place.name for place in index.places()] == names
    assert (report.places, report.skipped, report.reused) == (11, [], 0)
    assert report.index_id == index.index_id
    assert seen == [
        *(("Describing", count, 11) for count in range(12)),
        ("Indexing", 0, 11),
        ("Indexing", 11, 11),
    ]
    assert {"decode", "thumbnail", "write", "index", "total"} <= set(report.seconds)
    for name, stamp in index.manifest.files.items():
        assert sha256_of(index.folder / name) == stamp.sha256
    assert sorted(index.manifest.files) == sorted(
        path.relative_to(index.folder).as_posix()
        for path in index.folder.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", ".lock")
    )
    manifest = json.loads((index.folder / "manifest.json").read_text())
    assert manifest["format_version"] == 3
    assert manifest["counts"] == {"places": 11, "removed": 0, "skipped": 0}
    assert manifest["model"]["preprocessing"]["resize"] == "area"
    assert manifest["source"] == {"root": str(photos), "kind": "folder"}
    for place_id, place in enumerate(index.places()):
        embedding = model.embed(model.read(place.path))
        assert place.place_id == place_id
        hit = index.search(embedding.descriptor, 1)[0]
        assert hit.place_id == place_id
        assert hit.similarity == pytest.approx(1, abs=1e-4)


def test_the_joined_dataset_is_the_index(photos: Path, tmp_path: Path, model: Model) -> None:
    build_index(open_source(photos), tmp_path / "index", model, photos_per_shard=4)
    index = open_index(tmp_path / "index")

    with h5py.File(tmp_path / "index" / "descriptors.h5", "r") as joined:
        np.testing.assert_array_equal(
            decode(joined["descriptors"][()]), np.concatenate(list(index.descriptors().chunks()))
        )
        for row, place in enumerate(index.places()):
            codes, (height, width) = index.codes(place.place_id)
            assert joined["name"].asstr()[row] == place.name
            np.testing.assert_array_equal(joined["cells"][row, : height * width], codes)
            assert joined["grid"][row].tolist() == [height, width]


def test_bad_photos_are_skipped_and_leave_a_gap(photos: Path, tmp_path: Path, model: Model) -> None:
    (photos / "p03.jpg").write_bytes((photos / "p03.jpg").read_bytes()[:300])
    source = open_source(photos)
    (photos / "p00.jpg").unlink()  # after it was listed

    report = build_index(source, tmp_path / "index", model, photos_per_shard=2)

    names = [photo.name for photo in source.photos]
    index = open_index(tmp_path / "index")
    assert [skipped.name for skipped in report.skipped] == ["p00.jpg", "p03.jpg"]
    assert list(index.manifest.skipped) == report.skipped
    assert report.skipped[0] == Skipped("p00.jpg", "it does not exist any more")
    assert index.count == report.places == 9
    for place in index.places():
        assert names[place.place_id] == place.name


def test_a_shard_without_any_photo_leaves_no_file(
    photos: Path, tmp_path: Path, model: Model
) -> None:
    for name in ("p01.jpg", "p02.jpg"):
        (photos / name).write_bytes(b"")

    build_index(open_source(photos), tmp_path / "index", model, photos_per_shard=2)

    index = open_index(tmp_path / "index")
    numbers = [name for name in index.manifest.files if name.startswith("descriptors/")]
    assert len(numbers) == 5
    assert index.count == 9


def test_nothing_readable_gives_no_index(photos: Path, tmp_path: Path, model: Model) -> None:
    for photo in photos.rglob("*.jpg"):
        photo.write_bytes(b"no photo")

    with pytest.raises(SourceError, match=r"None of the 11 photos .* can be read: more/p08\.jpg"):
        build_index(open_source(photos), tmp_path / "index", model)
    with pytest.raises(IndexFormatError, match="does not exist"):
        open_index(tmp_path / "index")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.jpg").write_bytes(b"no photo")
    says = r"^The only photo in .* cannot be read: a\.jpg: .* AVIF or HEIF\.$"
    with pytest.raises(SourceError, match=says):
        build_index(open_source(tmp_path / "one"), tmp_path / "other", model)


def test_a_csv_with_names_and_positions(photos: Path, tmp_path: Path, model: Model) -> None:
    listed = "path,latitude,longitude,name\np01.jpg,47.5,8.5,Mühle\nmore/../p02.jpg,,,\n"
    (photos / "list.csv").write_text(listed, "utf-8")

    build_index(open_source(photos / "list.csv"), tmp_path / "index", model)

    mill, other = open_index(tmp_path / "index").places()
    assert (mill.name, mill.path, mill.position) == ("Mühle", photos / "p01.jpg", (47.5, 8.5))
    assert mill.utm is not None
    assert mill.utm.zone == "32T"
    assert (other.path.resolve(), other.position) == (photos / "p02.jpg", None)


@given(st.integers(0, 100), st.integers(1, 20), st.integers(0, 5))
def test_plans_cut_photos_in_order(count: int, size: int, first: int) -> None:
    photos = PhotoList(Path("/photos"))
    for number in range(count):
        photos.append(f"{number}.jpg")
    plan = Plan(first, split_ids(range(count), size), photos)
    shards = list(plan)

    entries = [entry for shard in shards for entry in shard.entries]
    assert [entry.photo for entry in entries] == list(photos)
    assert [entry.place_id for entry in entries] == list(range(count))
    assert [shard.number for shard in shards] == list(range(first, first + len(plan)))
    assert plan.places == count
    for shard in shards:
        assert 0 < len(shard.entries) <= size


def test_shards_are_few_and_fit_memory() -> None:
    assert shard_photos(600, 7168) == 512
    assert shard_photos(1_000_000, 512) == 3907
    assert shard_photos(50_000_000, 512) == 16384
    assert shard_photos(1_000_000, 7168) * 7168 * 4 <= 64 << 20


def test_folders_that_are_not_an_index_are_left_alone(
    photos: Path, tmp_path: Path, model: Model
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "thesis.txt").write_text("precious")
    (tmp_path / "file").touch()
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "manifest.json").write_text('{"name": "an app"}')
    source = open_source(photos)

    with pytest.raises(IndexWriteError, match=r"neither empty nor an index \(it holds 'thes"):
        build_index(source, tmp_path / "docs", model)
    with pytest.raises(IndexWriteError, match="is a file; name a folder"):
        build_index(source, tmp_path / "file", model)
    with pytest.raises(IndexFormatError, match="holds no place-search index"):
        build_index(source, tmp_path / "app", model)
    with pytest.raises(IndexWriteError, match=r"cannot be written \(Not a directory"):
        build_index(source, tmp_path / "file" / "index", model)
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["thesis.txt"]
    assert sorted(path.name for path in (tmp_path / "app").iterdir()) == ["manifest.json"]


def test_a_rebuild_deletes_only_its_own(photos: Path, tmp_path: Path, model: Model) -> None:
    out = tmp_path / "index"
    build_index(open_source(photos), out, model)
    (out / "notes.txt").write_text("keep")
    (out / "thumbnails" / "notes.txt").write_text("keep")

    build_index(open_source(photos), out, model)

    assert (out / "notes.txt").exists()
    assert (out / "thumbnails" / "notes.txt").exists()
    assert [path.name for path in (out / "descriptors").iterdir()] == ["00001.h5"]


def _everything(index: Index) -> list[object]:
    rows = np.concatenate(list(index.descriptors().chunks()))
    return [
        (place, index.thumbnail(i), index.codes(i)[0].tobytes(), index.search(row, 3))
        for i, place, row in zip(index.place_ids, index.places(), rows, strict=True)
    ]


def test_an_open_index_outlives_its_replacement(photos: Path, tmp_path: Path, model: Model) -> None:
    out = tmp_path / "index"
    build_index(open_source(photos), out, model, photos_per_shard=4)
    old = open_index(out)
    expected = _everything(old)
    (photos / "p00.jpg").unlink()

    report = build_index(open_source(photos), out, model, photos_per_shard=4)

    new = open_index(out)
    assert new.index_id == report.index_id != old.index_id
    assert (old.count, new.count) == (11, 10)
    assert _everything(old) == expected


def test_the_id_is_that_of_the_content(
    photos: Path, tmp_path: Path, model: Model, blocks: ModuleType
) -> None:
    source = open_source(photos)
    first = build_index(source, tmp_path / "1", model).index_id
    photos.rename(tmp_path / "moved")
    moved = open_source(tmp_path / "moved")

    assert build_index(moved, tmp_path / "2", model).index_id == first
    assert build_index(moved, tmp_path / "2", model).index_id == first
    other = blocks.block_model(weights="1")
    assert build_index(moved, tmp_path / "3", other).index_id != first


def test_one_writer_at_a_time(photos: Path, tmp_path: Path, model: Model) -> None:
    out = tmp_path / "index"
    build_index(open_source(photos), out, model)
    with (out / ".lock").open("r+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(IndexBusyError, match=r"is being written by process \d+; wait"):
            build_index(open_source(photos), out, model)
    assert open_index(out).count == 11


def test_a_folder_that_may_not_be_written(unprivileged: Path, model: Model) -> None:
    Image.new("RGB", (64, 64), "red").save(unprivileged / "a.jpg")
    (unprivileged / "locked").mkdir(mode=0o500)
    for out in (unprivileged / "locked", unprivileged / "locked" / "index"):
        with pytest.raises(IndexWriteError, match="may not be written; change its permissions"):
            build_index(open_source(unprivileged), out, model)


def test_a_name_that_leaves_no_room_for_the_folders_beside_is_refused_at_once(
    photos: Path, tmp_path: Path, model: Model
) -> None:
    done: list[int] = []
    out = tmp_path / ("z" * 249)
    with pytest.raises(IndexWriteError, match="z has too long a name; choose a shorter one, then"):
        build_index(open_source(photos), out, model, progress=lambda _, now, __: done.append(now))
    assert not done
    assert not out.exists()
    build_index(open_source(photos), tmp_path / ("z" * 248), model)


@pytest.mark.parametrize("limit", [2_000, 6_000, 12_000])
def test_a_full_disk_leaves_the_old_index(
    photos: Path, tmp_path: Path, model: Model, blocks: ModuleType, limit: int
) -> None:
    """A limit on the size of files stands in for a full disk: the system refuses in mid-file."""
    out = tmp_path / "index"
    build_index(open_source(photos / "more"), out, model)
    before = open_index(out).index_id

    command = [sys.executable, str(blocks.__file__), str(photos), str(out), f"--limit={limit}"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)

    assert process.returncode == 1
    assert f"IndexWriteError: {out} is on a full disk; free some space, then" in process.stderr
    assert "Traceback" not in process.stderr
    assert open_index(out).index_id == before
    build_index(open_source(photos), out, model, photos_per_shard=4)
    assert open_index(out).count == 11
    assert not list(out.rglob("*.part"))
