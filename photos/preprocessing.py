"""Resizing a photo for a model's graph, which does the other preprocessing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from place_search.core.tables import is_whole
from place_search.photos.box import PhotoBox
from place_search.photos.decoding import decode_photo
from place_search.photos.panorama import inspect_panorama, read_views
from place_search.photos.photo import Photo, Size, resize_pixels

Resize: TypeAlias = Literal["exact", "area", "longest"]
MAX_ASPECT = 4.0
LEAST_SHARE = 1 / 8
"""The share of a whole photo's pixels that a small box is enlarged to."""
MIN_SIDE = 64
"""The least side in pixels: with less some backbones give no local features."""
MAX_SIDE = 1 << 14
"""The largest side in pixels."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The resizing of an upright RGB photo for a model's graph.

    `exact` ignores the photo's aspect ratio and gives `width` × `height`; `area` gives at most
    `width` · `height` pixels in the nearest of few shapes, both sides a multiple of `multiple`;
    `longest` keeps the aspect ratio and shrinks photos of which a side exceeds the longer of
    `width` and `height`.

    Raises:
        ValueError: no such way of resizing, or a number that is no side of 1 to `MAX_SIDE` pixels.
    """

    resize: Resize = "exact"
    width: int = 640
    height: int = 480
    multiple: int = 32

    def __post_init__(self) -> None:
        if self.resize not in get_args(Resize):
            raise ValueError(f"no resize '{self.resize!s:.40}' is known")
        for side in (self.width, self.height, self.multiple):
            if not (is_whole(side) and 0 < side <= MAX_SIDE):
                raise ValueError(f"{side!r:.40} is no side of 1 to {MAX_SIDE} pixels")

    def size(self, width: int, height: int) -> Size:
        """The (width, height) that a photo of this upright size is resized to."""
        if self.resize == "exact":
            return self.width, self.height
        if self.resize == "longest":
            scale = min(1.0, max(self.width, self.height) / max(width, height))
            # Rounded as by hloc; a side below MIN_SIDE would have no local features.
            return max(MIN_SIDE, round(width * scale)), max(MIN_SIDE, round(height * scale))
        # Beyond 4:1 the short side would get too few pixels.
        aspect = min(max(width, height) / min(width, height), MAX_ASPECT)
        cells = max(1, self.width * self.height // self.multiple**2)
        ideal = (cells / aspect) ** 0.5
        shorts = {max(1, min(math.floor(ideal) + more, math.isqrt(cells))) for more in (0, 1)}
        short = min(shorts, key=lambda short: abs(math.log(cells // short / short / aspect)))
        sides = short * self.multiple, cells // short * self.multiple
        return sides if width < height else (sides[1], sides[0])

    @property
    def in_words(self) -> str:
        """The size that photos are resized to, in words."""
        if self.resize == "exact":
            return f"{self.width} × {self.height}"
        if self.resize == "longest":
            return f"at most {max(self.width, self.height)} pixels a side"
        return f"at most {self.width} × {self.height} pixels, in the nearest of few shapes"

    def box_size(self, width: int, height: int, box: PhotoBox) -> Size:
        """The (width, height) that a box of a photo of this upright size is resized to.

        The box keeps the scale of the whole photo, because photos of the place show the same things
        at that scale; a small box is enlarged to `LEAST_SHARE` of the whole.
        """
        whole = self.size(width, height)
        if self.resize == "exact" or (box.width, box.height) == (width, height):
            return whole
        scale = (whole[0] * whole[1] / (width * height)) ** 0.5
        least = (LEAST_SHARE * whole[0] * whole[1] / (box.width * box.height)) ** 0.5
        step = 1 if self.resize == "longest" else self.multiple
        wide, high = (
            max(MIN_SIDE, round(side * max(scale, least) / step) * step)
            for side in (box.width, box.height)
        )
        return wide, high

    def box_zoom(self, width: int, height: int, box: PhotoBox) -> float:
        """The factor by which a box is enlarged, compared with the whole photo of this size."""
        as_part = self.size(width, height)[1] * box.height / height
        return self.box_size(width, height, box)[1] / as_part


def largest_size(preprocessings: Sequence[Preprocessing], width: int, height: int) -> Size:
    """The (width, height) that covers all sizes that a photo of this size is resized to."""
    sizes = [preprocessing.size(width, height) for preprocessing in preprocessings]
    return max(size[0] for size in sizes), max(size[1] for size in sizes)


def size_for_box(
    preprocessings: Sequence[Preprocessing], box: PhotoBox, width: int, height: int
) -> Size:
    """The size to decode a whole photo at, so that it covers all sizes that a box is resized to.

    Raises:
        BoxError: the box does not fit a photo of this size.
    """
    box.require_inside(width, height)
    sizes = [preprocessing.box_size(width, height, box) for preprocessing in preprocessings]
    wide = max(size[0] for size in sizes) / box.width
    high = max(size[1] for size in sizes) / box.height
    return math.ceil(wide * width), math.ceil(high * height)


def cut_box(photo: Photo, box: PhotoBox) -> Photo:
    """A photo with the pixels of a box alone.

    Raises:
        BoxError: the box does not fit the photo.
    """
    box.require_inside(photo.width, photo.height)
    rows, columns = photo.pixels.shape[:2]
    across, down = columns / photo.width, rows / photo.height
    left, top = math.floor(box.x * across), math.floor(box.y * down)
    right = max(left + 1, round((box.x + box.width) * across))
    bottom = max(top + 1, round((box.y + box.height) * down))
    return replace(photo, pixels=photo.pixels[top:bottom, left:right], box=box)


def resize_photo(photo: Photo, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize a photo's pixels to the input of a graph: (h, w, 3) uint8."""
    size = (
        preprocessing.size(photo.width, photo.height)
        if photo.box is None
        else preprocessing.box_size(photo.width, photo.height, photo.box)
    )
    for pixels in (photo.pixels, photo.second):
        if pixels is not None and (pixels.shape[1], pixels.shape[0]) == size:
            return np.ascontiguousarray(pixels)
    return resize_pixels(photo.pixels, size)


def decode_for(
    source: Path | bytes,
    preprocessings: Sequence[Preprocessing],
    box: PhotoBox | None,
    *,
    panorama: bool | None = False,
    **options: Any,
) -> Photo:
    """Decode a photo, or a box of it, at the least scale for `preprocessings`.

    A 360° panorama gets its views: with `panorama` None by its metadata, with True also any photo
    of 2:1, and with False never. `options` are those of `decode_photo`.

    Raises:
        PhotoError: the photo cannot be read, or the box does not fit it.
    """
    if box is None:
        notes: tuple[str, ...] = ()
        if panorama is not False:
            inspection = inspect_panorama(source, assumed=panorama is True)
            if inspection.panorama is not None:
                photo = read_views(source, inspection.panorama, **options)
                if photo.views:
                    return photo
            notes = inspection.why_whole(asked=panorama is True)
        target_size = partial(largest_size, preprocessings)
        plain = decode_photo(source, target_size=target_size, **options)
        return replace(plain, notes=(*plain.notes, *notes)) if notes else plain
    target_size = partial(size_for_box, preprocessings, box)
    return cut_box(decode_photo(source, target_size=target_size, **options), box)
