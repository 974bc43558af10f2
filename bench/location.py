"""Measures locations: their errors, and the share of photos taken within the radius.

    python -m bench.location PLACES [QUERIES] [--model ID] [--precision auto|f32|int8]

Both are photos with positions, as for `place-search index`. Without QUERIES every second photo of
PLACES is a query, and the others are indexed.
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
    """Index, search, and print the table."""
    parser = argparse.ArgumentParser(description="Measure how far locations can be trusted.")
    parser.add_argument("places", type=Path)
    parser.add_argument("queries", type=Path, nargs="?")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--precision", default="auto", choices=get_args(AskedPrecision))
    args = parser.parse_args()
    model = open_model(args.model, precision=args.precision)
    places = open_source(args.places)
    if args.queries is None:
        queries = places.photos[1::2]
        places = replace(places, photos=places.photos[::2])
    else:
        queries = open_source(args.queries).photos
    with tempfile.TemporaryDirectory() as scratch:
        index = Path(scratch) / "index"
        build_index(places, index, model)
        print_rows(measure(Engine(open_index(index), model), queries))


def measure(engine: Engine, queries: Sequence[PlacePhoto]) -> list[Row]:
    """Locate each query with a position, and compare with that position."""
    errors, radii = [], []
    located_queries = [
        (query.path, truth) for query in queries if (truth := _position(query)) is not None
    ]
    for path, truth in located_queries:
        location = engine.search(path, verify=True).location
        if location is not None:
            point = np.array([[location.latitude, location.longitude]])
            errors.append(float(distances_m(point, truth)[0]))
            radii.append(location.radius_m)
    inside = [100.0 * (error <= radius) for error, radius in zip(errors, radii, strict=True)]
    return [
        Row("queries with a position", "", [len(located_queries)]),
        Row("located", "%", [100 * len(errors) / max(len(located_queries), 1)]),
        Row("error", "m", errors or [np.nan]),
        Row("radius", "m", radii or [np.nan]),
        Row("inside the radius", "%", [float(np.mean(inside)) if inside else np.nan], "≥ 90"),
    ]


def _position(photo: PlacePhoto) -> Position | None:
    position, _ = both_positions(photo.position, photo.utm)
    return position or read_position(photo.path)


if __name__ == "__main__":
    main()
