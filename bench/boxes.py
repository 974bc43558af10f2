"""Measures searches with a box around a part of a photo: do they find the part's place?

    python -m bench.boxes PLACES [SCENES] [--share 0.33] [--queries 100] [--model ID]

Each query is a part of a photo of PLACES, `--share` of its pixels, pasted into a photo of SCENES
(by default into another one of PLACES) of the same size, and saved as a JPEG.
"""

import argparse
import io
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from bench.table import Row, print_rows
from place_search.core.rows import spread_rows
from place_search.indexer import PlacePhoto, build_index, open_index, open_source
from place_search.models import DEFAULT_MODEL, open_model
from place_search.photos import PhotoBox
from place_search.search.engine import Engine


def main() -> None:
    """Index, search with and without the box, and print the table."""
    parser = argparse.ArgumentParser(description="Measure searches with a box.")
    parser.add_argument("places", type=Path)
    parser.add_argument("scenes", type=Path, nargs="?")
    parser.add_argument("--share", type=float, default=1 / 3)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    args = parser.parse_args()
    model = open_model(args.model, precision="auto", verify=True)
    places = open_source(args.places)
    scenes = open_source(args.scenes or args.places).photos
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        build_index(places, folder, model)
        engine = Engine(open_index(folder), model)
        rows = spread_rows(len(places.photos), args.queries)
        photos = [places.photos[int(row)] for row in rows]
        print_rows(measure(engine, list(pasted(photos, scenes, args.share))))


def pasted(
    photos: Sequence[PlacePhoto], scenes: Sequence[PlacePhoto], share: float
) -> Iterator[tuple[str, bytes, PhotoBox]]:
    """The name of each place, a photo that contains a part of it, and the box of that part."""
    chance = random.Random(1)
    for photo in photos:
        image = Image.open(photo.path).convert("RGB")
        scene = photo
        while scene.path == photo.path:
            scene = chance.choice(scenes)
        backdrop = Image.open(scene.path).convert("RGB").resize(image.size)
        wide, high = (round(side * share**0.5) for side in image.size)
        spare = image.width - wide, image.height - high
        left, top = (chance.randint(0, room) for room in spare)
        x, y = (chance.randint(0, room) for room in spare)
        backdrop.paste(image.crop((left, top, left + wide, top + high)), (x, y))
        out = io.BytesIO()
        backdrop.save(out, "JPEG", quality=88)
        yield photo.name, out.getvalue(), PhotoBox(x, y, wide, high)


def measure(engine: Engine, queries: Sequence[tuple[str, bytes, PhotoBox]]) -> list[Row]:
    """Recall@1 with the box and without: the photo of the part must come first."""
    right: dict[str, list[bool]] = {"inside the box": [], "by the whole photo": []}
    milliseconds = []
    for name, content, box in queries:
        for method, part in (("inside the box", box), ("by the whole photo", None)):
            reply = engine.search(content, k=1, box=part)
            right[method].append(reply.results[0].name == name)
            if part is not None:
                milliseconds.append(reply.timings_ms.total)
    targets = {"inside the box": "≥ 95"}
    return [
        Row("queries", "", [len(queries)]),
        *(
            Row(f"R@1 {method}", "%", [100 * sum(hits) / len(hits)], targets.get(method, ""))
            for method, hits in right.items()
        ),
        Row("a search with a box", "ms", milliseconds),
    ]


if __name__ == "__main__":
    main()
