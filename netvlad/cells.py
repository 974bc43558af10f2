"""Cells: the local descriptors of the backbone's grid, and their one-bit codes.

A cell is projected to `CODE_BITS` directions and keeps the sign of each: 14 bytes a cell, whatever
the backbone's width. The directions are rows of a Hadamard matrix with random signs, so that each
bit hears every channel (as in SRHT; Ailon & Chazelle 2009), and are the same on every machine.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CODE_BITS = 112
CODE_BYTES = CODE_BITS // 8


@lru_cache(maxsize=8)
def _directions(channels: int) -> NDArray[np.float32]:
    """(channels, CODE_BITS) float32 of ±1, columns orthogonal before they are cut to length."""
    order = 1 << max(channels - 1, CODE_BITS - 1).bit_length()
    hadamard = np.ones((1, 1), np.float32)
    while len(hadamard) < order:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    # Raw bits of the generator, which numpy promises never to change.
    bits = np.random.PCG64(0).random_raw(order) >> np.uint64(63)
    signs = bits.astype(np.float32) * 2 - 1
    # The first column is constant: with it, all bits but one would have to share the rest.
    return np.ascontiguousarray((hadamard * signs[:, None])[:channels, 1 : CODE_BITS + 1])


def project_cells(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Project centred cells, (h, w, C) float32, to (h, w, CODE_BITS), each of L2 norm 1."""
    projected: NDArray[np.float32] = cells @ _directions(cells.shape[2])
    norms = np.linalg.norm(projected, axis=2, keepdims=True)
    np.divide(projected, norms, out=projected, where=norms > 0)
    return projected


def encode_cells(cells: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Code centred cells: (h, w, C) float32 to (h·w, CODE_BYTES) uint8, bit 1 for > 0.

    Cells are in row order; the first direction is the highest bit of the first byte.
    """
    height, width, channels = cells.shape
    rows = cells.reshape(height * width, channels) @ _directions(channels)
    return np.packbits(rows > 0, axis=1)


def decode_codes(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The signs in (n, CODE_BYTES) codes as (n, CODE_BITS) float32 of ±1."""
    return np.unpackbits(codes, axis=1, count=CODE_BITS).astype(np.float32) * 2 - 1
