"""Opens training data: splits, positions, lists with places or frames, or photos alone."""

from collections import defaultdict
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation import (
    GroundTruth,
    TruthError,
    read_places_truth,
    read_split_truth,
    read_truth_csv,
)
from place_search.evaluation.truth.ground_truth import Rows
from place_search.evaluation.truth.kinds.positions import part_folders
from place_search.evaluation.truth.positives import plane, within
from place_search.indexer import open_source
from place_search.indexer.pipeline import stored_path
from place_search.indexer.sources.split import is_split
from place_search.training.data.label_lists import columns_of, read_labels
from place_search.training.data.places import NO_ROWS, Places, make_places, of_other_visits
from place_search.training.errors import TrainingError

LISTS = ("images.csv", "photos.csv")
"""Names of lists in a folder of photos."""
Part: TypeAlias = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Range:
    """The extent of a place: in metres, or in frames of a video.

    Positives are within `positive_m`, negatives beyond `negative_m` (NetVLAD's training: 10 and
    25); frames within `window` of each other are positives.

    Raises:
        TrainingError: `positive_m` is above `negative_m`.
    """

    positive_m: float = 10.0
    negative_m: float = 25.0
    window: int = 2

    def __post_init__(self) -> None:
        """Make sure that no pair of photos is of the same place and of different places."""
        if self.positive_m > self.negative_m:
            raise TrainingError(
                f"--positive-m {self.positive_m:g} is above --negative-m {self.negative_m:g}, so "
                "that photos in between would be of the same place and of another; give a "
                "--negative-m of at least as much."
            )


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Photos to train on, and photos for `validation`: by default a share of `photos`.

    `root` and `queries_dir` are those of a split, as `open_places` takes them; photos for
    validation are under the same root.
    """

    photos: Path
    validation: Path | None = None
    root: Path | None = None
    queries_dir: str | None = None
    rules: Range = field(default_factory=Range)


_RULES_OF = {"positions": ("positive_m", "negative_m"), "sequences": ("window",)}
"""The fields of `Range` that say what a place is, by the kind of the photos' labels."""


def require_rules(rules: Range, *parts: Places | None) -> None:
    """Refuse a changed rule that has no part in any of the photos. Raises `TrainingError`."""
    used = {name for part in parts if part is not None for name in _RULES_OF.get(part.kind, ())}
    for rule in fields(rules):
        if rule.name not in used and getattr(rules, rule.name) != rule.default:
            what = "frames of videos" if rule.name == "window" else "photos with positions"
            raise TrainingError(
                f"--{rule.name.replace('_', '-')} only works with {what}, which these are not; "
                "leave it out."
            )


def require_paths(
    *sources: Path | None, root: Path | None = None, queries_dir: str | None = None
) -> None:
    """Refuse a `root` or a `queries_dir` that has no part in any of the sources.

    Raises:
        TrainingError: all say themselves that their photos are elsewhere, or none is a split.
    """
    named = [source for source in sources if source is not None and source.exists()]
    if queries_dir is not None and named and not any(map(is_split, named)):
        raise TrainingError(f"--queries-dir only works with a split, and {named[0]} is none.")
    own = {(source if source.is_dir() else source.parent).resolve() for source in named}
    if root is not None and own - {root.resolve()} and not any(map(_names_paths, named)):
        raise TrainingError(
            f"{named[0]} says itself where its photos are, so that --root makes no sense; leave it "
            "out."
        )


def _names_paths(data: Path) -> bool:
    """Whether `open_places` takes the photos of `data` from under a root."""
    listing = None if part_folders(data) else _listing(data)
    columns = frozenset[str]() if listing is None else columns_of(listing)
    return is_split(data) or bool(columns & {"place", "video"}) or {"query", "positives"} <= columns


def open_places(
    data: Path,
    *,
    root: Path | None = None,
    queries_dir: str | None = None,
    rules: Range | None = None,
    part: Part = "train",
) -> Places:
    """Read the photos of `data` and their labels.

    `data` is a split (`.mat`, `.npz`; its photos under `root`), a folder with `database/` and
    `queries/`, a data set with such folders in its `part`, photos with positions (a CSV, `@` names,
    Exif), a CSV or a folder's `images.csv` with the columns `image` or `path` and `place`, or
    `video` and `frame`, a CSV with `query,positives`, or just photos.

    Raises:
        TrainingError: a list that contradicts itself, or a data set without this part.
        SourceError, TruthError: photos that cannot be listed.
    """
    rules = rules or Range()
    if not part_folders(data):
        data = _part_of(data, part)
    if is_split(data):
        truth = read_split_truth(data, root or data.parent, queries_dir, rules.positive_m)
        truth.require_photos()
        return _from_positions(truth, rules)
    if folders := part_folders(data):
        return _from_positions(read_places_truth(*folders, rules.positive_m), rules)
    listing = _listing(data)
    columns = frozenset[str]() if listing is None else columns_of(listing)
    if listing is not None and {"query", "positives"} <= columns:
        return _from_truth(read_truth_csv(listing, root or listing.parent))
    if listing is not None and columns & {"place", "video"}:
        return read_labels(listing, root or listing.parent, rules.window)
    try:
        return _from_positions(read_places_truth(data, None, rules.positive_m), rules)
    except TruthError:  # no photo has a position
        return _from_photos(data)


def _part_of(data: Path, part: Part) -> Path:
    """The folder of a part of a benchmark's data set; any other data unchanged.

    Raises:
        TrainingError: the data set has only other parts.
    """
    if not data.is_dir() or _listing(data) is not None:
        return data
    for parent in (data / "images", data):
        parts = [name for name in get_args(Part) if (parent / name).is_dir()]
        if len(parts) < 2 and not any((parent / name / "database").is_dir() for name in parts):
            continue  # a folder that happens to have the name of a part
        if part not in parts:
            raise TrainingError(
                f"{data} has the folders {', '.join(parts)} in {parent}, but no {part}; name the "
                f"folder of the photos that are meant, as {parent / parts[0]}."
            )
        return parent / part
    return data


def _listing(data: Path) -> Path | None:
    if data.suffix.lower() == ".csv" and data.is_file():
        return data
    return next((data / name for name in LISTS if (data / name).is_file()), None)


def _from_positions(truth: GroundTruth, rules: Range) -> Places:
    """Photos with positions; a query may be a photo of the database itself."""
    metres, query_metres = truth.database_metres, truth.query_metres
    if metres is None or query_metres is None:
        raise TrainingError(f"{truth.name} has no positions; give another list.")
    photos, positives, asked = _photos_and_positives(truth)
    everything = np.concatenate([metres, query_metres[[not own.size for own in truth.own_rows]]])
    not_negatives = within(everything, everything, rules.negative_m)
    order = _along_longest_axis(plane(everything))
    database = np.arange(len(truth.database))
    visits = _visits(truth)
    positives = [of_other_visits(visits, row, rows) for row, rows in enumerate(positives)]
    places = make_places(
        truth.root, photos, database, positives, not_negatives, order, "positions", truth.warnings
    )
    return replace(places, asked=asked, visits=visits)


def _visits(truth: GroundTruth) -> NDArray[np.float64] | None:
    """The visits of all photos, in the order of `_photos_and_positives`; TokyoTM tells them."""
    times, query_times = truth.database_times, truth.query_times
    if times is None or query_times is None:
        return None
    return np.concatenate([times, query_times[[not own.size for own in truth.own_rows]]])


def _photos_and_positives(truth: GroundTruth) -> tuple[list[str], list[Rows], Rows]:
    """All photos, the database and then the queries outside it; their positives; the query rows."""
    photos = list(truth.database)
    asked: list[int] = []
    positives: list[Rows] = [NO_ROWS] * len(photos)
    for query, own, rows in zip(truth.queries, truth.own_rows, truth.positives, strict=True):
        asked += own.tolist() or [len(photos)]
        for row in own.tolist():
            positives[row] = rows
        if not own.size:
            photos.append(query)
            positives.append(rows)
    return photos, positives, np.unique(np.array(asked, dtype=np.int64))


def _along_longest_axis(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The coordinate of each point along the axis of their largest variance."""
    is_known = np.asarray(np.isfinite(points).all(axis=1))
    centred = np.where(is_known[:, None], points - points[is_known].mean(axis=0), 0.0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    return np.asarray(centred @ axis, dtype=np.float64)


def _from_truth(truth: GroundTruth) -> Places:
    """The photos of a truth file; photos linked by up to three positives are no negatives."""
    photos, positives, asked = _photos_and_positives(truth)
    neighbours: defaultdict[int, set[int]] = defaultdict(set)
    for row, positive_rows in enumerate(positives):
        for neighbour in positive_rows.tolist():
            neighbours[row].add(neighbour)
            neighbours[neighbour].add(row)
    not_negatives = []
    for row in range(len(photos)):
        reached = {row}
        for _ in range(3):
            reached |= {neighbour for photo in reached for neighbour in neighbours[photo]}
        not_negatives.append(np.array(sorted(reached)))
    # A query has the holdout order of the first photo near it.
    order = np.array([rows[0] for rows in not_negatives], dtype=np.float64)
    database = np.arange(len(truth.database))
    places = make_places(
        truth.root, photos, database, positives, not_negatives, order, "truth", truth.warnings
    )
    return replace(places, asked=asked)


def _from_photos(data: Path) -> Places:
    """Photos without labels: each is a place of its own."""
    source = open_source(data)
    rows = np.arange(len(source.photos))
    own = [rows[row : row + 1] for row in rows.tolist()]
    photos = [stored_path(photo.path, source.root) for photo in source.photos]
    # A random order, so that held-out photos are of all kinds.
    order = np.random.default_rng(0).permutation(len(rows)).astype(np.float64)
    return make_places(source.root, photos, rows, own, own, order, "photos", source.left_unread)
