"""Do several photos of one spot find it more often than one of them?

    python -m bench.together PLACES QUERIES [--together 1,4,8] [--within 3] [--model ID]

Both are photos in the order of one walk: the photo of QUERIES at a place in that order shows the
place of PLACES at the same one. The first half of PLACES is indexed; the second half of QUERIES
asks for places that are not there.
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
"""Photos from one query to the next."""
MARGIN = 10
"""Photos beside the border between known and unknown that do not ask."""


def main() -> None:
    """Index, ask with one photo and with several, and print the table."""
    parser = argparse.ArgumentParser(description="Measure queries of several photos.")
    parser.add_argument("places", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--together", default="1,4,8")
    parser.add_argument("--within", type=int, default=3, help="photos beside the right one")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    asked = parser.parse_args()
    model = open_model(asked.model, precision="auto", verify=True)
    places = open_source(asked.places)
    walk = [photo.path for photo in open_source(asked.queries).photos]
    half = len(places.photos) // 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        build_index(replace(places, photos=places.photos[:half]), folder, model)
        engine = Engine(open_index(folder), model)
        names = [photo.name for photo in places.photos[:half]]
        for count in map(int, asked.together.split(",")):
            print_rows(measure(engine, walk, names, count, asked.within))


def measure(
    engine: Engine, walk: Sequence[Path], names: Sequence[str], count: int, within: int
) -> list[Row]:
    """Recall@1, and how often places that are not there are found, with `count` photos a query."""
    right, found, false = [], [], []
    for at in range(0, len(walk) - count, STEP):
        middle = at + count // 2
        if abs(middle - len(names)) < MARGIN:
            continue
        answer = engine.search(walk[at : at + count], k=1)
        sure = answer.match.verdict == "found"
        if middle < len(names):
            off = abs(names.index(answer.results[0].name) - middle)
            right.append(off <= within)
            found.append(sure)
        else:
            false.append(sure)
    return [
        Row(f"R@1 of {count} together", "%", [100 * float(np.mean(right))]),
        Row("known, and found", "%", [100 * float(np.mean(found))]),
        Row("unknown, but found", "%", [100 * float(np.mean(false))]),
    ]


if __name__ == "__main__":
    main()
