"""How well are photos of one spot put together, and how long does it take?

    python -m bench.groups PHOTOS [--labels CSV] [--within METRES] [--model ID]

Photos show one place where they lie in one folder right under PHOTOS; with `--labels`, a CSV with
the columns `path` and `place`, where it says so, and other photos are left out; with `--within`,
where their positions are at most so many metres apart. Precision is the share of the pairs in one
group that are of one place, recall the share of the pairs of one place that are in one group.
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
"""(N, N): whether two places belong together."""


def main() -> None:
    """Index, group, and print the table."""
    parser = argparse.ArgumentParser(description="Measure groups of photos of one spot.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--within", type=float, metavar="METRES")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    asked = parser.parse_args()
    labels = labels_of(asked.labels) if asked.labels else None
    model = open_model(asked.model, precision="auto", verify=True)
    source = open_source(asked.photos)
    if labels is not None:
        known = [photo for photo in source.photos if photo.name in labels]
        source = replace(source, photos=known)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        build_index(source, folder, model)
        start = time.perf_counter()
        group_places(folder, model)
        seconds = time.perf_counter() - start
        index = open_index(folder)
        same = (
            near(index, asked.within)
            if asked.within
            else alike([place_of(place.name, labels) for place in index.places()])
        )
        print_rows(measure(same, alike(groups_of(index)), seconds))


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


def alike(labels: Sequence[object]) -> Pairs:
    """Which have the same label."""
    _, numbers = np.unique([str(label) for label in labels], return_inverse=True)
    return np.equal.outer(numbers, numbers)


def near(index: Index, metres: float) -> Pairs:
    """Which lie at most so many metres apart."""
    at = geocentric(index.positions)
    return np.asarray(np.linalg.norm(at[:, None] - at[None], axis=2) <= metres)


def measure(same: Pairs, together: Pairs, seconds: float) -> list[Row]:
    """Precision and recall of all pairs of different photos."""
    upper = np.triu(np.ones_like(same), 1)
    both = float((same & together & upper).sum())
    return [
        Row("photos", "", [len(same)]),
        Row(
            "pairs in one group that are of one place", "%", [100 * both / (together & upper).sum()]
        ),
        Row("pairs of one place that are in one group", "%", [100 * both / (same & upper).sum()]),
        Row("grouping", "ms/photo", [1000 * seconds / len(same)]),
    ]


if __name__ == "__main__":
    main()
