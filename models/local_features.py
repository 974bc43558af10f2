"""Local features: the descriptors of the backbone's grid, and their one-bit codes.

A code holds the signs of a feature's projections to some directions. A model can have directions of
its own, a multiple of 8 and at most `CODE_BITS`, which tell places apart with fewer bits. The
default is `CODE_BITS` directions for any number of channels: rows of a Hadamard matrix with random
signs, so that each bit depends on every channel (as in SRHT; Ailon & Chazelle 2009), the same on
every machine.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

# Imported early: numpy would import it in compiled code, which can swallow an interrupt.
from numpy.random import PCG64
from numpy.typing import NDArray

from place_search.models.card import DIRECTIONS_NAME, ModelCard
from place_search.models.errors import ModelError
from place_search.models.runtimes.base import Embedding

CODE_BITS = 112
CODE_BYTES = CODE_BITS // 8
Grid = tuple[int, int]
Codes = tuple[NDArray[np.uint8], Grid]
"""(h·w, bytes) codes of a photo's local features with their grid (h, w)."""
BLANK = 0.6
"""The mean cosine of a photo's local features with each other, from which on it shows nothing: a
photo of one colour has 0.85 to 0.91, of noise in the dark 0.66; places by day and night at most
0.42."""
_PRODUCT = 1 << 18
"""The number of multiplications up to which OpenBLAS uses one thread."""


def read_directions(folder: Path, card: ModelCard) -> NDArray[np.float32] | None:
    """A model's own directions, (C, bits) float32; None where it has none.

    Raises:
        ModelError: the file is damaged, or does not fit this model's local features.
    """
    if DIRECTIONS_NAME not in card.files:
        return None
    path = folder / DIRECTIONS_NAME
    channels = card.local_features and card.local_features.channels
    try:
        directions: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); fetch '{card.id}' again.") from error
    rows, bits = directions.shape if directions.ndim == 2 else (0, 0)
    if directions.dtype != np.float32 or rows != channels or bits not in range(8, CODE_BITS + 1, 8):
        raise ModelError(
            f"{path} holds {directions.shape} {directions.dtype}, not {channels} rows of up to "
            f"{CODE_BITS} float32; fetch '{card.id}' again."
        )
    return directions


@lru_cache(maxsize=8)
def _signs(order: int) -> NDArray[np.float32]:
    """(order,) float32 of ±1, the same on every machine."""
    # Raw bits of the generator: numpy guarantees their stream.
    bits = PCG64(0).random_raw(order) >> np.uint64(63)
    return bits.astype(np.float32) * 2 - 1


def _project(
    features: NDArray[np.float32], directions: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """(h, w, C) to (h·w, bits)."""
    rows = features.reshape(-1, features.shape[2])
    if directions is None:
        return _hadamard(rows)
    # In small products of one thread, whose threads do not compete with the network's.
    step = max(_PRODUCT // directions.size, 1)
    parts = [rows[at : at + step] @ directions for at in range(0, len(rows), step)]
    return np.concatenate(parts) if parts else np.zeros((0, directions.shape[1]), np.float32)


def _hadamard(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, C) to (n, CODE_BITS) by the fast Walsh–Hadamard transform.

    A matrix product would be as quick, but its threads would compete with the network's.
    """
    count, channels = features.shape
    order = 1 << max(channels - 1, CODE_BITS).bit_length()
    # Channels first, so that added rows are contiguous in memory.
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
    # The first row of a Hadamard matrix is constant and is left out.
    return np.ascontiguousarray(rows[1 : CODE_BITS + 1].T)


def project_features(
    features: NDArray[np.float32], directions: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Project centred features, (h, w, C) float32, to (h, w, bits), each of L2 norm 1.

    `directions` are the model's own, (C, bits) float32.
    """
    height, width, _ = features.shape
    projected = _project(features, directions)
    norms = np.sqrt(np.square(projected).sum(axis=1, keepdims=True))
    np.divide(projected, norms, out=projected, where=norms > 0)
    return projected.reshape(height, width, projected.shape[1])


def encode_features(
    features: NDArray[np.float32], directions: NDArray[np.float32] | None = None
) -> NDArray[np.uint8]:
    """Code centred features: (h, w, C) float32 to (h·w, bits / 8) uint8, bit 1 for > 0.

    Codes are in row order; the first direction is the highest bit of the first byte. `directions`
    are the model's own, (C, bits) float32.
    """
    return np.packbits(_project(features, directions) > 0, axis=1)


def is_blank(local_features: NDArray[np.float32] | None) -> bool:
    """Whether all (h, w, C) local features of a photo are alike."""
    if local_features is None:
        return False
    rows = local_features.reshape(-1, local_features.shape[-1])
    if not len(rows):
        return True
    scale = 1 / np.maximum(np.sqrt(np.vecdot(rows, rows)), 1e-9)
    mean = np.einsum("i,ij->j", scale, rows) / len(rows)
    return float(np.vecdot(mean, mean)) > BLANK


def encode_grid(photo: Embedding) -> Codes:
    """The codes of a photo's local features, with their grid (h, w); empty without local features.

    Codes within the photo's black frame are zeros.
    """
    local = photo.local_features
    if local is None:
        return np.zeros((0, CODE_BYTES), np.uint8), (0, 0)
    codes = encode_features(local, photo.directions)
    if photo.black_frame is not None:
        codes[photo.black_frame.ravel()] = 0
    return codes, (local.shape[0], local.shape[1])


def decode_codes(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The signs in (n, bytes) codes as (n, 8 · bytes) float32 of ±1, or 0 for a code of zeros."""
    signs = np.unpackbits(codes, axis=1).astype(np.float32) * 2 - 1
    signs[are_empty(codes)] = 0
    return signs


def are_empty(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """A mask (…) of the (…, bytes) codes that are zeros, as `encode_grid` gives in black frames."""
    any_bits = codes[..., 0].copy()
    for byte in range(1, codes.shape[-1]):  # a third of the time that `any` takes
        any_bits |= codes[..., byte]
    return np.asarray(any_bits == 0)
