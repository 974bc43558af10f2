"""What decoders answer, taken from the memory that is shared with them."""

import os
from dataclasses import replace
from typing import Any

import numpy as np

from place_search.core.geodesy import Position
from place_search.photos.panorama import VIEW_SIZE
from place_search.photos.photo import Facing, Photo


def take_photo(reply: dict[str, Any], memory: int) -> Photo:
    """The photo that a decoder answered with, its pixels from the shared memory."""
    pixels, start = [], 0
    for shape in reply["shapes"]:
        pixels.append(np.empty(shape, np.uint8))
        _fill(memory, pixels[-1].reshape(-1).data, start)
        start += pixels[-1].size
    about = reply["photo"]
    position = about["position"] and Position(*about["position"])
    networks = len(pixels) // (1 + len(reply["facing"]))
    first, *others = (pixels[at : at + 2] for at in range(0, len(pixels), networks))
    photo = Photo(
        first[0],
        about["width"],
        about["height"],
        position,
        tuple(about["notes"]),
        about["taken"],
        second=first[1] if networks > 1 else None,
    )
    views = tuple(
        Photo(
            one[0],
            *VIEW_SIZE,
            position,
            taken=photo.taken,
            second=one[1] if networks > 1 else None,
            facing=Facing(*facing),
        )
        for one, facing in zip(others, reply["facing"], strict=True)
    )
    return replace(photo, views=views)


def take_picture(reply: dict[str, Any], memory: int) -> bytes:
    """The JPEG that a decoder answered with, from the shared memory."""
    jpeg = bytearray(reply["bytes"])
    _fill(memory, memoryview(jpeg))
    return bytes(jpeg)


def take_views(reply: dict[str, Any], memory: int) -> list[tuple[Facing, bytes]]:
    """The JPEGs of views that a decoder answered with, and where each looks."""
    views, start = [], 0
    for facing, size in zip(reply["facing"], reply["bytes"], strict=True):
        jpeg = bytearray(size)
        _fill(memory, memoryview(jpeg), start)
        start += size
        views.append((Facing(*facing), bytes(jpeg)))
    return views


def _fill(memory: int, out: memoryview, start: int = 0) -> None:
    if os.preadv(memory, [out], start) != len(out):
        raise ValueError("the decoder left less than it said")
