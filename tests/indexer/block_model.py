"""A tiny deterministic model, for tests of order and of crashes; and a script that builds with it.

python block_model.py DATA OUT [--per-shard N] [--exact-bytes N] [--limit BYTES] [--seconds S]
python block_model.py DATA OUT --crash-everywhere [--old DATA] [--change …]
python block_model.py DATA OUT --kills N [--old DATA] [--change add|sync|remove|compact|migrate]
"""

import argparse
import json
import os
import random
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

from place_search.core.errors import PlaceSearchError
from place_search.indexer import (
    Groups,
    add_photos,
    build_index,
    change_groups,
    compact_index,
    edit_place,
    migrate_index,
    open_index,
    open_source,
    remove_places,
    sync_photos,
    verify_index,
)
from place_search.models import Aggregation, Embedding, LocalFeatures, Model, ModelCard
from place_search.photos import Preprocessing

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
        aggregation=Aggregation("none"),
        local_features=LocalFeatures(9, STRIDE),
        dims=96,
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


REMOVED = [0, 3, 4]
"""More than a fifth of the photos: compaction follows by itself, unless one is left."""


def change(data: Path, out: Path, options: argparse.Namespace) -> None:
    """What is asked for: a build, or a change of the index that is there."""
    model = block_model(options.seconds)
    if options.change == "add":
        add_photos(out, open_source(data), model)
    elif options.change == "sync":
        sync_photos(out, open_source(data), model)
    elif options.change == "remove":
        remove_places(out, REMOVED)
    elif options.change == "compact":
        compact_index(out)
    elif options.change == "migrate":
        migrate_index(out)
    else:
        build(data, out, options)


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
        descriptor_type=options.descriptor_type,
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


def in_child(
    data: Path,
    out: Path,
    options: argparse.Namespace,
    *,
    die_at: int | None = None,
    die_after: float | None = None,
) -> bool:
    """Change the index in a forked process, whether it lives to the end."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if die_at is not None:
            sys.addaudithook(Killer(die_at))
        try:
            change(data, out, options)
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    if die_after is not None:
        time.sleep(die_after)
        os.kill(child, signal.SIGKILL)
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
        assert len(index.codes(place.place_id)[0])
    rows = np.concatenate(list(index.descriptors().chunks()))
    for place_id, row in zip(index.place_ids, rows, strict=True):
        assert index.search(row, 1)[0].similarity > 0.999, place_id
    return index.index_id


def prepare(data: Path, out: Path, options: argparse.Namespace) -> tuple[Path, Path]:
    """The index that a change starts from, and the one that it comes to when nothing happens."""
    # What a change loads is loaded here, once for all children.
    build_index(open_source(data), out / "loaded", block_model())
    start, whole = out / "start", out / "whole"
    start.mkdir()
    before = argparse.Namespace(**{**vars(options), "change": "index"})
    if options.change == "migrate":
        before.descriptor_type = "float32"
    if options.old:
        assert in_child(options.old, start, before)
    if options.change in ("remove", "compact", "migrate"):
        assert in_child(data, start, before)
    if options.change == "sync":
        say(start)
    if options.change == "compact":
        remove_places(start, REMOVED[:2])
    shutil.copytree(start, whole)
    assert in_child(data, whole, options)
    return start, whole


def say(index: Path) -> None:
    """Let people have said something of each place, and have grouped them by threes."""
    places = open_index(index).place_ids
    for place_id in places.tolist():
        edit_place(index, place_id, {"note": f"of place {place_id}"})
    group, held = places // 3 * 3, np.ones(len(places), np.bool_)
    change_groups(index, lambda _: Groups(places, group, held, names={0: "gate"}))


def crash_everywhere(data: Path, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kill a change at each of its steps, then let it run again; report what came of it."""
    start, whole = prepare(data, out, options)
    old, new = opens_as(start), opens_as(whole)
    expected = content(whole)
    seen, unequal, die_at = [], [], 0
    while True:
        crashed = out / f"crashed-{die_at}"
        shutil.copytree(start, crashed)
        if in_child(data, crashed, options, die_at=die_at):
            break
        seen.append(opens_as(crashed))
        assert in_child(data, crashed, options)
        assert opens_as(crashed) == new
        if content(crashed) != expected:
            unequal.append(die_at)
        shutil.rmtree(crashed)
        die_at += 1
    return {"old": old, "new": new, "seen": seen, "unequal": unequal}


def kill_randomly(data: Path, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kill a change at random moments, each time until it has got through; report what was seen."""
    start, whole = prepare(data, out, options)
    old, new = opens_as(start), opens_as(whole)
    expected = content(whole)
    began = time.perf_counter()
    shutil.copytree(start, out / "timed")
    assert in_child(data, out / "timed", options)
    seconds = time.perf_counter() - began
    chance = random.Random(options.kills)
    seen, unequal, kills, rounds = [], 0, 0, 0
    while kills < options.kills:
        killed = out / f"killed-{rounds}"
        shutil.copytree(start, killed)
        # Up to three kills in a row, as when a machine keeps failing.
        for _ in range(3):
            if in_child(data, killed, options, die_after=chance.random() * seconds):
                break
            kills += 1
            seen.append(opens_as(killed))
            if seen[-1] is not None:
                assert verify_index(killed).problems == []
            if _is_done(killed, options):
                break
        if not _is_done(killed, options):
            assert in_child(data, killed, options)
        unequal += content(killed) != expected
        assert verify_index(killed).problems == []
        shutil.rmtree(killed)
        rounds += 1
    return {"old": old, "new": new, "seen": seen, "unequal": unequal}


def _is_done(index: Path, options: argparse.Namespace) -> bool:
    """Whether a build was killed when it had come to its end: run again, it would begin another."""
    if options.change != "index" or opens_as(index) is None:
        return False
    return not (index / "building.jsonl").exists()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--per-shard", type=int, default=4)
    parser.add_argument("--exact-bytes", type=int, default=1 << 20)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--crash-everywhere", action="store_true")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--old", type=Path)
    parser.add_argument("--change", default="index")
    parser.add_argument("--descriptor-type", default="int8")
    options = parser.parse_args()
    if options.kills:
        json.dump(kill_randomly(options.data, options.out, options), sys.stdout)
        return
    if options.crash_everywhere:
        json.dump(crash_everywhere(options.data, options.out, options), sys.stdout)
        return
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    if options.limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.limit, most))
    try:
        change(options.data, options.out, options)
    except PlaceSearchError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    finally:  # what coverage has measured is written at the end
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


if __name__ == "__main__":
    main()
