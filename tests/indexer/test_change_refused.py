"""Changes of an index that are refused, or go wrong half-way: it stays as it was."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import h5py
import pytest

from place_search.core.files import write_whole
from place_search.indexer import (
    ChangeReport,
    IndexFormatError,
    IndexWriteError,
    ModelMismatchError,
    SourceError,
    add_photos,
    build_index,
    compact_index,
    open_index,
    open_source,
    remove_places,
    sync_photos,
)
from place_search.indexer.changes.version_builder import VersionBuilder
from place_search.indexer.storage.manifest import with_checksum
from place_search.models import Model
from tests.indexer.conftest import Render
from tests.indexer.whole import whole
from tests.processes import unmeasured


def test_another_model_cannot_add(built: Path, photos: Path, blocks: ModuleType) -> None:
    for change in (add_photos, sync_photos):
        with pytest.raises(ModelMismatchError, match=r"made with model 'blocks-0' .* 'blocks-1'"):
            change(built, open_source(photos), blocks.block_model(weights="1"))


def test_an_older_format_is_read_but_not_changed(built: Path, photos: Path, model: Model) -> None:
    table = json.loads((built / "manifest.json").read_text())
    del table["sha256"], table["shards"], table["counts"]["removed"]
    table["format_version"] = 1
    table["store"] = {"kind": "flat", "dims": 96, "candidates": 200}
    table["files"]["index.faiss"] = asdict(write_whole(built / "index.faiss", b"a copy"))
    (built / "manifest.json").write_text(json.dumps(table, indent=1))
    assert open_index(built).count == 11
    with pytest.raises(IndexFormatError, match="made by an older place-search and cannot be ch"):
        remove_places(built, [1])
    build_index(open_source(photos), built, model)
    assert whole(built).manifest.format_version == 3


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
        offset = file["cells"].id.get_offset()
    content = bytearray(shard.read_bytes())
    content[offset] ^= 1
    shard.write_bytes(content)
    remove_places(built, [5])
    with pytest.raises(IndexFormatError, match=r"00001.h5 is damaged; run `place-search verify"):
        compact_index(built)
    assert open_index(built).count == 10


def test_a_drive_that_keeps_open_files_fails_no_change(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some drives refuse to delete a file that a server has open."""
    unlink, old = Path.unlink, set(built.glob("*/*.h5"))

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path in old:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    remove_places(built, [0], compact=False)
    assert compact_index(built).compacted
    monkeypatch.undo()

    assert all(path.exists() for path in old)
    assert not compact_index(built).compacted
    whole(built)
    assert not any(path.exists() for path in old)


def test_a_change_is_made_though_there_is_no_room_to_compact(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(builder: VersionBuilder, *_: object) -> None:
        (builder.folder / "descriptors" / "00099.h5").write_bytes(b"a part")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(VersionBuilder, "_write_shard", fill)
        report = remove_places(built, range(6))
    assert (report.removed, report.compacted) == (6, False)
    assert whole(built).count == 5
    assert not [*built.glob("building.jsonl"), *built.glob("descriptors/00099.h5")]
    assert remove_places(built, [6]).compacted


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

    process = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, env=unmeasured()
    )

    assert process.returncode == 1
    assert f"IndexWriteError: {built} is on a full disk; free some space" in process.stderr
    assert open_index(built).index_id == before
    subprocess.run([*command, options[0]], check=True, capture_output=True, env=unmeasured())
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


@pytest.mark.parametrize("moved", [False, True])
def test_a_disk_that_is_not_mounted_loses_no_places(
    built: Path, photos: Path, model: Model, moved: bool
) -> None:
    (photos / "notes").symlink_to("/nowhere")  # no place lies there
    assert sync_photos(built, open_source(photos), model).removed == 0
    shutil.rmtree(photos / "more")
    (photos / "more").symlink_to("/nowhere/more")
    if moved:
        photos = photos.rename(photos.with_name("elsewhere"))
    before = open_index(built).index_id
    with pytest.raises(SourceError, match="more would lose its places: the link leads nowhere"):
        sync_photos(built, open_source(photos), model)
    assert open_index(built).index_id == before
    (photos / "more").unlink()
    assert sync_photos(built, open_source(photos), model).removed == 3


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
    (built / "manifest.json").write_bytes(with_checksum({**table, "format_version": 4}))
    with pytest.raises(IndexFormatError, match="made by a newer place-search"):
        compact_index(built)


def test_a_store_whose_package_is_gone_can_be_replaced(built: Path) -> None:
    compact_index(built, store="rabitq")
    table = json.loads((built / "manifest.json").read_text("utf-8"))
    del table["sha256"]
    table["store"]["kind"] = "tree"
    table["files"]["index.tree"] = table["files"].pop("index.faiss")
    (built / "index.faiss").rename(built / "index.tree")
    (built / "manifest.json").write_bytes(with_checksum(table))
    for change in (open_index, compact_index):
        with pytest.raises(
            IndexFormatError, match=r"'tree' .* `place-search compact INDEX --store"
        ):
            change(built)
    assert compact_index(built, store="auto").places == 11
    assert whole(built).store_card.kind == "exact"
    assert not (built / "index.tree").exists()
