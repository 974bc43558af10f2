"""The nodes of a Ray cluster and their exchange, without Ray: what they leave, lack and tell."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from place_search.core.version import program_version
from place_search.indexer import build_index, open_source, pipeline, remove_places
from place_search.indexer.distributed import ray_engine
from place_search.indexer.distributed.ray_engine import take_files
from place_search.indexer.distributed.ray_worker import EmbedShard, Job, RayRow, write_shard
from place_search.indexer.distributed.staging import ObjectStoreStaging
from place_search.indexer.errors import ClusterError, SourceError
from place_search.indexer.storage.plan import FinishedShard, Plan
from place_search.models import Model

pytestmark = pytest.mark.ray


@pytest.fixture
def index(photos: Path, tmp_path: Path, model: Model) -> Path:
    """The folder of an index, with its first shard."""
    folder = tmp_path / "index"
    build_index(open_source(photos), folder, model)
    return folder


@pytest.fixture
def exchange(tmp_path: Path) -> ObjectStoreStaging:
    """An exchange in a folder, as of a network drive, that nobody has made yet."""
    return ObjectStoreStaging(f"file://{tmp_path / 'drive' / 'exchange'}")


def job_of(photos: Path, *, with_names: bool = False) -> Job:
    source = open_source(photos)
    (shard,) = Plan(0, [range(len(source.photos))], source.photos)
    return ray_engine._job(shard, source.root, with_names=with_names)


def node(
    blocks: ModuleType, exchange: str = "", *, weights: str = "0", version: str = program_version()
) -> EmbedShard:
    fingerprint = blocks.block_model(weights=weights).fingerprint
    return EmbedShard(blocks.block_model, fingerprint, version, exchange)


def embedded(node: EmbedShard, job: Job) -> RayRow:
    row = node({"job": pickle.dumps(job)})
    if row["error"]:
        raise pickle.loads(row["error"])
    return row


def shard_of(row: RayRow) -> FinishedShard:
    shard: FinishedShard = pickle.loads(row["finished"])
    return shard


def write(row: RayRow, folder: Path) -> RayRow:
    return write_shard(row, folder=str(folder), exchange="", kind="")


def test_a_node_that_was_believed_dead_changes_no_shard(
    photos: Path, index: Path, blocks: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on in the midst of its writing, when another node writes the same shard."""
    first = embedded(node(blocks), job_of(photos))
    (photos / "p01.jpg").unlink()
    second = embedded(node(blocks), job_of(photos))
    written: list[RayRow] = []
    fsync = os.fsync

    def overtaken(descriptor: int) -> None:
        monkeypatch.setattr("os.fsync", fsync)
        written.append(write(second, index))
        take_files(shard_of(second), index, written[0]["id"])
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", overtaken)
    late = write(first, index)
    assert (late["error"], written[0]["error"]) == (b"", b"")
    assert shard_of(first).files != shard_of(second).files
    assert shard_of(second).is_whole(index)
    # What the late node has left goes with the next change.
    build_index(open_source(photos), index, blocks.block_model())
    remove_places(index, [0])
    assert not [path for path in (index / "descriptors").iterdir() if path.suffix != ".h5"]


def test_files_that_only_the_node_sees_are_told(
    photos: Path, index: Path, tmp_path: Path, blocks: ModuleType
) -> None:
    elsewhere = shutil.copytree(index, tmp_path / "of the node")
    row = write(embedded(node(blocks), job_of(photos)), elsewhere)
    with pytest.raises(ClusterError, match=r"not on this machine; let all nodes share the folder"):
        take_files(shard_of(row), index, row["id"])


def test_photos_that_only_this_machine_sees_are_told(
    photos: Path, tmp_path: Path, blocks: ModuleType
) -> None:
    """As on a node where their disk is not mounted: their folder is there, and empty."""
    job = job_of(photos)
    hidden = photos.rename(tmp_path / "hidden")
    photos.mkdir()
    row = embedded(node(blocks), job)
    host, not_read = pickle.loads(row["not_read"])
    assert len(not_read) == len(job.tasks)
    ray_engine._require_same_view(not_read, job.root, host)  # gone for both
    photos.rmdir()
    with pytest.raises(SourceError, match=r"On the node .*cannot be read"):
        embedded(node(blocks), job)
    hidden.rename(photos)
    with pytest.raises(ClusterError, match=r"cannot read .*\.jpg, but this machine can; let all"):
        ray_engine._require_same_view(not_read, job.root, host)


def test_a_node_tells_why_it_cannot_write(
    photos: Path, tmp_path: Path, blocks: ModuleType, exchange: ObjectStoreStaging
) -> None:
    row = embedded(node(blocks), job_of(photos))
    failed = write(row, tmp_path / "not mounted")
    error = pickle.loads(failed["error"])
    assert isinstance(error, ClusterError)
    assert str(error).startswith(f"{tmp_path / 'not mounted'} on the node ")
    assert str(error).endswith("mend that, then run the same command again.")
    (tmp_path / "drive").write_bytes(b"a file")
    failed = write_shard(row, folder="", exchange=exchange.url, kind="")
    assert "does not work" in str(pickle.loads(failed["error"]))
    assert failed.keys() == row.keys()


def test_a_node_of_another_version_is_told(photos: Path, blocks: ModuleType) -> None:
    job = job_of(photos)
    with pytest.raises(ClusterError, match=r"of place-search, and this machine 0\.1;"):
        embedded(node(blocks, version="0.1"), job)
    with pytest.raises(ClusterError, match="has other weights or a processor of another kind"):
        embedded(node(blocks, weights="1"), job)


def test_each_index_has_its_part_of_an_exchange(
    photos: Path, tmp_path: Path, blocks: ModuleType, exchange: ObjectStoreStaging
) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    first, second = (exchange.of_index(folder) for folder in folders)
    assert exchange.of_index(folders[0]).url == first.url != second.url
    copy = Path(shutil.copytree(folders[0], tmp_path / "copy"))
    other_exchange = ObjectStoreStaging(f"{exchange.url}2")
    for part in (exchange.of_index(copy), other_exchange.of_index(folders[0])):
        assert first.url.rpartition("/")[2] not in part.url
    first = exchange.of_index(folders[0])  # it names a part anew
    job = job_of(photos, with_names=True)
    for part in (first, second):
        tasks = ((task.name, task.photo.path) for task in job.tasks)
        assert part.upload_photos(tasks, job.root) == {}
    row = embedded(node(blocks, first.url), job)
    assert write_shard(row, folder="", exchange=first.url, kind="k")["error"] == b""
    assert (first.finished("k"), second.finished("k")) == ({0: shard_of(row)}, {})
    second.clear(folders[1])
    embedded(node(blocks, first.url), job)
    first.clear(folders[0])
    assert not [*Path(tmp_path / "drive" / "exchange").iterdir(), *folders[0].iterdir()]


def test_a_photo_that_was_uploaded_in_part_is_uploaded_again(
    photos: Path, tmp_path: Path, blocks: ModuleType, exchange: ObjectStoreStaging
) -> None:
    job = job_of(photos, with_names=True)
    tasks = [(task.name, task.photo.path) for task in job.tasks]
    exchange.upload_photos(tasks, job.root)
    uploaded = tmp_path / "drive" / "exchange" / "photos" / job.tasks[0].name
    uploaded.write_bytes(uploaded.read_bytes()[:1000])
    exchange.upload_photos(tasks, job.root)
    row = embedded(node(blocks, exchange.url), job)
    assert shard_of(row).skipped == ()
    uploaded.unlink()
    with pytest.raises(ClusterError, match=r"exchange .* does not work"):
        embedded(node(blocks, exchange.url), job)


@pytest.mark.parametrize("refuse", [Path.unlink, lambda path: path.write_bytes(b" " * 20_000)])
def test_photos_are_skipped_for_the_reasons_of_a_local_run(
    photos: Path,
    tmp_path: Path,
    blocks: ModuleType,
    exchange: ObjectStoreStaging,
    refuse: Callable[[Path], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = open_source(photos)
    monkeypatch.setattr(pipeline, "MAX_FILE_BYTES", 19_999)
    refuse(photos / "p04.jpg")
    local = build_index(source, tmp_path / "local", blocks.block_model())
    assert len(local.skipped) == 1
    (shard,) = Plan(0, [range(len(source.photos))], source.photos)
    job = ray_engine._job(shard, source.root, with_names=True)
    tasks = ((task.name, task.photo.path) for task in job.tasks)
    refusals = exchange.upload_photos(tasks, source.root)
    row = embedded(node(blocks, exchange.url), ray_engine._with_refusals(job, refusals))
    assert [*shard_of(row).skipped] == local.skipped


def test_a_failing_disk_of_photos_ends_an_upload(
    photos: Path, exchange: ObjectStoreStaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(photos, with_names=True)
    photos.rename(photos.with_name("unmounted"))
    tasks = ((task.name, task.photo.path) for task in job.tasks)
    with pytest.raises(SourceError, match="finished work is kept"):
        exchange.upload_photos(tasks, job.root)
