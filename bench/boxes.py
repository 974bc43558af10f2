"""Does a box around a part of a photo find the place that this part shows?

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
    """Index, ask with and without the box, and print the table."""
    parser = argparse.ArgumentParser(description="Measure searches with a box.")
    parser.add_argument("places", type=Path)
    parser.add_argument("scenes", type=Path, nargs="?")
    parser.add_argument("--share", type=float, default=1 / 3)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    asked = parser.parse_args()
    model = open_model(asked.model, precision="auto", verify=True)
    places = open_source(asked.places)
    scenes = open_source(asked.scenes or asked.places).photos
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        build_index(places, folder, model)
        engine = Engine(open_index(folder), model)
        chosen = spread_rows(len(places.photos), asked.queries)
        photos = [places.photos[int(row)] for row in chosen]
        print_rows(measure(engine, list(pasted(photos, scenes, asked.share))))


def pasted(
    photos: Sequence[PlacePhoto], scenes: Sequence[PlacePhoto], share: float
) -> Iterator[tuple[str, bytes, PhotoBox]]:
    """The name of each place, a photo with a part of it, and where in that photo the part is."""
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
    """Recall@1 inside the box and without it: the very photo must come first."""
    right: dict[str, list[bool]] = {"inside the box": [], "by the whole photo": []}
    milliseconds = []
    for name, content, box in queries:
        for how, part in (("inside the box", box), ("by the whole photo", None)):
            found = engine.search(content, k=1, box=part)
            right[how].append(found.results[0].name == name)
            if part is not None:
                milliseconds.append(found.timings_ms.total)
    targets = {"inside the box": "≥ 95"}
    return [
        Row("queries", "", [len(queries)]),
        *(
            Row(f"R@1 {how}", "%", [100 * sum(hits) / len(hits)], targets.get(how, ""))
            for how, hits in right.items()
        ),
        Row("a search with a box", "ms", milliseconds),
    ]


if __name__ == "__main__":
    main()
