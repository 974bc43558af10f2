"""The truth of photos with positions: folders with `@` names or Exif, CSV files with columns."""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.text import counted
from place_search.evaluation.errors import TruthError
from place_search.evaluation.truth.ground_truth import GroundTruth, Order
from place_search.evaluation.truth.positives import RADIUS_M, metres_of, within
from place_search.evaluation.truth.truth_files import TruthFiles
from place_search.indexer import PlacePhoto, Source, open_source
from place_search.indexer.sources.poses import on_ground
from place_search.photos import read_position

_TEST_PARTS = ("images/test", "test", "")
"""Folders of a data set that may be its test part; "" stands for a data set without parts."""
_TRAINING_PARTS = ("images/val", "images/train", "val", "train")
"""Folders of a data set that are parts for training, evaluated only where named themselves."""
_DATABASES = ("database", "db", "gallery", "index", "map", "places", "ref")
"""The usual names of folders of database photos, or their beginnings."""


def reads(files: TruthFiles) -> bool:
    """Whether photos are named: one collection, or a database and queries."""
    return files.data is not None or (files.database is not None and files.queries is not None)


def read(files: TruthFiles, lenient: bool) -> GroundTruth:
    """The truth by distance; only a list of paths beside a folder can name missing photos."""
    data = files.data
    if data is None:
        assert files.database is not None  # noqa: S101 - reads has seen to it
        return read_places_truth(files.database, files.queries, files.radius_m)
    if data.is_dir() and (folders := benchmark_folders(data)):
        return read_places_truth(*folders, files.radius_m)
    _require_queries(data)
    return read_places_truth(data, None, files.radius_m)


def _require_queries(data: Path) -> None:
    """Refuse a benchmark whose two folders have other names than `database` and `queries`.

    Otherwise its photos would be searched among themselves.

    Raises:
        TruthError: a folder is named like a database or like queries, without its counterpart, or
            only parts for training have both.
    """
    for folder in (data / inner for inner in _TEST_PARTS):
        if not folder.is_dir():
            continue
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        asking = [name for name in names if name.lower().startswith("quer")]
        searched = [name for name in names if name.lower().startswith(_DATABASES)]
        if asking or any(name.lower().startswith("database") for name in names):
            queries, database = (asking or ["QUERIES"])[0], (searched or ["DATABASE"])[0]
            raise TruthError(
                f"{folder} has a folder '{(searched or asking)[0]}', but not the two folders "
                "'database' and 'queries'; say which photos are searched and which ask: "
                f"--database {folder / database} --queries {folder / queries}."
            )
    if parts := [inner for inner in _TRAINING_PARTS if (data / inner / "database").is_dir()]:
        raise TruthError(
            f"{data} has no part to test on, but {' and '.join(parts)}; name the one that is "
            f"meant, as {data / parts[0]}."
        )


def benchmark_folders(data: Path) -> tuple[Path, Path] | None:
    """The folders `database` and `queries` of a benchmark data set, None for other folders.

    `data` holds these two, or has them in its folder `images/test` or `test`.
    """
    return next((folders for inner in _TEST_PARTS if (folders := part_folders(data / inner))), None)


def part_folders(part: Path) -> tuple[Path, Path] | None:
    """The folders `database` and `queries` of one part of a data set, if it holds both."""
    database, queries = part / "database", part / "queries"
    return (database, queries) if database.is_dir() and queries.is_dir() else None


def read_places_truth(
    database: Path, queries: Path | None = None, radius_m: float | None = None
) -> GroundTruth:
    """Positives by distance: photos of `database` within `radius_m` (25) of each query.

    Both are folders or CSV files as `place-search index` takes them. Without `queries`, each photo
    of `database` is a query against all others (leave-one-out). Photos without a position are no
    queries.

    Raises:
        SourceError: a folder or CSV file that cannot be used.
        TruthError: no photo of one of the two has a position.
    """
    places = open_source(database)
    query_source = None if queries is None else open_source(queries)
    radius = RADIUS_M if radius_m is None else radius_m
    sources = [places] if query_source is None else [places, query_source]
    placed_photos, incomparable = zip(*map(_placed, sources), strict=True)
    listed = [*chain.from_iterable(placed_photos)]
    root = _root([places.root, (query_source or places).root], listed)
    metres = metres_of(listed)
    if query_source is not None:
        metres = _on_one_ground(metres, places, query_source)
    count = len(places.photos)
    has_position = np.asarray(np.isfinite(metres).all(axis=1))
    for source, rows in ((places, has_position[:count]), (query_source, has_position[count:])):
        if source is not None and not rows.any():
            raise TruthError(
                f"None of the photos in {database if source is places else queries} has a "
                "position; give a CSV with path,latitude,longitude or photos with Exif GPS."
            )
    names = tuple(os.path.relpath(photo.path, root) for photo in listed)
    query_rows = np.arange(count) if query_source is None else np.arange(count, len(listed))
    placed = query_rows[has_position[query_rows]]  # other queries have no known place
    return GroundTruth(
        root=root,
        database=names[:count],
        queries=tuple(names[row] for row in placed.tolist()),
        positives=within(metres[:count], metres[placed], radius),
        name=_name(database) if queries is None else _pair_name(database, queries),
        protocol="leave-one-out" if query_source is None else "raw",
        radius_m=radius,
        database_metres=metres[:count],
        query_metres=metres[placed],
        database_order=_order(places.photos),
        query_order=_order([listed[row] for row in placed.tolist()]),
        missing=tuple(
            names[row]
            for row in sorted({*range(count), *placed.tolist()})
            # A link that leads nowhere is an unreadable photo.
            if not os.path.lexists(listed[row].path)
        ),
        warnings=(
            *(
                sentence
                for source in sources
                for sentence in (*source.left_unread, *source.intake.warnings)
            ),
            *filter(None, incomparable),
            *_without_positions(
                has_position[:count],
                "photos that are searched",
                "they are right for no query, whatever they show, which lowers the recall",
            ),
            *_without_positions(has_position[query_rows], "queries", "they are left out"),
        ),
    )


def _on_one_ground(
    metres: NDArray[np.float64], places: Source, queries: Source
) -> NDArray[np.float64]:
    """Metres of database and queries; of two models, which share a frame, on one plane.

    Raises:
        TruthError: one is a model whose plane is its own, so that the other has no place on it.
    """
    if places.centres is not None and queries.centres is not None:
        return on_ground(np.concatenate([places.centres, queries.centres]))[0]
    for source, other in ((places, queries), (queries, places)):
        if source.centres is not None and on_ground(source.centres)[1]:
            raise TruthError(
                f"The third axis of the model of {source.root} does not point up, so its metres "
                f"are not those of {other.root}; turn it, or give both as models of one frame."
            )
    return metres


def _order(photos: Iterable[PlacePhoto]) -> Order:
    keys = [(photo.sequence, math.nan if photo.taken is None else photo.taken) for photo in photos]
    return Order(tuple(sequence for sequence, _ in keys), np.array([time for _, time in keys]))


def _without_positions(has_position: NDArray[np.bool_], photos: str, consequence: str) -> list[str]:
    lacking = int((~has_position).sum())
    return (
        [f"{lacking} of the {len(has_position)} {photos} have no position: {consequence}."]
        if lacking
        else []
    )


def _root(roots: Sequence[Path], photos: Sequence[PlacePhoto]) -> Path:
    """The folder that names are relative to: that of the lists, or the deepest with all photos."""
    root = Path(os.path.commonpath(roots))
    folders = {photo.path.parent for photo in photos}
    if all(folder.is_relative_to(root) for folder in folders):
        return root
    return Path(os.path.commonpath(folders))


def _placed(source: Source) -> tuple[list[PlacePhoto], str]:
    """Photos with the positions that an index of them has: the source's, else their metadata's.

    The metres of a model that names no place on Earth cannot be compared with degrees of metadata:
    photos that have only these have no position, and a sentence says so, else "".
    """
    photos = [
        photo if photo.is_placed else replace(photo, position=read_position(photo.path))
        for photo in source.photos
    ]
    lost = [] if source.centres is None else [photo for photo in photos if photo.position]
    if not lost:
        return photos, ""
    return [replace(photo, position=None) for photo in photos], (
        f"{counted(len(lost), 'photo')} of {source.root}, such as '{lost[0].name}', lost a "
        "position: it is in degrees, which cannot be compared with the metres of a model that does "
        "not name its place on Earth."
    )


def _pair_name(database: Path, queries: Path) -> str:
    """A benchmark's own name, else the names of both folders: `day_left → night_right`."""
    if database.parent == queries.parent and database.name == "database":
        return _name(database)
    return f"{_name(database)} → {_name(queries)}"


def _name(data: Path) -> str:
    """The name of the data: `pitts30k-test` for pitts30k/images/test/database."""
    parts = data.resolve().parts
    if parts[-1] == "database" and "images" in parts[-3:-1]:
        return f"{parts[-4]}-{parts[-2]}"
    return data.resolve().stem if data.is_file() else parts[-1]
