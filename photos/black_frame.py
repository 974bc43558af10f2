"""The black frame of a photo: outside of a lens's circle, or bars around a picture."""

import numpy as np
from numpy.typing import NDArray

from place_search.photos.opencv import cv2
from place_search.photos.photo import resize_pixels

DARK = 0.1
"""The brightness up to which a frame is black: a share of the photo's range, from its least."""
BLACK = 64
"""The brightness, of 255, up to which a corner may be black: most photos have brighter ones."""
SAMPLES = 4
"""Samples of brightness along a side of a cell: noise of single pixels averages out."""


def black_frame(pixels: NDArray[np.uint8], grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Flags, (h, w) bool, of the cells of a grid over (H, W, 3) pixels that are the black frame.

    Cells of the frame are dark, dark in each mirror image of the photo too, unlike objects of a
    scene, and connected to the corners. Cells beside them count too: the frame reaches into them.
    """
    height, width = grid
    y, x = pixels.shape[0] // height, pixels.shape[1] // width
    corners = (pixels[at, along] for at in _ends(y) for along in _ends(x))
    if any(corner.mean() > BLACK for corner in corners):
        return np.zeros(grid, np.bool_)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    bright = resize_pixels(np.asarray(grey, np.uint8), (width * SAMPLES, height * SAMPLES))
    least, most = int(bright.min()), int(bright.max())
    dark = bright <= least + DARK * (most - least)
    dark &= dark[::-1]
    dark &= dark[:, ::-1]
    if not dark[:SAMPLES, :SAMPLES].all():
        return np.zeros(grid, np.bool_)
    cells = np.asarray(dark.reshape(height, SAMPLES, width, SAMPLES).all(axis=(1, 3)), np.uint8)
    _, parts = cv2.connectedComponents(cells, connectivity=4)
    frame = np.isin(parts, parts[[0, 0, -1, -1], [0, -1, 0, -1]]).astype(np.uint8)
    return np.asarray(cv2.dilate(frame, np.ones((3, 3), np.uint8)) > 0)


def _ends(count: int) -> tuple[slice, slice]:
    return slice(count), slice(-count, None)
