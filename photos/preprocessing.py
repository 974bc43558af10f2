"""How a photo is resized before a model's graph, which does the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from place_search.photos.photo import Photo, Size

MAX_ASPECT = 4.0
MIN_SIDE = 64
"""Pixels below which a side would have no local feature in some backbone."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an upright RGB photo is resized before the graph, which does the rest.

    `exact` ignores the photo's aspect ratio and gives `width` × `height`; `area` keeps it and
    gives about as many pixels as `width` · `height`, both sides a multiple of `multiple`;
    `longest` keeps it and shrinks photos of which a side exceeds the longer of `width` and
    `height`.
    """

    resize: Literal["exact", "area", "longest"] = "exact"
    width: int = 640
    height: int = 480
    multiple: int = 32

    def size(self, width: int, height: int) -> Size:
        """The (width, height) that a photo of this upright size is resized to."""
        if self.resize == "exact":
            return self.width, self.height
        if self.resize == "longest":
            scale = min(1.0, max(self.width, self.height) / max(width, height))
            # As hloc rounds; a side below MIN_SIDE would have no local features.
            return max(MIN_SIDE, round(width * scale)), max(MIN_SIDE, round(height * scale))
        # Beyond 4:1 a side would get too few of them to say anything.
        aspect = min(max(width / height, 1 / MAX_ASPECT), MAX_ASPECT)
        ideal_height = (self.width * self.height / aspect) ** 0.5
        step = self.multiple
        fitted_height = max(step, round(ideal_height / step) * step)
        limit = self.width * self.height // fitted_height // step * step
        return max(step, min(limit, round(ideal_height * aspect / step) * step)), fitted_height


def largest_size(preprocessings: Sequence[Preprocessing], width: int, height: int) -> Size:
    """The (width, height) that is enough for all that a photo of this size is resized to."""
    sizes = [preprocessing.size(width, height) for preprocessing in preprocessings]
    return max(size[0] for size in sizes), max(size[1] for size in sizes)


def resize_photo(photo: Photo, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize a photo's pixels to what a graph takes: (h, w, 3) uint8."""
    size = preprocessing.size(photo.width, photo.height)
    for pixels in (photo.pixels, photo.second):
        if pixels is not None and (pixels.shape[1], pixels.shape[0]) == size:
            return np.ascontiguousarray(pixels)
    height, width = photo.pixels.shape[:2]
    shrinking = size[0] * size[1] < width * height
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(photo.pixels, size, interpolation=how), dtype=np.uint8)
