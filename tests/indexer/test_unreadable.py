"""A file that the system refuses to read is not damaged: it is told as what it is, and kept."""

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from place_search.core import files
from place_search.indexer import (
    IndexReadError,
    build_index,
    edit_place,
    open_index,
    open_source,
    repair_index,
    sync_photos,
    verify_index,
)
from place_search.indexer.storage.array_file import ArrayFile
from place_search.models import Model
from tests.indexer.conftest import render

OPENED = [
    "manifest.json",
    "descriptors.h5",
    "descriptors/00000.h5",
    "thumbnails/00000.h5",
    "index.faiss",
    "edits",
]


@pytest.fixture
def index(tmp_path: Path, model: Model) -> Path:
    """An index of two places, with a store of its own, of one of which something was said."""
    for number in range(2):
        render(tmp_path / "photos" / f"{number}.jpg", number)
    out = tmp_path / "index"
    build_index(open_source(tmp_path / "photos"), out, model, store="rabitq")
    edit_place(out, 0, {"name": "the gate"})
    return out


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Lets the system refuse to open a file, as it does for others than root."""

    def refused(path: Path, number: int) -> None:
        opened = files.open_regular

        def answer(requested_path: Path) -> io.BufferedReader:
            if requested_path == path:
                raise OSError(number, os.strerror(number), str(requested_path))
            return opened(requested_path)

        for where in ("core.files", "indexer.storage.array_file"):
            monkeypatch.setattr(f"place_search.{where}.open_regular", answer)

    return refused


@pytest.mark.parametrize("name", OPENED)
@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EACCES, "may not be read; check its permissions"),
        (errno.EIO, "cannot be read .Input/output error.; check its disk"),
        (errno.EMFILE, "ulimit -n"),
    ],
)
def test_a_file_that_is_refused_is_not_called_damaged(
    index: Path,
    refuse: Callable[[Path, int], None],
    model: Model,
    name: str,
    number: int,
    says: str,
) -> None:
    path = next(index.glob("edits-*")) if name == "edits" else index / name
    photos = open_source(index.parent / "photos")
    before = (index / "manifest.json").read_bytes()
    refuse(path, number)
    calls: list[Callable[[], object]] = [
        lambda: open_index(index).thumbnail(0),
        lambda: verify_index(index),
        lambda: repair_index(index, lambda: model),
    ]
    # A change of the index need not read what was said, nor the thumbnails.
    if name not in ("thumbnails/00000.h5", "edits"):
        calls.append(lambda: sync_photos(index, photos, model))
    for call in calls:
        with pytest.raises(IndexReadError, match=f"{path} .*{says}"):
            call()
    assert (index / "manifest.json").read_bytes() == before


def test_a_disk_that_fails_while_an_index_is_open_is_told(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = ArrayFile(index / "descriptors" / "00000.h5")
    shard.column("place_id")

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("os.pread", fail)
    monkeypatch.setattr("os.preadv", fail)
    for read in (lambda: shard.descriptor(0), lambda: shard.column("latitude")):
        with pytest.raises(IndexReadError, match="check its disk"):
            read()


def test_what_was_said_is_kept_by_a_build_that_may_not_read_it(
    index: Path, refuse: Callable[[Path, int], None], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = open_source(index.parent / "photos")
    for path in (next(index.glob("edits-*")), index / "descriptors" / "00000.h5"):
        refuse(path, errno.EACCES)
        with pytest.raises(IndexReadError):
            build_index(photos, index, model)
        monkeypatch.undo()
    # What follows from the photos is made anew in its place.
    refuse(index / "descriptors.h5", errno.EACCES)
    build_index(photos, index, model, store="rabitq")
    monkeypatch.undo()
    assert open_index(index).place(0).name == "the gate"
    assert verify_index(index).whole
