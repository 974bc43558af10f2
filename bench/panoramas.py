"""Measures panoramas as places and as queries.

    python -m bench.panoramas PLACES QUERIES [--within 3] [--model ID]

Both are photos in the order of the same walk: photo i of QUERIES shows the place of photo i of
PLACES. Panoramas are made of six photos of the walk, each 60° wide, and black above and below. As
places they hold all of PLACES, each photo once, and all of QUERIES are queries. As queries they
hold one photo of the first half, which is indexed, or none, and others of the second half.
"""

import argparse
import io
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.table import Row, print_rows
from place_search.indexer import Source, VideoRequest, build_index, open_index, open_source
from place_search.models import DEFAULT_MODEL, Model, open_model
from place_search.photos.opencv import cv2
from place_search.photos.panorama import VIEWS
from place_search.search.engine import Engine

SIDES = 6
"""The number of photos in a panorama."""
WIDTH = 2624
STEP = 2
"""The number of photos from one query to the next."""
MARGIN = 10
"""The number of photos on each side of the border between known and unknown that are no queries."""
HALF_A_STEP = 180 / VIEWS
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" '
    'GPano:ProjectionType="equirectangular" GPano:PoseHeadingDegrees="0"/></rdf:RDF></x:xmpmeta>'
)


def main() -> None:
    """Make panoramas, search both ways, and print the tables."""
    parser = argparse.ArgumentParser(description="Measure panoramas, as places and as queries.")
    parser.add_argument("places", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--within", type=int, default=3, help="photos beside the right one")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    args = parser.parse_args()
    model = open_model(args.model, precision="auto", verify=True)
    places = open_source(args.places)
    walk = [photo.path for photo in open_source(args.queries).photos]
    with tempfile.TemporaryDirectory() as scratch:
        print_rows(as_places(Path(scratch), model, places, walk, args.within))
        print_rows(as_queries(Path(scratch), model, places, walk, args.within))


def panorama(photos: Sequence[Path], first: float) -> bytes:
    """A panorama of photos side by side, with north in the middle; `first` is the first heading."""
    longitude, latitude = np.meshgrid(
        ((np.arange(WIDTH) + 0.5) / WIDTH - 0.5) * 2 * math.pi,
        (0.5 - (np.arange(WIDTH // 2) + 0.5) / (WIDTH // 2)) * math.pi,
    )
    sphere = np.zeros((WIDTH // 2, WIDTH, 3), np.uint8)
    for number, path in enumerate(photos):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        turned = longitude - math.radians(first + number * 360 / SIDES)
        _project(pixels, np.cos(latitude) * np.sin(turned), -np.sin(latitude), sphere, turned)
    out = io.BytesIO()
    Image.fromarray(sphere).save(out, "JPEG", quality=92, xmp=_XMP.encode())
    return out.getvalue()


def _project(
    pixels: NDArray[np.uint8],
    right: NDArray[Any],
    down: NDArray[Any],
    sphere: NDArray[np.uint8],
    turned: NDArray[Any],
) -> None:
    """Draw a photo on the sphere; `turned` are longitudes relative to the photo's heading."""
    rows, columns = pixels.shape[:2]
    focal = columns / 2 / math.tan(math.pi / SIDES)
    depth = np.maximum(np.sqrt(np.maximum(1 - down**2, 0)) * np.cos(turned), 1e-3)
    x = (right / depth * focal + columns / 2 - 0.5).astype(np.float32)
    y = (down / depth * focal + rows / 2 - 0.5).astype(np.float32)
    inside = (np.cos(turned) > 0) & (x >= 0) & (x <= columns - 1) & (y >= 0) & (y <= rows - 1)
    sphere[inside] = cv2.remap(pixels, x, y, cv2.INTER_LINEAR)[inside]


def as_places(
    scratch: Path, model: Model, places: Source, walk: Sequence[Path], tolerance: int
) -> list[Row]:
    """Index panoramas, and search with photos."""
    folder = scratch / "panoramas"
    folder.mkdir()
    count = len(places.photos) // SIDES
    random = np.random.default_rng(1)
    directions: dict[int, tuple[str, float]] = {}
    for at in range(count):
        rows = range(at, count * SIDES, count)
        first = float(random.uniform(0, 360))
        (folder / f"{at}.jpg").write_bytes(panorama([places.photos[r].path for r in rows], first))
        directions |= {row: (f"{at}.jpg", first + n * 360 / SIDES) for n, row in enumerate(rows)}
    index = scratch / "of-panoramas"
    build_index(open_source(folder, None, VideoRequest(index)), index, model)
    engine = Engine(open_index(index), model)
    right, ways, is_found = [], [], []
    for at in range(0, count * SIDES, STEP):
        answer = engine.search(walk[at], k=1)
        name, heading = answer.results[0].name.partition("#")[0], answer.results[0].heading or 0.0
        candidates = [
            directions[row]
            for row in range(at - tolerance, at + tolerance + 1)
            if row in directions
        ]
        true = [direction for direction in candidates if direction[0] == name]
        right.append(bool(true))
        is_found.append(answer.match.verdict == "found")
        if true:
            ways.append(min(_angle_between(heading, way) for _, way in true) <= HALF_A_STEP)
    return [
        Row("panoramas as places", "", [count]),
        Row("R@1 of photos", "%", [_percent(right)]),
        Row("  that look within half a step", "%", [_percent(ways)]),
        Row("found", "%", [_percent(is_found)]),
    ]


def as_queries(
    scratch: Path, model: Model, places: Source, walk: Sequence[Path], tolerance: int
) -> list[Row]:
    """Index photos, and search with panoramas."""
    known_count = len(places.photos) // 2
    build_index(replace(places, photos=places.photos[:known_count]), scratch / "of-photos", model)
    engine = Engine(open_index(scratch / "of-photos"), model)
    rows = {photo.name: row for row, photo in enumerate(places.photos[:known_count])}
    random = np.random.default_rng(1)
    right, ways, found_known, found_unknown, milliseconds = [], [], [], [], []
    for at in range(0, len(walk), STEP):
        if abs(at - known_count) < MARGIN:
            continue
        other_rows = random.integers(known_count + MARGIN, len(walk), SIDES - 1)
        first = float(random.uniform(0, 360))
        answer = engine.search(panorama([walk[at], *(walk[o] for o in other_rows)], first), k=1)
        best, is_found = answer.results[0], answer.match.verdict == "found"
        milliseconds.append(answer.timings_ms.total)
        if at >= known_count:
            found_unknown.append(is_found)
            continue
        right.append(abs(rows[best.name] - at) <= tolerance)
        found_known.append(is_found)
        if right[-1] and best.query_view is not None:
            ways.append(_angle_between(best.query_view.heading or 0.0, first) <= HALF_A_STEP)
    return [
        Row("panoramas as queries", "", [len(right) + len(found_unknown)]),
        Row("R@1 of panoramas", "%", [_percent(right)]),
        Row("  by the view within half a step", "%", [_percent(ways)]),
        Row("found", "%", [_percent(found_known)]),
        Row("found though not there", "%", [_percent(found_unknown)]),
        Row("a search", "ms", milliseconds),
    ]


def _percent(hits: Sequence[bool]) -> float:
    return 100 * sum(hits) / max(len(hits), 1)


def _angle_between(first: float, second: float) -> float:
    return abs((first - second + 180) % 360 - 180)


if __name__ == "__main__":
    main()
