"""The photos that benches run on: many 640-pixel JPEGs made from few real photos."""

from itertools import cycle
from pathlib import Path

from PIL import Image, ImageOps

from indexer import open_source

SIZE = (640, 480)


def make_folder(photos: Path, count: int, folder: Path) -> Path:
    """Write `count` 640 × 480 JPEGs to `folder`: crops of the photos, each a little different."""
    folder.mkdir(parents=True)
    sources = cycle(photo.path for photo in open_source(photos).photos)
    large: dict[Path, Image.Image] = {}
    for number, path in zip(range(count), sources, strict=False):
        if path not in large:
            with Image.open(path) as image:
                size = (SIZE[0] + 64, SIZE[1] + 64)
                large[path] = ImageOps.fit(image.convert("RGB"), size)
        left, top = number * 7 % 65, number * 13 % 65
        crop = large[path].crop((left, top, left + SIZE[0], top + SIZE[1]))
        crop.save(folder / f"{number:05}.jpg", quality=90)
    return folder
