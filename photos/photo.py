"""A decoded photo, and sizes of photos."""

import io
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from place_search.core.geodesy import Position
from place_search.photos.box import PhotoBox
from place_search.photos.opencv import cv2

Size: TypeAlias = tuple[int, int]
"""(width, height) in pixels."""


class Facing(NamedTuple):
    """The direction of a panorama's view: `yaw` degrees clockwise from the panorama's middle.

    `heading` is the direction in degrees from north; None where the panorama has no heading.
    """

    yaw: float
    heading: float | None

    def __str__(self) -> str:
        """The end of a view's name, in whole degrees."""
        if self.heading is None:
            return f"yaw={round(self.yaw) % 360:03}"
        return f"heading={round(self.heading) % 360:03}"


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo.

    `pixels` is (h, w, 3) uint8 RGB, upright and perhaps read-only, and may be smaller than the
    photo as sent, whose upright size is `width` × `height`. `notes` are sentences on harmless
    faults. `taken` is the capture time in seconds since 1970. `second` are the pixels resized for a
    second network, where `pixels` are resized for the first. With a `box`, pixels show this part
    of the photo alone. `views` are those of a panorama, each `facing` another direction.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    position: Position | None = None
    notes: tuple[str, ...] = ()
    taken: float | None = None
    second: NDArray[np.uint8] | None = None
    box: PhotoBox | None = None
    views: tuple["Photo", ...] = ()
    facing: Facing | None = None

    @property
    def shown_part(self) -> PhotoBox:
        """The part of the photo that `pixels` show: the box, or all of it."""
        return self.box or PhotoBox(0, 0, self.width, self.height)


def fit_within(width: int, height: int, longest_side: int) -> Size:
    """The size of a photo that is shrunk until no side exceeds `longest_side`."""
    scale = min(1.0, longest_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize_pixels(pixels: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Resize (h, w) or (h, w, 3) uint8 pixels: averaged where they shrink, else interpolated."""
    rows, columns = pixels.shape[:2]
    # Where one side grows, INTER_AREA averages neither, so that the other would alias.
    shrunk = min(size[0], columns), min(size[1], rows)
    if shrunk != (columns, rows):
        pixels = np.asarray(cv2.resize(pixels, shrunk, interpolation=cv2.INTER_AREA), np.uint8)
    if shrunk != size:
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return pixels


THUMBNAIL_SIDE = 320
"""The longest side of a thumbnail, in pixels."""
THUMBNAIL_QUALITY = 80
"""The JPEG quality of thumbnails: a sixth smaller than at 85, and as good to look at."""


def encode_jpeg(pixels: NDArray[np.uint8], size: Size, *, quality: int = 85) -> bytes:
    """Resize (h, w, 3) uint8 RGB pixels and encode them as a bare JPEG."""
    out = io.BytesIO()
    # Several times faster than Pillow's resizing.
    Image.fromarray(resize_pixels(pixels, size)).save(out, "JPEG", quality=quality)
    return out.getvalue()
