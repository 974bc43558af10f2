"""Do panoramas find their places, and photos the panoramas that show theirs?

    python -m bench.panoramas PLACES QUERIES [--within 3] [--model ID]

Both are photos in the order of one walk: the photo of QUERIES at a place in that order shows the
place of PLACES at the same one. Panoramas are made of six photos of the walk, each 60° wide, with
nothing above and below. As places they hold all of PLACES, each photo once, and all of QUERIES ask.
As queries they hold one photo of the first half, which is indexed, or none, and others of the
second.
"""

import argparse
import io
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.table import Row, print_rows
from place_search.indexer import Source, VideoRequest, build_index, open_index, open_source
from place_search.models import DEFAULT_MODEL, Model, open_model
from place_search.photos.panorama import VIEWS
from place_search.search.engine import Engine

SIDES = 6
"""Photos around a panorama."""
WIDTH = 2624
STEP = 2
"""Photos from one query to the next."""
MARGIN = 10
"""Photos beside the border between known and unknown that do not ask."""
HALF_A_STEP = 180 / VIEWS
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" '
    'GPano:ProjectionType="equirectangular" GPano:PoseHeadingDegrees="0"/></rdf:RDF></x:xmpmeta>'
)


def main() -> None:
    """Make panoramas, ask both ways, and print the table."""
    parser = argparse.ArgumentParser(description="Measure panoramas, as places and as queries.")
    parser.add_argument("places", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--within", type=int, default=3, help="photos beside the right one")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    asked = parser.parse_args()
    model = open_model(asked.model, precision="auto", verify=True)
    places = open_source(asked.places)
    walk = [photo.path for photo in open_source(asked.queries).photos]
    with tempfile.TemporaryDirectory() as scratch:
        print_rows(as_places(Path(scratch), model, places, walk, asked.within))
        print_rows(as_queries(Path(scratch), model, places, walk, asked.within))


def panorama(photos: Sequence[Path], first: float) -> bytes:
    """A panorama whose middle looks north, of photos side by side; the first looks to `first`."""
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
    """Draw a photo on the sphere; `turned` are longitudes from where the photo looks."""
    rows, columns = pixels.shape[:2]
    focal = columns / 2 / math.tan(math.pi / SIDES)
    ahead = np.maximum(np.sqrt(np.maximum(1 - down**2, 0)) * np.cos(turned), 1e-3)
    x = (right / ahead * focal + columns / 2 - 0.5).astype(np.float32)
    y = (down / ahead * focal + rows / 2 - 0.5).astype(np.float32)
    inside = (np.cos(turned) > 0) & (x >= 0) & (x <= columns - 1) & (y >= 0) & (y <= rows - 1)
    sphere[inside] = cv2.remap(pixels, x, y, cv2.INTER_LINEAR)[inside]


def as_places(
    scratch: Path, model: Model, places: Source, walk: Sequence[Path], within: int
) -> list[Row]:
    """Panoramas are indexed, and photos ask."""
    folder = scratch / "panoramas"
    folder.mkdir()
    apart = len(places.photos) // SIDES
    random = np.random.default_rng(1)
    looks: dict[int, tuple[str, float]] = {}
    for at in range(apart):
        rows = range(at, apart * SIDES, apart)
        first = float(random.uniform(0, 360))
        (folder / f"{at}.jpg").write_bytes(panorama([places.photos[r].path for r in rows], first))
        looks |= {row: (f"{at}.jpg", first + n * 360 / SIDES) for n, row in enumerate(rows)}
    index = scratch / "of-panoramas"
    build_index(open_source(folder, None, VideoRequest(index)), index, model)
    engine = Engine(open_index(index), model)
    right, ways, found = [], [], []
    for at in range(0, apart * SIDES, STEP):
        answer = engine.search(walk[at], k=1)
        name, heading = answer.results[0].name.partition("#")[0], answer.results[0].heading or 0.0
        near = [looks[row] for row in range(at - within, at + within + 1) if row in looks]
        true = [look for look in near if look[0] == name]
        right.append(bool(true))
        found.append(answer.match.verdict == "found")
        if true:
            ways.append(min(_apart(heading, way) for _, way in true) <= HALF_A_STEP)
    return [
        Row("panoramas as places", "", [apart]),
        Row("R@1 of photos", "%", [_percent(right)]),
        Row("  that look within half a step", "%", [_percent(ways)]),
        Row("found", "%", [_percent(found)]),
    ]


def as_queries(
    scratch: Path, model: Model, places: Source, walk: Sequence[Path], within: int
) -> list[Row]:
    """Photos are indexed, and panoramas ask."""
    half = len(places.photos) // 2
    build_index(replace(places, photos=places.photos[:half]), scratch / "of-photos", model)
    engine = Engine(open_index(scratch / "of-photos"), model)
    rows = {photo.name: row for row, photo in enumerate(places.photos[:half])}
    random = np.random.default_rng(1)
    right, ways, found, false, milliseconds = [], [], [], [], []
    for at in range(0, len(walk), STEP):
        if abs(at - half) < MARGIN:
            continue
        others = random.integers(half + MARGIN, len(walk), SIDES - 1)
        first = float(random.uniform(0, 360))
        answer = engine.search(panorama([walk[at], *(walk[o] for o in others)], first), k=1)
        best, is_found = answer.results[0], answer.match.verdict == "found"
        milliseconds.append(answer.timings_ms.total)
        if at >= half:
            false.append(is_found)
            continue
        right.append(abs(rows[best.name] - at) <= within)
        found.append(is_found)
        if right[-1] and best.query_view is not None:
            ways.append(_apart(best.query_view.heading or 0.0, first) <= HALF_A_STEP)
    return [
        Row("panoramas as queries", "", [len(right) + len(false)]),
        Row("R@1 of panoramas", "%", [_percent(right)]),
        Row("  by the view within half a step", "%", [_percent(ways)]),
        Row("found", "%", [_percent(found)]),
        Row("found though not there", "%", [_percent(false)]),
        Row("a search", "ms", milliseconds),
    ]


def _percent(hits: Sequence[bool]) -> float:
    return 100 * sum(hits) / max(len(hits), 1)


def _apart(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


if __name__ == "__main__":
    main()
