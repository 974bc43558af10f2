"""Damage to the files of an index is seen when they are read, before anybody runs `verify`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from place_search.indexer import IndexFormatError, build_index, open_index, open_source
from place_search.indexer.storage.array_file import ArrayFile
from place_search.models import Model

STEP = 401
"""Every so many bytes one is flipped. With 7 it takes three minutes and shows the same."""


@pytest.fixture
def folder(tmp_path: Path, render: Callable[..., Path], model: Model) -> Path:
    """An index of five places, in two shards, whose store compares candidates by their rows."""
    for number in range(5):
        render(tmp_path / "photos" / f"{number}.jpg", number)
    out = tmp_path / "index"
    build_index(open_source(tmp_path / "photos"), out, model, photos_per_shard=4, exact_bytes=0)
    return out


def all_of(folder: Path) -> Any:
    """Everything that an index tells."""
    index = open_index(folder)
    rows = np.concatenate(list(index.descriptors().chunks()))
    return (
        list(index.places()),
        index.positions.tobytes(),
        [(codes.tobytes(), grid) for codes, grid in map(index.codes, index.place_ids.tolist())],
        [index.thumbnail(place) for place in index.place_ids.tolist()],
        rows.tobytes(),
        [index.search(row, 5) for row in rows],
    )


@pytest.mark.slow
def test_every_flipped_byte_is_harmless_or_seen(folder: Path) -> None:
    """Harmless are the gaps in HDF5 files, and columns that only a change of the index reads."""
    whole = all_of(folder)
    seen, harmless = 0, 0
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == ".lock":
            continue
        content = path.read_bytes()
        step = STEP if path.suffix == ".h5" else 7 * STEP
        for at in range(len(path.name), len(content), step):
            path.write_bytes(content[:at] + bytes([content[at] ^ 0x5A]) + content[at + 1 :])
            try:
                assert all_of(folder) == whole, (path.name, at)
                harmless += 1
            except IndexFormatError:
                seen += 1
        path.write_bytes(content)
    assert seen > harmless > 0
    assert all_of(folder) == whole


@pytest.mark.parametrize("part", ["descriptors", "cells", "name", "jpeg"])
def test_damage_is_seen_when_it_is_read_and_not_before(folder: Path, part: str) -> None:
    """An index of thousands of shards opens without all of it being read."""
    name = "thumbnails" if part == "jpeg" else "descriptors"
    path = folder / name / "00001.h5"
    with h5py.File(path, "r+") as file:
        first = file[part][:1]
        file[part][:1] = b"other.jpg" if part == "name" else first + 1

    index = open_index(folder)
    read: dict[str, Callable[[int], object]] = {
        "descriptors": lambda row: index.descriptors().take(np.array([row])),
        "cells": index.codes,
        "name": index.place,
        "jpeg": index.thumbnail,
    }
    for row in range(4):
        read[part](row)
    says = rf"00001\.h5 is missing or damaged; mend it with `place-search verify {folder} --repair`"
    with pytest.raises(IndexFormatError, match=says):
        read[part](4)


@pytest.mark.parametrize("lost", ["taken", "sequence", "crc32_descriptors"])
def test_a_column_that_is_lost_is_not_taken_for_one_that_never_was(folder: Path, lost: str) -> None:
    path = folder / "descriptors" / "00001.h5"
    with h5py.File(path, "r+") as file:
        file.move(lost, "other")
    shard = ArrayFile(path)
    read: dict[str, Callable[[], object]] = {
        "taken": lambda: shard.value("taken", 0),
        "sequence": lambda: shard.column("sequence"),
        "crc32_descriptors": lambda: shard.descriptor(0),
    }
    with pytest.raises(IndexFormatError, match="is missing or damaged"):
        read[lost]()


def test_files_that_are_cut_short_are_seen(folder: Path) -> None:
    """While the index is open, too: a mapped file would end the process."""
    index = open_index(folder)
    query = index.descriptors().take(np.array([4]))[0]
    hits = index.search(query, 1)
    for name in ("index.faiss", "descriptors.h5"):
        (folder / name).write_bytes(b"")
    assert index.search(query, 1) == hits
    for path in folder.glob("*/*.h5"):
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(IndexFormatError):
        index.search(query, 1)
    with pytest.raises(IndexFormatError):
        index.thumbnail(4)
    with pytest.raises(IndexFormatError):
        index.place(4)
    with pytest.raises(IndexFormatError):
        open_index(folder)
