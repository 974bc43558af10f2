"""Local features: the descriptors of the backbone's grid, and their one-bit codes.

Each is projected to `CODE_BITS` directions and keeps the sign of each: 14 bytes, whatever the
backbone's width. The directions are rows of a Hadamard matrix with random signs, so that each
bit hears every channel (as in SRHT; Ailon & Chazelle 2009), and are the same on every machine.
"""

from functools import lru_cache

import numpy as np

# numpy imports it late, in compiled code that can swallow an interrupt in the middle of a job.
from numpy.random import PCG64
from numpy.typing import NDArray

CODE_BITS = 112
CODE_BYTES = CODE_BITS // 8


@lru_cache(maxsize=8)
def _signs(order: int) -> NDArray[np.float32]:
    """(order,) float32 of ±1, the same everywhere."""
    # Raw bits of the generator, which numpy promises never to change.
    bits = PCG64(0).random_raw(order) >> np.uint64(63)
    return bits.astype(np.float32) * 2 - 1


def _project(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, C) to (n, CODE_BITS) by the fast Walsh–Hadamard transform.

    A matrix product would be as quick, but its threads would take turns with the network's.
    """
    count, channels = features.shape
    order = 1 << max(channels - 1, CODE_BITS).bit_length()
    # Channels first, so that whatever is added lies together in memory.
    rows = np.zeros((order, count), np.float32)
    np.multiply(features.T, _signs(order)[:channels, None], out=rows[:channels])
    spare = np.empty_like(rows)
    step = 1
    while step < order:
        pairs, mixed = (x.reshape(order // (2 * step), 2, step, count) for x in (rows, spare))
        np.add(pairs[:, 0], pairs[:, 1], out=mixed[:, 0])
        np.subtract(pairs[:, 0], pairs[:, 1], out=mixed[:, 1])
        rows, spare = spare, rows
        step *= 2
    # The first direction is constant before the signs: it would hear their sum alone.
    return np.ascontiguousarray(rows[1 : CODE_BITS + 1].T)


def project_features(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Project centred features, (h, w, C) float32, to (h, w, CODE_BITS), each of L2 norm 1."""
    height, width, channels = features.shape
    projected = _project(features.reshape(height * width, channels))
    norms = np.sqrt(np.square(projected).sum(axis=1, keepdims=True))
    np.divide(projected, norms, out=projected, where=norms > 0)
    return projected.reshape(height, width, CODE_BITS)


def encode_features(features: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Code centred features: (h, w, C) float32 to (h·w, CODE_BYTES) uint8, bit 1 for > 0.

    They are in row order; the first direction is the highest bit of the first byte.
    """
    height, width, channels = features.shape
    rows = _project(features.reshape(height * width, channels))
    return np.packbits(rows > 0, axis=1)


def encode_grid(
    local: NDArray[np.float32] | None,
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The codes of a photo's local features, with their grid (h, w); empty where there are none."""
    if local is None:
        return np.zeros((0, CODE_BYTES), np.uint8), (0, 0)
    return encode_features(local), (local.shape[0], local.shape[1])


def decode_codes(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The signs in (n, CODE_BYTES) codes as (n, CODE_BITS) float32 of ±1."""
    return np.unpackbits(codes, axis=1, count=CODE_BITS).astype(np.float32) * 2 - 1
