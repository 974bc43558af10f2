"""Lists that name each photo's place, or its video and frame."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.tables import PhotosOnce, open_table
from place_search.evaluation.truth.ground_truth import Rows
from place_search.training.data.places import Places, make_places
from place_search.training.errors import TrainingError

NEGATIVE_WINDOWS = 5
"""The distance, in windows, beyond which frames of a video are negatives of each other."""


def columns_of(file: Path) -> frozenset[str]:
    """The columns that a CSV's first row names."""
    with open_table(file, error=TrainingError) as table:
        return frozenset(table.columns)


def read_labels(file: Path, root: Path, window: int) -> Places:
    """Read a CSV with `image` (or `path`) and either `place`, or `video` and `frame`.

    Photos of one place are positives of each other; so are frames of one video that are at most
    `window` apart, and frames within `NEGATIVE_WINDOWS` windows are no negatives. A photo without
    a frame number is neither a positive nor a negative of the other photos of its video, as one of
    many photos of a landmark.

    Raises:
        TrainingError: a row without a photo, a place or a frame, a repeated photo, or no rows.
    """
    names: list[str] = []
    groups: list[str] = []
    frames: list[float] = []
    once = PhotosOnce(file, root, TrainingError)
    with open_table(file, ("path",), error=TrainingError) as table:
        if "video" not in table.columns:
            table.require("path", "place")
        by_place = "place" in table.columns
        if not by_place:
            table.require_spelt("frame")
        column = "place" if by_place else "video"
        for number, row in table:
            name, group = row["path"], row.get(column, "")
            if not name or not (root / name).is_file():
                raise TrainingError(
                    f"{file}, row {number}: there is no photo '{name}' under {root}; mend the row, "
                    "or name the folder of the photos with --root."
                )
            once.add(name, number)
            if not group:
                raise TrainingError(f"{file}, row {number}: the {column} is missing; fill it in.")
            names.append(name)
            groups.append(group)
            frames.append(0 if by_place else _frame(file, number, row))
    if not names:
        raise TrainingError(f"{file} lists no photos; give it a row for each photo.")
    numbers = np.array(frames, dtype=np.float64)
    members = _members(groups)
    positives, not_negatives = [], []
    for row_number, group in enumerate(groups):
        distances = np.abs(numbers[members[group]] - numbers[row_number])
        near_rows = members[group][distances <= window]
        positives.append(near_rows[near_rows != row_number])
        not_negatives.append(members[group][~(distances > NEGATIVE_WINDOWS * window)])
    return make_places(
        root,
        names,
        np.arange(len(names)),
        positives,
        not_negatives,
        _holdout_order(groups, numbers),
        "places" if by_place else "sequences",
    )


def _members(groups: Sequence[str]) -> Mapping[str, Rows]:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        rows[group].append(row)
    return {group: np.array(members) for group, members in rows.items()}


def _holdout_order(groups: Sequence[str], frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers that keep each group together, in an order independent of the groups' names."""
    frames = np.nan_to_num(frames)
    names = list(dict.fromkeys(groups))
    position = dict(zip(names, np.random.default_rng(0).permutation(len(names)), strict=True))
    first = np.array([position[group] for group in groups], dtype=np.float64)
    fraction = (frames - frames.min()) / (1.0 + float(np.ptp(frames)))
    return np.asarray(first + fraction, dtype=np.float64)


def _frame(file: Path, number: int, row: Mapping[str, str]) -> float:
    if not (text := row.get("frame", "")):
        return math.nan
    try:
        return int(text)
    except ValueError:
        raise TrainingError(
            f"{file}, row {number}: the frame '{text}' is no whole number; number "
            "the frames of each video."
        ) from None
