"""Measures queries of several photos of one spot beside queries of one photo.

    python -m bench.together PLACES QUERIES [--together 1,4,8] [--within 3] [--model ID]

Both are photos in the order of the same walk: photo i of QUERIES shows the place of photo i of
PLACES. The first half of PLACES is indexed; the second half of QUERIES is of places that are not in
the index.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.table import Row, print_rows
from place_search.indexer import build_index, open_index, open_source
from place_search.models import DEFAULT_MODEL, open_model
from place_search.search.engine import Engine

STEP = 5
"""The number of photos from one query to the next."""
MARGIN = 10
"""The number of photos on each side of the border between known and unknown that are no queries."""


def main() -> None:
    """Index, search with one photo and with several, and print the tables."""
    parser = argparse.ArgumentParser(description="Measure queries of several photos.")
    parser.add_argument("places", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--together", default="1,4,8")
    parser.add_argument("--within", type=int, default=3, help="photos beside the right one")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    args = parser.parse_args()
    model = open_model(args.model, precision="auto", verify=True)
    places = open_source(args.places)
    walk = [photo.path for photo in open_source(args.queries).photos]
    known_count = len(places.photos) // 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        build_index(replace(places, photos=places.photos[:known_count]), folder, model)
        engine = Engine(open_index(folder), model)
        names = [photo.name for photo in places.photos[:known_count]]
        for count in map(int, args.together.split(",")):
            print_rows(measure(engine, walk, names, count, args.within))


def measure(
    engine: Engine, walk: Sequence[Path], names: Sequence[str], count: int, tolerance: int
) -> list[Row]:
    """Recall@1, and the shares of known and unknown places found, with `count` photos a query."""
    right, found_known, found_unknown = [], [], []
    for at in range(0, len(walk) - count, STEP):
        middle = at + count // 2
        if abs(middle - len(names)) < MARGIN:
            continue
        answer = engine.search(walk[at : at + count], k=1)
        is_found = answer.match.verdict == "found"
        if middle < len(names):
            error = abs(names.index(answer.results[0].name) - middle)
            right.append(error <= tolerance)
            found_known.append(is_found)
        else:
            found_unknown.append(is_found)
    return [
        Row(f"R@1 of {count} together", "%", [100 * float(np.mean(right))]),
        Row("known, and found", "%", [100 * float(np.mean(found_known))]),
        Row("unknown, but found", "%", [100 * float(np.mean(found_unknown))]),
    ]


if __name__ == "__main__":
    main()
