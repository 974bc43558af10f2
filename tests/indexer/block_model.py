"""A tiny deterministic model, for tests of order and of crashes; and a script that builds with it.

python block_model.py DATA OUT [--per-shard N] [--exact-bytes N] [--limit BYTES] [--seconds S]
python block_model.py DATA OUT --crash-everywhere [--old DATA]
"""

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer import build_index, open_index, open_source
from netvlad import Embedding, Model, ModelCard, PlaceSearchError, Preprocessing

Key = TypeVar("Key")
STRIDE = 16


class BlockRuntime:
    """Descriptors and cells from block means of the photo."""

    name = "blocks"

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        time.sleep(self.seconds)
        height, width = pixels.shape[0] // STRIDE, pixels.shape[1] // STRIDE
        blocks = pixels.reshape(height, STRIDE, width, STRIDE, 3).astype(np.float32)
        means = blocks.mean(axis=(1, 3)) - 127.0
        cells = np.concatenate(
            [means, np.roll(means, 1, axis=0), np.roll(means, 1, axis=1)], axis=2
        )
        descriptor = np.resize(cells, 96).astype(np.float32)
        return Embedding(descriptor / np.linalg.norm(descriptor), cells)

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        for key, pixels in photos:
            yield key, self.embed(pixels)


def block_model(seconds: float = 0.0, weights: str = "0") -> Model:
    """The model; another `weights` gives it another fingerprint."""
    card = ModelCard(
        id=f"blocks-{weights}",
        title="block means",
        family="test",
        backbone="none",
        clusters=1,
        channels=9,
        dims=96,
        stride=STRIDE,
        licence="Apache-2.0",
        preprocessing=Preprocessing(resize="area", width=80, height=64, multiple=STRIDE),
        files={"f32.onnx": weights, "weights.safetensors": weights},
    )
    return Model(card, BlockRuntime(seconds))


def content(index: Path) -> dict[str, bytes]:
    """All files of an index, apart from the lock and when it was made."""
    files = {
        path.relative_to(index).as_posix(): path.read_bytes()
        for path in index.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    if "manifest.json" in files:
        manifest = json.loads(files["manifest.json"])
        del manifest["created"], manifest["sha256"]
        files["manifest.json"] = json.dumps(manifest).encode()
    return files


def build(data: Path, out: Path, options: argparse.Namespace) -> None:
    def progress(stage: str, done: int, total: int) -> None:
        sys.stdout.write(f"{stage} {done} {total}\n")
        sys.stdout.flush()

    build_index(
        open_source(data),
        out,
        block_model(options.seconds),
        progress=progress,
        photos_per_shard=options.per_shard,
        exact_bytes=options.exact_bytes,
    )


class Killer:
    """Kills this process before the n-th step that changes the file system."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(args[1], str) and args[1][:1] in "wa"
        if writes or event in ("os.rename", "os.remove", "os.mkdir"):
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)


def in_child(data: Path, out: Path, options: argparse.Namespace, die_at: int | None) -> bool:
    """Build in a forked process, whether it lives to the end."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if die_at is not None:
            sys.addaudithook(Killer(die_at))
        try:
            build(data, out, options)
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    return status == 0


def opens_as(out: Path) -> str | None:
    """The id of the index that opens there, after reading everything that it holds."""
    try:
        index = open_index(out)
    except PlaceSearchError:
        return None
    for place in index.places():
        assert index.thumbnail(place.place_id)[:2] == b"\xff\xd8"
        assert len(index.cells(place.place_id)[0])
    rows = np.concatenate(list(index.descriptors().chunks()))
    for place_id, row in zip(index.place_ids, rows, strict=True):
        assert index.search(row, 1)[0].similarity > 0.999, place_id
    return index.index_id


def crash_everywhere(data: Path, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kill a build at each of its steps, then let it run again; report what came of it."""
    start = out / "start"
    start.mkdir(parents=True)
    if options.old:
        assert in_child(options.old, start, options, None)
    old = opens_as(start)
    whole = out / "whole"
    shutil.copytree(start, whole)
    assert in_child(data, whole, options, None)
    new = opens_as(whole)
    expected = content(whole)
    seen, unequal, die_at = [], [], 0
    while True:
        crashed = out / f"crashed-{die_at}"
        shutil.copytree(start, crashed)
        if in_child(data, crashed, options, die_at):
            break
        seen.append(opens_as(crashed))
        assert in_child(data, crashed, options, None)
        assert opens_as(crashed) == new
        if content(crashed) != expected:
            unequal.append(die_at)
        shutil.rmtree(crashed)
        die_at += 1
    return {"old": old, "new": new, "seen": seen, "unequal": unequal}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--per-shard", type=int, default=4)
    parser.add_argument("--exact-bytes", type=int, default=1 << 20)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--crash-everywhere", action="store_true")
    parser.add_argument("--old", type=Path)
    options = parser.parse_args()
    if options.crash_everywhere:
        json.dump(crash_everywhere(options.data, options.out, options), sys.stdout)
        return
    if options.limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.limit, options.limit))
    try:
        build(options.data, options.out, options)
    except PlaceSearchError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
