"""A box in a photo: the part of a query that is searched with."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from place_search.core.tables import numbers_of, parse_numbers
from place_search.photos.errors import BoxError

MIN_BOX_SIDE = 32
"""The least side in pixels: a smaller box has too few local features to distinguish places."""


class PhotoBox(NamedTuple):
    """A part of a photo, in pixels of the upright photo as sent: left, top, width, height."""

    x: float
    y: float
    width: float
    height: float

    def __str__(self) -> str:
        return ",".join(f"{value:g}" for value in self)

    def require_inside(self, width: int, height: int) -> None:
        """Make sure that the box lies in a photo of this upright size.

        Raises:
            BoxError: a part of the box lies outside, or the box is too small to search with.
        """
        right, bottom = self.x + self.width, self.y + self.height
        if min(self.width, self.height) < MIN_BOX_SIDE:
            raise BoxError(
                f"The box {self} is too small to search with; make both of its sides at least "
                f"{MIN_BOX_SIDE} pixels long."
            )
        if min(self.x, self.y) < 0 or right > width or bottom > height:
            raise BoxError(
                f"The box {self} does not lie within the photo, which has {width} × {height} "
                "pixels; give x,y,width,height of a part of it."
            )


def parse_box(text: str) -> PhotoBox:
    """Read "x,y,width,height" in pixels.

    Raises:
        BoxError: the text is not four numbers.
    """
    return _box(parse_numbers(text), text)


def box_of(numbers: Iterable[object] | None) -> PhotoBox | None:
    """The box of four numbers, x, y, width and height; None for None. Raises `BoxError`."""
    return None if numbers is None else _box(numbers_of(numbers), numbers)


def _box(numbers: Sequence[float], original: object) -> PhotoBox:
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise BoxError(
            f"'{original!s:.40}' is no box; write x,y,width,height in pixels of the upright photo, "
            "as in 120,80,400,300."
        )
    return PhotoBox(*numbers)
