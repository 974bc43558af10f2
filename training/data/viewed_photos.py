"""Photos for altered views, which are drawn of the whole photo and of its parts."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from place_search.core.tables import PhotosOnce, open_table, parse_whole
from place_search.photos.altered_views import crop_part
from place_search.photos.decoding import MAX_PIXELS, decode_photo
from place_search.photos.photo import Photo
from place_search.training.errors import TrainingError

LONG_SIDE = 1600
"""The longest side of decoded photos in pixels, at which crops are sharp."""


class ViewedPhoto(NamedTuple):
    """A photo, and the number of its parts, `crops`, of which views are drawn too."""

    path: Path
    crops: int


def read_viewed_photos(file: Path, root: Path) -> list[ViewedPhoto]:
    """Read a CSV with the column `image`, under `root`, and the optional column `crops`.

    Raises:
        TrainingError: no such table, a repeated photo, or `crops` that is not a whole number of at
            least 0.
    """
    photos, once = [], PhotosOnce(file, root, TrainingError)
    with open_table(file, ("path",), error=TrainingError) as table:
        table.require_spelt("crops")
        for number, row in table:
            once.add(row["path"], number)
            text = row.get("crops") or "0"
            crops = parse_whole(text)
            if crops is None:
                raise TrainingError(
                    f"{file} says '{text}' under crops in row {number}; write 0 or more."
                )
            photos.append(ViewedPhoto(root / row["path"], crops))
    return photos


def photo_parts(
    photo: ViewedPhoto, random: np.random.Generator, *, max_pixels: int = MAX_PIXELS
) -> Iterator[Photo]:
    """The whole photo, and then its crops, each drawn when the iterator reaches it.

    Raises:
        PhotoError: the photo is missing or cannot be read.
    """
    full_pixels = decode_photo(photo.path, target_size=_sharp, max_pixels=max_pixels).pixels
    for part in range(1 + photo.crops):
        pixels = full_pixels if part == 0 else crop_part(full_pixels, random)
        yield Photo(pixels, pixels.shape[1], pixels.shape[0])


def _sharp(width: int, height: int) -> tuple[int, int]:
    """The size, in pixels, at which a photo is decoded."""
    scale = min(1.0, LONG_SIDE / max(width, height))
    return round(width * scale), round(height * scale)
