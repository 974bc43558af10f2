"""Shards: immutable HDF5 files of some hundred places each, and the dataset that joins them.

A shard's bytes depend on its rows alone, so that the same photos give the same file. Numbers are
stored contiguously: a reader finds row i of `descriptors` at a known offset.
"""

import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Position, Utm
from place_search.indexer.places import PhotoNote
from place_search.indexer.storage.descriptor_codes import (
    FLOAT32,
    INT8,
    MEANING,
    DescriptorType,
    encode,
)

SHARDS = "descriptors"
THUMBNAILS = "thumbnails"
JOINED = "descriptors.h5"

# One format on disk whatever the HDF5 library; 1.10 is the first with virtual datasets.
_FORMAT = ("v110", "v110")

NUMBERS = {
    "place_id": np.int64,
    "latitude": np.float64,
    "longitude": np.float64,
    "easting": np.float64,
    "northing": np.float64,
    "taken": np.float64,
    "heading": np.float64,
    "width": np.int32,
    "height": np.int32,
    "size": np.int64,
    "mtime_ns": np.int64,
}
TEXTS = ("name", "path", "zone", "sequence")
ADDED: dict[str, float | bytes] = {"taken": np.nan, "sequence": b"", "heading": np.nan}
"""The columns that shards may lack, with the value for "unknown". Shards of version 0.1 lack all of
them, and others lack `heading` where no place has a known one."""
TABLE = (*NUMBERS, *TEXTS, "content")
"""The small columns, which the pack of thumbnails repeats."""

SUMS = "crc32"
"""The dataset with the CRC-32 of each small column, as the UTF-8 of a JSON object.

`descriptors`, `cells` and `jpeg` each have a column with the CRC-32 of each place's part. So damage
is seen when it is read: hashing whole files to open an index would take minutes. Files of version
0.1 have no checksums.
"""


def part_sums(key: str) -> str:
    """The name of the column with the CRC-32 of each place's part of a large dataset."""
    return f"{SUMS}_{key}"


@dataclass(frozen=True, slots=True)
class Row:
    """One embedded photo.

    `path` is posix under the source's root, or absolute; `width` × `height` is the photo's upright
    size in pixels; `size`, `mtime_ns` and `content`, the sha256, are those of its file.
    `sequence`, `taken` and `heading` are those of a `PlacePhoto`. `descriptor` is (D,) float32,
    `codes` (h·w, bytes) uint8 for a `grid` of (h, w), `thumbnail` a JPEG. `notes`, sentences about
    oddities of the photo, are not stored, nor whether it `is_blank`: none of its local features
    can be told from the others.
    """

    place_id: int
    name: str
    path: str
    position: Position | None
    utm: Utm | None
    width: int
    height: int
    size: int
    mtime_ns: int
    content: bytes
    descriptor: NDArray[np.float32]
    codes: NDArray[np.uint8]
    grid: tuple[int, int]
    thumbnail: bytes
    notes: tuple[str, ...] = ()
    sequence: str = ""
    taken: float | None = None
    heading: float | None = None
    is_blank: bool = False


def notes_of(rows: Sequence[Row]) -> tuple[PhotoNote, ...]:
    """The notes on the photos of rows, with the names of their places."""
    return tuple(PhotoNote(row.name, note) for row in rows for note in row.notes)


def shard_name(number: int) -> str:
    """The name of a shard under its index."""
    return f"{SHARDS}/{number:05d}.h5"


def pack_of(shard: str) -> str:
    """The name of the pack that holds the thumbnails of a shard's places."""
    return shard.replace(SHARDS, THUMBNAILS)


def shard_files(
    number: int, rows: Sequence[Row], kind: DescriptorType
) -> Iterator[tuple[str, bytes]]:
    """The name and content of each file of a shard with these rows."""
    if rows:
        yield shard_name(number), shard_image(rows, kind)
        yield pack_of(shard_name(number)), thumbnails_image(rows)


def shard_image(rows: Sequence[Row], kind: DescriptorType) -> bytes:
    """The bytes of the HDF5 file that holds these rows.

    Datasets, one row a place: `descriptors` (n, D), int8 codes or float32 by `kind`; `cells` (n,
    h·w, bytes) uint8, the codes of local features, with zeros after the place's own; `grid` (n, 2)
    int32, their rows × columns; `content` (n, 32) uint8, the sha256 of the photo; `TEXTS` as UTF-8
    ('' for no sequence and no zone, else as `17T`); and `NUMBERS`, where NaN stands for no position
    and no time; and `SUMS`.
    """
    codes = np.zeros(
        (len(rows), max(len(row.codes) for row in rows), rows[0].codes.shape[1]), np.uint8
    )
    for stored, row in zip(codes, rows, strict=True):
        stored[: len(row.codes)] = row.codes
    originals = np.stack([row.descriptor for row in rows]).astype(np.float32, copy=False)
    descriptors = encode(originals) if kind == INT8 else originals
    return _hdf5(
        {
            "descriptors": descriptors,
            "cells": codes,
            "grid": np.array([row.grid for row in rows], np.int32),
            **_table(rows),
        },
        descriptors=descriptors,
        cells=[row.codes for row in rows],
    )


def thumbnails_image(rows: Sequence[Row]) -> bytes:
    """The bytes of an HDF5 file with all thumbnails end to end: `jpeg` uint8, `offset` (n + 1).

    It repeats the shard's small columns, from which a damaged shard is made again.
    """
    lengths = [len(row.thumbnail) for row in rows]
    return _hdf5(
        {
            "jpeg": np.frombuffer(b"".join(row.thumbnail for row in rows), np.uint8),
            "offset": np.cumsum([0, *lengths], dtype=np.int64),
            **_table(rows),
        },
        jpeg=[row.thumbnail for row in rows],
    )


def _table(rows: Sequence[Row]) -> dict[str, NDArray[Any]]:
    """The small columns of these rows."""
    nowhere = np.nan, np.nan
    degrees = np.array([row.position or nowhere for row in rows], np.float64)
    metres = np.array([row.utm[:2] if row.utm else nowhere for row in rows], np.float64)
    plain = ("place_id", "width", "height", "size", "mtime_ns")
    has_headings = any(row.heading is not None for row in rows)
    return {
        **{key: np.array([getattr(row, key) for row in rows], NUMBERS[key]) for key in plain},
        "latitude": degrees[:, 0],
        "longitude": degrees[:, 1],
        "easting": metres[:, 0],
        "northing": metres[:, 1],
        "content": np.frombuffer(b"".join(row.content for row in rows), np.uint8).reshape(-1, 32),
        "taken": _or_nan([row.taken for row in rows]),
        **({"heading": _or_nan([row.heading for row in rows])} if has_headings else {}),
        "zone": _texts([row.utm.zone if row.utm else "" for row in rows]),
        "sequence": _texts([row.sequence for row in rows]),
        "name": _texts([row.name for row in rows]),
        "path": _texts([row.path for row in rows]),
    }


def joined_image(
    index: Path, names: Sequence[str], removed: NDArray[np.bool_], old: Path | None = None
) -> bytes:
    """The bytes of the HDF5 file that shows all shards as one, through virtual datasets.

    It names the shards relative to its own folder, so the index can be moved. `removed`, a flag for
    each row of a removed place, becomes a dataset. Columns that some shards lack are left out.
    `old` is an earlier joined file: shards that it names need not be opened.
    """
    parts_of_shard = _joined_parts(old) if old is not None else {}
    parts: dict[str, list[tuple[str, tuple[int, ...], Any]]] = {}
    for name in names:
        for key, (shape, kind) in (parts_of_shard.get(name) or _parts(index / name)).items():
            parts.setdefault(key, []).append((name, shape, kind))
    for key in ADDED:
        if len(parts.get(key, ())) < len(names):
            parts.pop(key, None)
    out = io.BytesIO()
    with h5py.File(out, "w", libver=_FORMAT) as file:
        for key, sources in sorted(parts.items()):
            _join(file, key, sources)
        joined = file["descriptors"]
        joined.attrs["meaning"] = MEANING[INT8 if joined.dtype == np.int8 else FLOAT32]
        file.create_dataset("removed", data=removed.astype(np.uint8), track_times=False)
    return out.getvalue()


def _parts(shard: Path) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Shape and type of each dataset of a shard."""
    with h5py.File(shard, "r", locking=False) as file:
        return {
            key: (dataset.shape, dataset.dtype)
            for key, dataset in file.items()
            if not key.startswith(SUMS)
        }


def _joined_parts(joined: Path) -> dict[str, dict[str, tuple[tuple[int, ...], Any]]]:
    """Shape and type of each dataset of each shard that a joined file names."""
    parts: dict[str, dict[str, tuple[tuple[int, ...], Any]]] = {}
    with h5py.File(joined, "r", locking=False) as file:
        for key, dataset in file.items():
            if dataset.is_virtual:
                for source in dataset.virtual_sources():
                    first, last = source.vspace.get_select_bounds()
                    shape = tuple(b - a + 1 for a, b in zip(first, last, strict=True))
                    parts.setdefault(source.file_name, {})[key] = (shape, dataset.dtype)
    return parts


def _join(file: Any, key: str, sources: list[tuple[str, tuple[int, ...], Any]]) -> None:
    """Add a virtual dataset over the datasets `key` of (file name, shape, dtype) sources.

    h5py's lower layer writes it: the upper layer stamps the time into virtual datasets.
    """
    count = sum(shape[0] for _, shape, _ in sources)
    row_shape = np.max([shape[1:] for _, shape, _ in sources], axis=0).astype(int).tolist()
    # Texts differ in length between shards: the longest type holds all.
    kind = max((kind for *_, kind in sources), key=lambda kind: kind.itemsize)
    if 0 in row_shape:  # an index without local features
        file.create_dataset(key, (count, *row_shape), kind, track_times=False)
        return
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    space = h5py.h5s.create_simple((count, *row_shape))
    start = 0
    for name, shape, _ in sources:
        space.select_hyperslab((start, *(0 for _ in row_shape)), shape)
        part = h5py.h5s.create_simple(shape)
        properties.set_virtual(space, name.encode(), key.encode(), part)
        start += shape[0]
    space.select_all()
    h5py.h5d.create(
        file.id, key.encode(), h5py.h5t.py_create(kind, logical=True), space, properties
    )


def _or_nan(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _texts(values: Sequence[str]) -> NDArray[Any]:
    encoded = [value.encode() for value in values]
    longest = max(1, *map(len, encoded)) if encoded else 1
    return np.array(encoded, h5py.string_dtype("utf-8", longest))


def crc32_of(part: NDArray[Any] | bytes) -> int:
    """The CRC-32 of an array's bytes."""
    return zlib.crc32(np.ascontiguousarray(part).data)


def _hdf5(table: Mapping[str, NDArray[Any]], **parts: Iterable[NDArray[Any] | bytes]) -> bytes:
    """An HDF5 file in memory: HDF5 itself does not recover from a disk that fills up.

    `parts` are each place's part of a large dataset, and get a checksum each.
    """
    sums_of_parts = {
        part_sums(key): np.array([crc32_of(part) for part in items], np.uint32)
        for key, items in parts.items()
    }
    small = {key: values for key, values in table.items() if key not in parts} | sums_of_parts
    sums = json.dumps({key: crc32_of(values) for key, values in small.items()})
    datasets = {**table, **sums_of_parts, SUMS: np.frombuffer(sums.encode(), np.uint8)}
    out = io.BytesIO()
    with h5py.File(out, "w", libver=_FORMAT) as file:
        for key, values in datasets.items():
            file.create_dataset(key, data=values, track_times=False)
    return out.getvalue()
