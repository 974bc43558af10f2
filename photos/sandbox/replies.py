"""Reading decoders' replies from the memory that is shared with them."""

import os
from dataclasses import replace
from typing import Any

import numpy as np

from place_search.core.geodesy import Position
from place_search.photos.panorama import VIEW_SIZE
from place_search.photos.photo import Facing, Photo


def take_photo(reply: dict[str, Any], memory: int) -> Photo:
    """The photo of a decoder's reply, with its pixels from the shared memory."""
    pixels, start = [], 0
    for shape in reply["shapes"]:
        pixels.append(np.empty(shape, np.uint8))
        _fill(memory, pixels[-1].reshape(-1).data, start)
        start += pixels[-1].size
    fields = reply["photo"]
    position = fields["position"] and Position(*fields["position"])
    networks = len(pixels) // (1 + len(reply["facing"]))
    first, *view_pixels = (pixels[at : at + 2] for at in range(0, len(pixels), networks))
    photo = Photo(
        first[0],
        fields["width"],
        fields["height"],
        position,
        tuple(fields["notes"]),
        fields["taken"],
        second=first[1] if networks > 1 else None,
    )
    views = tuple(
        Photo(
            resized[0],
            *VIEW_SIZE,
            position,
            taken=photo.taken,
            second=resized[1] if networks > 1 else None,
            facing=Facing(*facing),
        )
        for resized, facing in zip(view_pixels, reply["facing"], strict=True)
    )
    return replace(photo, views=views)


def take_picture(reply: dict[str, Any], memory: int) -> bytes:
    """The JPEG of a decoder's reply, from the shared memory."""
    jpeg = bytearray(reply["bytes"])
    _fill(memory, memoryview(jpeg))
    return bytes(jpeg)


def take_views(
    reply: dict[str, Any], memory: int
) -> tuple[list[tuple[Facing, bytes]], tuple[str, ...]]:
    """The directions and JPEGs of the views of a decoder's reply, and its notes."""
    views, start = [], 0
    for facing, size in zip(reply["facing"], reply["bytes"], strict=True):
        jpeg = bytearray(size)
        _fill(memory, memoryview(jpeg), start)
        start += size
        views.append((Facing(*facing), bytes(jpeg)))
    return views, tuple(reply["notes"])


def _fill(memory: int, out: memoryview, start: int = 0) -> None:
    if os.preadv(memory, [out], start) != len(out):
        raise ValueError("the decoder left less than it said")
