"""Views of photos and of their parts, drawn once into a file that is mapped into memory."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress
from place_search.photos.altered_views import (
    Pixels,
    change_day,
    cover,
    lower_resolution,
    make_night,
    move,
)
from place_search.photos.decoding import MAX_PIXELS
from place_search.photos.preprocessing import Preprocessing, resize_photo
from place_search.training.data.places import Places
from place_search.training.data.viewed_photos import ViewedPhoto, photo_parts

STILL = 4
"""The number of views of a part from the same standpoint, one of them by day."""


class ViewPool(NamedTuple):
    """`views` (P, 1 + `STILL` + moved, H, W, 3) uint8 RGB of P photos and parts of photos.

    The first view of each is unaltered, `STILL` are in other light, the others from other
    standpoints. `rows` (P,) are the rows of their photos.
    """

    views: NDArray[np.uint8]
    rows: NDArray[np.int64]


def draw_view_pool(
    photos: Sequence[ViewedPhoto],
    preprocessing: Preprocessing,
    size: tuple[int, int],
    moved: int,
    file: Path,
    *,
    seed: int,
    max_pixels: int = MAX_PIXELS,
    progress: Progress,
) -> ViewPool:
    """Draw the views of photos at `size` (width, height) into `file`, which is mapped into memory.

    Raises:
        PhotoError: a photo is missing or cannot be read.
        OSError: the disk is full.
    """
    rows = np.repeat(np.arange(len(photos)), [1 + photo.crops for photo in photos])
    shape = (len(rows), 1 + STILL + moved, size[1], size[0], 3)
    views = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    # Writing to a sparse mapped file would kill the process when the disk is full.
    with file.open("r+b") as stream:
        os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
    starts = np.searchsorted(rows, np.arange(len(photos)))

    def draw(number: int) -> None:
        random = np.random.default_rng((seed, number))
        parts = photo_parts(photos[number], random, max_pixels=max_pixels)
        for row, part in enumerate(parts, int(starts[number])):
            pixels = resize_photo(part, preprocessing)
            for view, view_pixels in enumerate(_draw(pixels, size, moved, random)):
                views[row, view] = view_pixels

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for count, _ in enumerate(threads.map(draw, range(len(photos))), 1):
            progress("Drawing views", count, len(photos))
    return ViewPool(views, rows)


def batches_of_parts(
    pool: ViewPool, places: Places, size: int, random: np.random.Generator
) -> Iterator[list[int]]:
    """Endless batches of parts of `size` photos, none of which are near each other.

    At least two photos must be of different places.
    """
    while True:
        batch: list[int] = []
        nearby: set[int] = set()
        for part in random.permutation(len(pool.rows)).tolist():
            row = int(pool.rows[part])
            if row not in nearby:
                batch.append(part)
                nearby.update(places.not_negatives[row].tolist(), [row])
            if len(batch) == size:
                yield batch
                batch, nearby = [], set()
        if len(batch) > 1:
            yield batch


def _draw(
    pixels: Pixels, size: tuple[int, int], moved: int, random: np.random.Generator
) -> Iterator[Pixels]:
    clean = cover(pixels, size)
    yield clean
    for number in range(STILL):
        yield make_night(clean, random) if number else change_day(clean, random)
    for number in range(moved):
        least, bend = ((0.7, 0.06), (0.5, 0.12))[number % 2]
        moved_view = move(pixels, size, random, least=least, bend=bend)
        chance = random.random()
        if chance < 0.5:
            yield make_night(moved_view, random)
        elif chance < 0.85:
            yield change_day(moved_view, random)
        else:
            yield lower_resolution(moved_view, random)
