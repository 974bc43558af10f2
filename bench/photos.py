"""The photos for benches: many JPEGs of one size, made from a few real photos."""

from itertools import cycle
from pathlib import Path

from PIL import Image, ImageOps

from place_search.indexer import open_source

SIZE = (640, 480)


ONE_MEGAPIXEL = (1152, 864)
EIGHT_MEGAPIXELS = (3264, 2448)
TWELVE_MEGAPIXELS = (4000, 3000)


def make_folder(photos: Path, count: int, folder: Path, size: tuple[int, int] = SIZE) -> Path:
    """Write `count` JPEGs of a size to `folder`: crops of the photos, each a little different.

    Smaller photos are enlarged, which makes them quicker to decode than a camera's.
    """
    folder.mkdir(parents=True)
    sources = cycle(photo.path for photo in open_source(photos).photos)
    large: dict[Path, Image.Image] = {}
    for number, path in zip(range(count), sources, strict=False):
        if path not in large:
            with Image.open(path) as image:
                large[path] = ImageOps.fit(image.convert("RGB"), (size[0] + 64, size[1] + 64))
        x, y = number * 7 % 65, number * 13 % 65
        crop = large[path].crop((x, y, x + size[0], y + size[1]))
        crop.save(folder / f"{number:05}.jpg", quality=90)
    return folder
