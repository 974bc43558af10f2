"""Whatever writes an index holds its lock: seen at each file that is written, renamed, removed."""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import place_search.indexer
from place_search.indexer import (
    IndexBusyError,
    KeptPhotos,
    ListedFields,
    PhotoList,
    Source,
    add_photos,
    build_index,
    change_groups,
    collect_leftovers,
    compact_index,
    declare_fields,
    edit_place,
    keep_listed_fields,
    migrate_index,
    open_index,
    open_source,
    remove_places,
    repair_index,
    restore_places,
    sync_photos,
)
from place_search.indexer.storage.lock import FINISHING_SECONDS, lock
from place_search.models import Model
from place_search.models.calibration import included_calibration
from place_search.search.index_calibration import IndexCalibration, write_index_calibration
from tests.indexer.conftest import Render

READERS = {"read_listed_fields", "verify_index", "with_views"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
WATCHED: list[Path] = []
UNLOCKED: list[tuple[str, str]] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not WATCHED or event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate"):
        return
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES):
        return
    path = os.fsdecode(arguments[0]) if not isinstance(arguments[0], int) else ""
    index = WATCHED[0]
    inside = (f"{index}/", f"{index}-photos/")
    if path.startswith(inside) and not path.endswith("/.lock") and not _is_locked(index):
        UNLOCKED.append((event, path))


def _is_locked(index: Path) -> bool:
    lock = os.open(index / ".lock", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


@pytest.fixture(scope="module", autouse=True)
def _hook() -> None:
    sys.addaudithook(_watch)  # it stays for good, and looks at nothing where nothing is watched


@contextmanager
def watched(index: Path) -> Iterator[None]:
    UNLOCKED.clear()
    WATCHED.append(index)
    try:
        yield
    finally:
        WATCHED.clear()


def calibrate(index: Path) -> None:
    write_index_calibration(
        open_index(index),
        IndexCalibration(included_calibration(), 11, 4),
        patience=FINISHING_SECONDS,
    )


def height_of_four(index: Path, photos: Path) -> int:
    listed = ListedFields(photos, {"height": "number"}, {"4.jpg": {"height": 3.0}})
    return keep_listed_fields(index, listed)


def test_every_change_of_an_index_holds_its_lock(
    built: Path, photos: Path, model: Model, render: Render
) -> None:
    def add_kept() -> None:
        folder = KeptPhotos(built).folder
        listed = PhotoList(folder)
        listed.append(f"{1:032x}.jpg")
        add_photos(built, Source(folder, listed, "csv"), model)

    def repair() -> None:
        (built / "descriptors.h5").write_bytes(b"oops")
        UNLOCKED.clear()
        repair_index(built, lambda: model)

    changes: dict[str, Callable[[], object]] = {
        "declare_fields": lambda: declare_fields(built, {"floor": "number"}),
        "edit_place": lambda: edit_place(built, 4, {"note": "four"}),
        "keep_listed_fields": lambda: height_of_four(built, photos),
        "change_groups": lambda: change_groups(built, lambda groups: groups),
        "add_photos": add_kept,
        "sync_photos": lambda: sync_photos(built, open_source(photos), model),
        "remove_places": lambda: remove_places(built, [0, 11], compact=False),
        "restore_places": lambda: restore_places(built, [0]),
        "compact_index": lambda: compact_index(built),
        "migrate_index": lambda: migrate_index(built),
        "collect_leftovers": lambda: collect_leftovers(built),
        "repair_index": repair,
        "write_index_calibration": lambda: calibrate(built),
        "build_index": lambda: build_index(open_source(photos), built, model),
    }
    offered = {
        name
        for name, value in vars(place_search.indexer).items()
        if isinstance(value, FunctionType) and ".changes." in value.__module__
    }
    assert offered - READERS == changes.keys() - {"write_index_calibration"}, "add the new one"
    render(KeptPhotos(built).folder / f"{1:032x}.jpg", 70)
    for name, change in changes.items():
        with watched(built):
            change()
            assert UNLOCKED == [], name
    assert not (KeptPhotos(built).folder / f"{1:032x}.jpg").exists(), "compaction deletes it"


def test_work_that_is_done_waits_for_the_lock(
    built: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as others:
        monkeypatch.setattr(time, "sleep", lambda _: others.close())
        others.enter_context(lock(built))
        calibrate(built)
        others.enter_context(lock(built))
        height_of_four(built, photos)
        others.enter_context(lock(built))
        with pytest.raises(IndexBusyError, match="wait until that is done"):
            edit_place(built, 4, {"note": "four"})


def test_the_watch_sees_what_is_written_without_the_lock(built: Path) -> None:
    with watched(built):
        (built / "x").write_bytes(b"")
        (built / "x").rename(built / "y")
        (built / "y").unlink()
    assert [event for event, _ in UNLOCKED] == ["open", "os.rename", "os.remove"]
