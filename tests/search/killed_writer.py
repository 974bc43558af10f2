"""python killed_writer.py FOLDER add|remove: kill a server's change at each of its steps.

Prints how many steps there were. What comes next is another change over HTTP, one by the command
line, or a new start: after each of them nothing is left of the change that was killed.
"""

import importlib
import os
import shutil
import sys
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "indexer"))

from place_search.indexer import (
    add_photos,
    build_index,
    collect_leftovers,
    open_index,
    open_source,
    verify_index,
)
from place_search.search.engine import Engine
from place_search.search.index_calibration import FILE
from place_search.search.server.writer import Writer
from place_search.search.stages import Stages

blocks: Any = importlib.import_module("block_model")
MODEL = blocks.block_model()


class Decoder:
    """Takes photos as they are."""

    def photo(self, *_: object, **__: object) -> Any:
        return SimpleNamespace(position=None, taken=None, notes=())

    def views(self, *_: object, **__: object) -> tuple[list[Any], tuple[str, ...]]:
        return [], ()

    def picture(self, content: bytes, **_: object) -> bytes:
        return content


def writer_of(index: Path) -> Writer:
    def load(*_: object) -> Engine:
        return Engine(open_index(index), MODEL)

    service: Any = SimpleNamespace(
        engine=load(), opening=Lock(), replace=lambda engine: None, decode_seconds=5.0
    )
    decoder: Any = Decoder()
    return Writer(service, index, decoder, load)


def check(index: Path) -> int:
    """That all files there are belong to the index; returns how many places were added."""
    assert verify_index(index).problems == []
    opened = open_index(index)
    named = {place.path for place in opened.places() if place.path.parent.name == "index-photos"}
    folder = index.parent / "index-photos"
    kept = set(folder.glob("*.*")) - {folder / ".changing", folder / ".removed"}
    removed = folder / ".removed"
    names = removed.read_text().split() if removed.exists() else []
    waiting = {folder / name for name in names if opened.manifest.removed}
    assert kept - waiting == named - waiting, (kept, named)
    files = {path.relative_to(index).as_posix() for path in index.rglob("*") if path.is_file()}
    assert files - {FILE} == {"manifest.json", ".lock", *opened.manifest.files}, files
    return len(named)


def main() -> None:
    folder, change = Path(sys.argv[1]).resolve(), sys.argv[2]
    photos = sorted((folder / "photos").iterdir())
    index = folder / "index"
    build_index(open_source(folder / "photos"), index, MODEL)
    a, b = ((folder / "more" / name).read_bytes() for name in ("a.jpg", "b.jpg"))
    kept = 0
    if change == "remove":
        writer_of(index).add(a, None, "a", stages=Stages())
        kept = int(open_index(index).place_ids[-1])
    parts = [path for path in (index, index.with_name("index-photos")) if path.exists()]
    for path in parts:
        path.rename(path.with_name(f"start-{path.name}"))
    step = 0
    while True:
        for path in (index, index.with_name("index-photos")):
            shutil.rmtree(path, ignore_errors=True)
        for path in parts:
            shutil.copytree(path.with_name(f"start-{path.name}"), path)
        child = os.fork()
        if child == 0:
            writer = writer_of(index)
            sys.addaudithook(blocks.Killer(step))
            if change == "remove":
                writer.remove(kept, stages=Stages())
            else:
                writer.add(a, None, "a", stages=Stages())
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
        if step // 2 % 3 == 0:
            writer_of(index).add(b, None, "b", stages=Stages())
        elif step // 2 % 3 == 1:
            add_photos(index, open_source(photos[0].parent), MODEL)
        else:
            collect_leftovers(index)
        assert check(index) in ({1, 2} if step // 2 % 3 == 0 else {0, 1})
        step += 2
    sys.stdout.write(f"{step}\n")


if __name__ == "__main__":
    main()
