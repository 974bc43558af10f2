"""Cells: the local descriptors of the backbone's grid, and their one-bit codes."""

import numpy as np
from numpy.typing import NDArray


def code_bytes(channels: int) -> int:
    """Bytes that the bit code of one cell takes: one bit a channel."""
    return (channels + 7) // 8


def encode_cells(cells: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Sign-code centred cells: (h, w, C) float32 to (h·w, ceil(C / 8)) uint8, bit 1 for > 0.

    Cells are in row order; the first channel is the highest bit of the first byte.
    """
    height, width, channels = cells.shape
    return np.packbits(cells.reshape(height * width, channels) > 0, axis=1)
