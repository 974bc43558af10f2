"""Embedding on a Ray cluster of two nodes: the same index as made here, whatever dies."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil
import pytest

import place_search
from place_search.indexer import (
    SourceError,
    build_index,
    open_index,
    open_source,
    verify_index,
)
from place_search.indexer.errors import ClusterError
from place_search.models import Model, open_model
from tests.waiting import wait_until

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The URL of a folder in a local S3, from moto's server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    os.environ.update(settings)
    import boto3

    boto3.client("s3").create_bucket(
        Bucket="exchange", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    yield "s3://exchange/run"
    server.stop()
    for name in settings:
        del os.environ[name]


@pytest.fixture(scope="module", autouse=True)
def cluster(bucket: str, blocks: ModuleType) -> Iterator[Any]:
    """Two nodes with a CPU each, beside a head that has none."""
    import ray
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(blocks)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    yield nodes
    ray.shutdown()
    cluster.shutdown()


def workers(blocks: ModuleType, model: Model, seconds: float = 0.0, **more: Any) -> Any:
    from place_search.indexer.distributed.ray_engine import RayWorkers

    return RayWorkers(model, opened=lambda: blocks.block_model(seconds), **more)


def same(blocks: ModuleType, first: Path, second: Path) -> bool:
    return bool(blocks.content(first) == blocks.content(second))


@pytest.mark.parametrize("exchange", [False, True])
def test_it_is_the_index_of_a_local_run(
    photos: Path, tmp_path: Path, blocks: ModuleType, model: Model, bucket: str, exchange: bool
) -> None:
    (photos / "broken.jpg").write_bytes(b"no photo")
    source = open_source(photos)
    local = build_index(source, tmp_path / "local", model, photos_per_shard=4)
    done_counts: list[int] = []
    spread = build_index(
        source,
        tmp_path / "spread",
        model,
        photos_per_shard=4,
        workers=workers(blocks, model, exchange=f"{bucket}/a" if exchange else ""),
        progress=lambda stage, done, total: done_counts.append(done),
    )
    assert (spread.index_id, spread.skipped) == (local.index_id, local.skipped)
    assert same(blocks, tmp_path / "local", tmp_path / "spread")
    assert verify_index(tmp_path / "spread").problems == []
    assert max(done_counts) == 12
    if exchange:
        import fsspec

        assert fsspec.url_to_fs(f"{bucket}/a", use_listings_cache=False)[0].find(bucket) == []


def test_a_shipped_model_gives_the_same(photos: Path, tmp_path: Path, bucket: str) -> None:
    model = open_model(mode="throughput", threads=1)
    place_search.index(photos, tmp_path / "local", model=model)
    exchange = f"{bucket}/b"
    place_search.index(photos, tmp_path / "spread", model=model, engine="ray", exchange=exchange)
    local, spread = open_index(tmp_path / "local"), open_index(tmp_path / "spread")
    assert [place.name for place in spread.places()] == [place.name for place in local.places()]
    assert spread.place_ids.tolist() == local.place_ids.tolist()
    for chunk, other_chunk in zip(
        local.descriptors().chunks(), spread.descriptors().chunks(), strict=True
    ):
        assert (np.vecdot(chunk, other_chunk) >= 0.9999).all()


def embedders() -> list[int]:
    """The processes of this cluster that embed at the moment: all are descendants of this one."""
    pids = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "EmbedShard" in " ".join(process.cmdline()):  # Ray names it by what it does
                pids.append(process.pid)
    return pids


def test_a_killed_worker_costs_its_shard_alone(
    render: Any, tmp_path: Path, blocks: ModuleType, model: Model
) -> None:
    folder = tmp_path / "photos"
    for number in range(24):
        render(folder / f"{number:02d}.jpg", number)
    source = open_source(folder)
    build_index(source, tmp_path / "local", model, photos_per_shard=3)
    killed: list[int] = []

    def kill_one(stage: str, done: int, total: int) -> None:
        if done and not killed:
            killed.extend(embedders()[:1])
            for process in killed:
                os.kill(process, signal.SIGKILL)

    build_index(
        source,
        tmp_path / "spread",
        model,
        photos_per_shard=3,
        workers=workers(blocks, model, 0.4),
        progress=kill_one,
    )
    assert killed
    assert same(blocks, tmp_path / "local", tmp_path / "spread")


@pytest.mark.parametrize("exchange", [False, True])
def test_a_killed_driver_goes_on(
    render: Any,
    tmp_path: Path,
    blocks: ModuleType,
    model: Model,
    bucket: str,
    cluster: Any,
    exchange: bool,
) -> None:
    folder = tmp_path / "photos"
    for number in range(16):
        render(folder / f"{number:02d}.jpg", number)
    url = f"{bucket}/c" if exchange else ""
    import ray

    address = ray.get_runtime_context().gcs_address
    driver = subprocess.Popen(
        [
            sys.executable,
            "-c",
            DRIVER,
            str(blocks.__file__),
            str(folder),
            str(tmp_path / "out"),
            url,
        ],
        env={**os.environ, "RAY_ADDRESS": address},
    )
    journal = tmp_path / "out" / "building.jsonl"
    wait_until(
        lambda: (
            driver.poll() is not None
            or (journal.exists() and len(journal.read_text().splitlines()) >= 3)
        ),
        "nothing is written",
        seconds=120,
    )
    assert driver.poll() is None, "it ended early"
    driver.kill()
    driver.wait()
    source = open_source(folder)
    report = build_index(
        source,
        tmp_path / "out",
        model,
        photos_per_shard=2,
        workers=workers(blocks, model, exchange=url),
    )
    assert report.reused >= 2
    build_index(source, tmp_path / "local", model, photos_per_shard=2)
    assert same(blocks, tmp_path / "local", tmp_path / "out")


DRIVER = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("block_model", sys.argv[1])
blocks = importlib.util.module_from_spec(spec)
sys.modules["block_model"] = blocks
spec.loader.exec_module(blocks)
import ray
ray.cloudpickle.register_pickle_by_value(blocks)
from place_search.indexer import build_index, open_source
from place_search.indexer.distributed.ray_engine import RayWorkers
model = blocks.block_model()
workers = RayWorkers(model, opened=lambda: blocks.block_model(0.3), exchange=sys.argv[4])
build_index(open_source(Path(sys.argv[2])), Path(sys.argv[3]), model, photos_per_shard=2,
            workers=workers)
"""


def test_two_drivers_share_an_exchange(
    photos: Path, tmp_path: Path, blocks: ModuleType, model: Model, bucket: str, render: Any
) -> None:
    """The one that ends first takes nothing from the other."""
    others = tmp_path / "others"
    for number in range(3):
        render(others / f"{number}.jpg", 100 + number)
    folders = [tmp_path / "first", tmp_path / "second"]
    url = f"{bucket}/shared"
    for folder, source in zip(folders, (photos, others), strict=True):
        build_index(
            open_source(source), tmp_path / f"local {folder.name}", model, photos_per_shard=2
        )

    def work() -> Any:
        return workers(blocks, model, 0.2, exchange=url)

    def run_another(stage: str, done: int, total: int) -> None:
        if done and not (folders[1] / "manifest.json").exists():
            source = open_source(others)
            build_index(source, folders[1], model, photos_per_shard=2, workers=work())

    build_index(
        open_source(photos),
        folders[0],
        model,
        photos_per_shard=2,
        workers=work(),
        progress=run_another,
    )
    for folder in folders:
        assert same(blocks, tmp_path / f"local {folder.name}", folder)


def test_shards_of_another_limit_are_made_again(
    photos: Path,
    tmp_path: Path,
    blocks: ModuleType,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An exchange keeps the shards of an interrupted run, from which large photos are missing."""
    source, exchange = open_source(photos), f"{bucket}/limits"
    small = blocks.block_model()
    small.max_pixels = 100

    def opened() -> Model:
        model: Model = blocks.block_model()
        model.max_pixels = 100
        return model

    from place_search.indexer.distributed.ray_engine import RayWorkers
    from place_search.indexer.distributed.staging import ObjectStoreStaging

    interrupted = RayWorkers(small, opened=opened, exchange=exchange)
    monkeypatch.setattr(ObjectStoreStaging, "clear", lambda *_: None)
    with pytest.raises(SourceError):
        build_index(source, tmp_path / "index", small, photos_per_shard=4, workers=interrupted)
    large = blocks.block_model()
    report = build_index(
        source,
        tmp_path / "index",
        large,
        photos_per_shard=4,
        workers=workers(blocks, large, exchange=exchange),
    )
    assert (report.places, report.skipped) == (11, [])


def test_what_goes_wrong_is_one_sentence(
    photos: Path, tmp_path: Path, blocks: ModuleType, model: Model, bucket: str
) -> None:
    source = open_source(photos)
    with pytest.raises(ClusterError, match=r"exchange .* does not work"):
        build_index(
            source,
            tmp_path / "a",
            model,
            workers=workers(blocks, model, exchange="s3://nowhere/run"),
        )
    with pytest.raises(ClusterError, match=r"finished nothing for 0\.1 s"):
        build_index(
            source,
            tmp_path / "b",
            model,
            workers=workers(blocks, model, 0.3, stall_seconds=0.1),
        )
    for thread in threading.enumerate():
        if thread.name == "ray":
            thread.join()
    other = blocks.block_model(weights="1")
    with pytest.raises(ClusterError, match="has other weights or a processor of another kind"):
        build_index(source, tmp_path / "c", other, workers=workers(blocks, other))
    assert not any((tmp_path / name / "manifest.json").exists() for name in "abc")
