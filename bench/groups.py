"""Measures the grouping of photos of one spot: precision, recall and time.

    python -m bench.groups PHOTOS [--labels CSV] [--within METRES] [--model ID]

Photos of one place are those in one folder directly under PHOTOS; with `--labels`, a CSV with the
columns `path` and `place`, those of one place in the CSV, which leaves out other photos; with
`--within`, those at most METRES apart. Precision is the share of the pairs in one group that are of
one place, recall the share of the pairs of one place that are in one group.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.table import Row, print_rows
from place_search.core.errors import PlaceSearchError
from place_search.core.geodesy import geocentric
from place_search.core.tables import open_table
from place_search.indexer import Index, build_index, open_index, open_source
from place_search.models import DEFAULT_MODEL, open_model
from place_search.search.groups.grouping import group_places

Pairs = NDArray[np.bool_]
"""(N, N): whether two photos are of one place, or in one group."""


def main() -> None:
    """Index, group, and print the table."""
    parser = argparse.ArgumentParser(description="Measure groups of photos of one spot.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--within", type=float, metavar="METRES")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    args = parser.parse_args()
    labels = labels_of(args.labels) if args.labels else None
    model = open_model(args.model, precision="auto", verify=True)
    source = open_source(args.photos)
    if labels is not None:
        labelled = [photo for photo in source.photos if photo.name in labels]
        source = replace(source, photos=labelled)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        build_index(source, folder, model)
        start = time.perf_counter()
        group_places(folder, model)
        seconds = time.perf_counter() - start
        index = open_index(folder)
        same_place = (
            near_pairs(index, args.within)
            if args.within
            else equal_pairs([place_of(place.name, labels) for place in index.places()])
        )
        print_rows(measure(same_place, equal_pairs(groups_of(index)), seconds))


def labels_of(table: Path) -> dict[str, str]:
    """The place of each photo."""
    with open_table(table, ("path", "place"), error=PlaceSearchError) as rows:
        return {row["path"]: row["place"] for _, row in rows}


def place_of(name: str, labels: dict[str, str] | None) -> str:
    """The place that a photo shows."""
    return name.partition("/")[0] if labels is None else labels[name]


def groups_of(index: Index) -> list[int]:
    """The group of each place, by ascending id."""
    of = dict(zip(index.groups.place_id.tolist(), index.groups.group.tolist(), strict=True))
    return [of[place_id] for place_id in index.place_ids.tolist()]


def equal_pairs(labels: Sequence[object]) -> Pairs:
    """The pairs with the same label."""
    _, numbers = np.unique([str(label) for label in labels], return_inverse=True)
    return np.equal.outer(numbers, numbers)


def near_pairs(index: Index, metres: float) -> Pairs:
    """The pairs of places at most `metres` apart."""
    at = geocentric(index.positions)
    return np.asarray(np.linalg.norm(at[:, None] - at[None], axis=2) <= metres)


def measure(same_place: Pairs, same_group: Pairs, seconds: float) -> list[Row]:
    """Precision and recall of all pairs of different photos."""
    upper = np.triu(np.ones_like(same_place), 1)
    right = float((same_place & same_group & upper).sum())
    return [
        Row("photos", "", [len(same_place)]),
        Row(
            "pairs in one group that are of one place",
            "%",
            [100 * right / (same_group & upper).sum()],
        ),
        Row(
            "pairs of one place that are in one group",
            "%",
            [100 * right / (same_place & upper).sum()],
        ),
        Row("grouping", "ms/photo", [1000 * seconds / len(same_place)]),
    ]


if __name__ == "__main__":
    main()
