"""The photos that benches run on: many JPEGs of one size, made from few real photos."""

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

    Smaller photos are enlarged, so that they are quicker to decode than those of a camera.
    """
    folder.mkdir(parents=True)
    sources = cycle(photo.path for photo in open_source(photos).photos)
    large: dict[Path, Image.Image] = {}
    for number, path in zip(range(count), sources, strict=False):
        if path not in large:
            with Image.open(path) as image:
                large[path] = ImageOps.fit(image.convert("RGB"), (size[0] + 64, size[1] + 64))
        left, top = number * 7 % 65, number * 13 % 65
        crop = large[path].crop((left, top, left + size[0], top + size[1]))
        crop.save(folder / f"{number:05}.jpg", quality=90)
    return folder
