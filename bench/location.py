"""Does the radius of a location hold the spot where the photo was taken?

    python -m bench.location PLACES [QUERIES] [--model ID] [--precision auto|f32|int8]

Both are photos with positions, as for `place-search index`. Without QUERIES every second photo of
PLACES asks, and the others are indexed.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from bench.table import Row, print_rows
from place_search.core.geodesy import Position, both_positions, distances_m
from place_search.core.settings import AskedPrecision
from place_search.indexer import PlacePhoto, build_index, open_index, open_source
from place_search.models import DEFAULT_MODEL, open_model
from place_search.photos import read_position
from place_search.search.engine import Engine


def main() -> None:
    """Index, ask, and print the table."""
    parser = argparse.ArgumentParser(description="Measure how far locations can be trusted.")
    parser.add_argument("places", type=Path)
    parser.add_argument("queries", type=Path, nargs="?")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--precision", default="auto", choices=get_args(AskedPrecision))
    asked = parser.parse_args()
    model = open_model(asked.model, precision=asked.precision)
    places = open_source(asked.places)
    if asked.queries is None:
        queries = places.photos[1::2]
        places = replace(places, photos=places.photos[::2])
    else:
        queries = open_source(asked.queries).photos
    with tempfile.TemporaryDirectory() as scratch:
        index = Path(scratch) / "index"
        build_index(places, index, model)
        print_rows(measure(Engine(open_index(index), model), queries))


def measure(engine: Engine, queries: Sequence[PlacePhoto]) -> list[Row]:
    """Locate each query that has a position, and compare with it."""
    errors, radii = [], []
    known = [(query.path, truth) for query in queries if (truth := _position(query)) is not None]
    for path, truth in known:
        found = engine.search(path, verify=True).location
        if found is not None:
            here = np.array([[found.latitude, found.longitude]])
            errors.append(float(distances_m(here, truth)[0]))
            radii.append(found.radius_m)
    inside = [100.0 * (error <= radius) for error, radius in zip(errors, radii, strict=True)]
    return [
        Row("queries with a position", "", [len(known)]),
        Row("located", "%", [100 * len(errors) / max(len(known), 1)]),
        Row("error", "m", errors or [np.nan]),
        Row("radius", "m", radii or [np.nan]),
        Row("inside the radius", "%", [float(np.mean(inside)) if inside else np.nan], "≥ 90"),
    ]


def _position(photo: PlacePhoto) -> Position | None:
    known, _ = both_positions(photo.position, photo.utm)
    return known or read_position(photo.path)


if __name__ == "__main__":
    main()
