"""Builds that are killed leave the old index or the new one, and go on where they were."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from place_search.core.files import FileStamp, write_whole
from place_search.indexer import (
    IndexFormatError,
    IndexWriteError,
    add_photos,
    build_index,
    open_index,
    open_source,
    read_manifest,
    remove_places,
    sync_photos,
)
from place_search.indexer.storage import plan
from place_search.models import Model
from tests.indexer.conftest import Render
from tests.processes import unmeasured


def _run(blocks: ModuleType, *arguments: object) -> Any:
    command = [sys.executable, str(blocks.__file__), *map(str, arguments)]
    # Many short builds, each of which would start a thread for every core.
    env = {**unmeasured(), "OMP_NUM_THREADS": "1"}
    process = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_killed_before_each_step_of_a_first_build(
    photos: Path, tmp_path: Path, blocks: ModuleType
) -> None:
    report = json.loads(_run(blocks, photos, tmp_path / "out", "--crash-everywhere"))

    # Three shards and their thumbnails, four lines of the journal, …: the whole way was walked.
    assert len(report["seen"]) > 20
    assert set(report["seen"]) == {None, report["new"]}
    # Once there is an index, it stays.
    assert report["seen"] == sorted(report["seen"], key=lambda seen: seen is not None)
    assert report["unequal"] == []


def test_killed_before_each_step_of_a_rebuild(
    photos: Path, tmp_path: Path, blocks: ModuleType
) -> None:
    old = f"--old={photos / 'more'}"
    options = ("--crash-everywhere", old, "--exact-bytes=0")
    report = json.loads(_run(blocks, photos, tmp_path / "out", *options))

    assert set(report["seen"]) == {report["old"], report["new"]}
    assert report["seen"] == sorted(report["seen"], key=lambda seen: seen == report["new"])
    assert Counter(report["seen"])[report["new"]] > 3
    assert report["unequal"] == []


def test_killed_before_each_step_of_a_rebuild_that_changes_nothing(
    photos: Path, tmp_path: Path, blocks: ModuleType
) -> None:
    photos = photos / "more"
    out = tmp_path / "out"
    report = json.loads(_run(blocks, photos, out, "--crash-everywhere", f"--old={photos}"))

    assert set(report["seen"]) == {report["old"]} == {report["new"]}
    assert report["unequal"] == []


@pytest.mark.parametrize("change", ["add", "remove", "migrate"])
def test_killed_before_each_step_of_a_change(
    photos: Path, tmp_path: Path, blocks: ModuleType, change: str
) -> None:
    old = [f"--old={photos / 'more'}"] if change == "add" else []
    options = ("--crash-everywhere", f"--change={change}", *old, "--exact-bytes=0")
    report = json.loads(_run(blocks, photos, tmp_path / "out", *options))

    states = list(dict.fromkeys(report["seen"]))
    # What is removed is much: a compaction follows, a version of its own.
    assert (states[0], states[-1]) == (report["old"], report["new"])
    assert len(states) == (3 if change == "remove" else 2)
    assert report["seen"] == sorted(report["seen"], key=states.index)
    assert report["unequal"] == []


def test_killed_before_each_step_of_a_sync_that_gives_on_what_was_said(
    photos: Path, tmp_path: Path, blocks: ModuleType, render: Render
) -> None:
    """Edits and groups are those of the old version or of the new one, too."""
    old = shutil.copytree(photos, tmp_path / "old")
    render(photos / "p01.jpg", 51)
    (photos / "p02.jpg").rename(photos / "renamed.jpg")
    options = ("--crash-everywhere", "--change=sync", f"--old={old}", "--per-shard=11")
    report = json.loads(_run(blocks, photos, tmp_path / "out", *options))
    assert list(dict.fromkeys(report["seen"])) == [report["old"], report["new"]]
    assert report["unequal"] == []
    index = open_index(tmp_path / "out" / "whole")
    notes = {place.path.name: place.note for place in index.places()}
    # Another photo of the same name, in another folder, gets nothing of what was said.
    assert (notes["p01.jpg"], notes["renamed.jpg"]) == ("", "of place 5")
    members = [index.place(int(place)).path.name for place in index.groups.members(3)]
    assert members == ["p00.jpg", "renamed.jpg"]


@pytest.mark.parametrize(
    ("change", "kills"), [("index", 15), ("add", 15), ("remove", 10), ("compact", 10)]
)
def test_fifty_kills_at_random_moments(
    photos: Path, tmp_path: Path, blocks: ModuleType, change: str, kills: int
) -> None:
    """None is lost and none is mixed: every reader sees the old index or the new one."""
    old = [f"--old={photos / 'more'}"] if change == "add" else []
    options = (f"--kills={kills}", f"--change={change}", *old, "--seconds=0.005")
    report = json.loads(_run(blocks, photos, tmp_path / "out", *options))

    assert len(report["seen"]) >= kills
    # Removing much is two versions, one after the other.
    assert len({report["old"], report["new"], *report["seen"]}) <= (3 if change == "remove" else 2)
    assert report["unequal"] == 0


@pytest.mark.parametrize(
    "moment", ["Describing 1 ", "Describing 7 ", "Describing 11 ", "Indexing 0 "]
)
def test_killed_from_outside(photos: Path, tmp_path: Path, blocks: ModuleType, moment: str) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    command = [sys.executable, str(blocks.__file__), str(photos), str(out), "--seconds=0.02"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=unmeasured()) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(moment):
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(IndexFormatError, match="was never finished; run the same"):
        open_index(out)

    output = _run(blocks, photos, out)
    _run(blocks, photos, whole)

    assert blocks.content(out) == blocks.content(whole)
    first = int(output.split()[1])
    assert first == {"Describing 1 ": 0, "Describing 7 ": 4}.get(moment, first)


def test_a_change_that_comes_to_nothing_tidies_up_after_a_killed_one(
    photos: Path, tmp_path: Path, model: Model
) -> None:
    out = tmp_path / "out"
    build_index(open_source(photos / "more"), out, model)

    def stop(stage: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_photos(out, open_source(photos), model, progress=stop)
    (out / "manifest.json.part").write_bytes(b"half")
    (out / "descriptors" / "00001.h5.part").write_bytes(b"half")
    (out / "descriptors" / "00001.h5").write_bytes(b"of a shard")
    assert (out / "building.jsonl").exists()

    assert sync_photos(out, open_source(photos / "more"), model).unchanged == 3

    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {"manifest.json", ".lock", *read_manifest(out).files}


def test_what_a_killed_change_has_left_makes_room_for_another(
    photos: Path, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    build_index(open_source(photos / "more"), out, model)
    left = out / "descriptors" / "00001.h5"
    left.write_bytes(b"of a shard that fills the disk")

    def write(path: Path, content: bytes) -> FileStamp:
        if left.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_whole(path, content)

    monkeypatch.setattr(plan, "write_whole", write)
    assert remove_places(out, [0]).removed == 1


def test_unfinished_files_of_others_are_left_alone(
    photos: Path, tmp_path: Path, model: Model
) -> None:
    out = tmp_path / "downloads"
    out.mkdir()
    (out / "film.mkv.part").write_bytes(b"half of a film")
    with pytest.raises(IndexWriteError, match=r"it holds 'film\.mkv\.part'"):
        build_index(open_source(photos / "more"), out, model)
    (out / "film.mkv.part").rename(tmp_path / "film.mkv.part")
    build_index(open_source(photos / "more"), out, model)
    (tmp_path / "film.mkv.part").rename(out / "film.mkv.part")
    (out / "descriptors" / "notes.part").write_bytes(b"half of a note")
    remove_places(out, [0])
    assert (out / "film.mkv.part").read_bytes() == b"half of a film"
    assert (out / "descriptors" / "notes.part").read_bytes() == b"half of a note"


def _interrupted(photos: Path, out: Path, model: Model) -> None:
    """Leave a build behind whose first two shards, of four photos, are done."""

    def stop(stage: str, done: int, total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(open_source(photos), out, model, progress=stop, photos_per_shard=4)


def test_only_whole_shards_of_the_same_photos_are_reused(
    photos: Path, tmp_path: Path, model: Model, blocks: ModuleType
) -> None:
    out = tmp_path / "out"
    source = open_source(photos)
    _interrupted(photos, out, model)
    shutil.copytree(out, tmp_path / "saved")

    def again(change: str) -> int:
        report = build_index(open_source(photos), out, model, photos_per_shard=4)
        build_index(open_source(photos), tmp_path / change, model, photos_per_shard=4)
        assert blocks.content(out) == blocks.content(tmp_path / change)
        shutil.rmtree(out)
        shutil.copytree(tmp_path / "saved", out)
        return report.reused

    assert again("nothing") == 8

    shard = out / "descriptors" / "00000.h5"
    flipped = bytearray(shard.read_bytes())
    flipped[-1] ^= 1
    shard.write_bytes(flipped)
    assert again("a flipped bit") == 4

    (out / "thumbnails" / "00001.h5").unlink()
    assert again("a lost file") == 4

    with (out / "building.jsonl").open("a") as journal:
        journal.write('{"number": 2, "inputs"')
    assert again("a torn line") == 8

    (out / "building.jsonl").write_text("")
    assert again("an empty journal") == 0

    other = blocks.block_model(weights="1")
    assert build_index(source, out, other, photos_per_shard=4).reused == 0
    shutil.rmtree(out)
    shutil.copytree(tmp_path / "saved", out)

    source.photos[1].path.touch()
    assert again("a changed photo") == 4

    source.photos[1].path.unlink()
    assert again("a deleted photo") == 0


def test_a_reader_finds_the_new_version_while_the_old_is_tidied_up(
    photos: Path, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has read the old manifest when the writer replaces it and removes its files."""
    out = tmp_path / "out"
    build_index(open_source(photos / "more"), out, model)

    def overtaken(folder: Path) -> object:
        manifest = read_manifest(folder)
        monkeypatch.setattr("place_search.indexer.storage.contents.read_manifest", read_manifest)
        build_index(open_source(photos), out, model)
        return manifest

    monkeypatch.setattr("place_search.indexer.storage.contents.read_manifest", overtaken)

    assert open_index(out).count == 11


def test_readers_never_notice_a_rebuild(photos: Path, tmp_path: Path, model: Model) -> None:
    out = tmp_path / "out"
    sources = [open_source(photos), open_source(photos / "more")]
    ids = {build_index(source, out, model, photos_per_shard=2).index_id for source in sources}
    finished = threading.Event()
    seen = Counter[str]()

    def read() -> None:
        while not finished.is_set():
            index = open_index(out)
            for place in index.places():
                assert index.thumbnail(place.place_id)
                assert index.codes(place.place_id)[0].size
            seen[index.index_id] += 1

    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for source in sources * 4:
            build_index(source, out, model, photos_per_shard=2)
        finished.set()
        for reader in readers:
            reader.result()
    assert set(seen) == ids
