"""Fits a whitening: a PCA of descriptors whose directions are scaled to equal variance.

The recipe of Jégou & Chum (ECCV 2012) as in NetVLAD: W = diag(1 / √(λ + 1e-9)) Uᵀ with the
eigenvectors U and eigenvalues λ of the covariance, offset −W μ, then L2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from place_search.training.errors import TrainingError

MAX_SAMPLES = 10_000
MIN_SAMPLES = 1_000
SAMPLES_A_DIMENSION = 2
"""The published recipe has 10,000 samples for 4,096 dimensions; with far fewer, recall falls."""
_FLOOR = 1e-9
_BLOCK_BYTES = 64 << 20


class Samples(Protocol):
    """Descriptors on disk."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions."""

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """These rows, (len(rows), D)."""


@dataclass(frozen=True, slots=True)
class WhiteningFit:
    """`matrix` (dims, D) and `offset` (dims,) float32, the strongest direction first.

    `variance_kept` is the share of the samples' variance that the directions hold.
    """

    matrix: NDArray[np.float32]
    offset: NDArray[np.float32]
    samples: int
    variance_kept: float


def samples_needed(dims: int) -> int:
    """The number of descriptors that a whitening to `dims` dimensions needs."""
    return max(MIN_SAMPLES, SAMPLES_A_DIMENSION * dims)


def require_samples(count: int, samples: str, dims: int) -> None:
    """Raise `TrainingError` where `count` photos or descriptors are too few for `dims`."""
    if count < samples_needed(dims):
        fewer = " or fewer --dims" if count >= MIN_SAMPLES else ""
        raise TrainingError(
            f"{count} {samples} are too few to whiten to {dims} dimensions, which need "
            f"{samples_needed(dims)}; give more photos{fewer}."
        )


def fit_whitening(samples: Samples, dims: int, *, seed: int = 0) -> WhiteningFit:
    """Fit on `MAX_SAMPLES` of the samples, chosen at random, or on more if `dims` needs them.

    Samples are read a block at a time. If there are fewer samples than dimensions, the eigenvectors
    come from the smaller matrix of products between samples, not from the covariance.

    Raises:
        TrainingError: too few samples, or descriptors of fewer than `dims` dimensions.
    """
    count, width = samples.shape
    if dims > width:
        raise TrainingError(
            f"The descriptors have {width} dimensions, so they cannot be whitened to {dims}; "
            f"choose --dims {width} or fewer."
        )
    require_samples(count, "descriptors", dims)
    random = np.random.default_rng(seed)
    limit = max(MAX_SAMPLES, samples_needed(dims))
    rows = random.choice(count, min(count, limit), replace=False)
    blocks = _Blocks(samples, np.sort(rows))
    mean = sum((block.sum(axis=0) for _, block in blocks), np.zeros(width)) / blocks.count
    dual = blocks.count < width
    spread = _products(blocks, mean) if dual else _covariance(blocks, mean)
    total = float(np.trace(spread))
    side = len(spread)
    values, vectors = eigh(
        spread, subset_by_index=(side - dims, side - 1), overwrite_a=True, check_finite=False
    )
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    if dual:
        vectors = _directions(blocks, mean, vectors, values)
    vectors /= np.sqrt(values + _FLOOR)
    matrix = vectors.T
    return WhiteningFit(
        matrix=np.ascontiguousarray(matrix, np.float32),
        offset=(-matrix @ mean).astype(np.float32),
        samples=blocks.count,
        variance_kept=float(values.sum()) / total if total else 0.0,
    )


class _Blocks:
    """The chosen rows as float64, a block at a time with the number of its first row."""

    def __init__(self, samples: Samples, rows: NDArray[np.int64]) -> None:
        self._samples, self._rows = samples, rows
        self.count, self.width = len(rows), samples.shape[1]
        self.step = max(1, _BLOCK_BYTES // (8 * self.width))

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        return self.until(self.count)

    def until(self, end: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """The blocks that start before the row `end`."""
        for start in range(0, end, self.step):
            rows = self._rows[start : start + self.step]
            yield start, self._samples.take(rows).astype(np.float64)


def _covariance(blocks: _Blocks, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The covariance of the samples, (D, D)."""
    spread = np.zeros((blocks.width, blocks.width))
    for _, block in blocks:
        block -= mean
        spread += block.T @ block
    return spread / (blocks.count - 1)


def _products(blocks: _Blocks, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n): the products between centred samples; its eigenvalues are the covariance's."""
    spread = np.empty((blocks.count, blocks.count))
    for row, block in blocks:
        block -= mean
        rows = slice(row, row + len(block))
        for column, other_block in blocks.until(row + 1):
            columns = slice(column, column + len(other_block))
            spread[rows, columns] = block @ (other_block - mean).T
            spread[columns, rows] = spread[rows, columns].T
    return spread / (blocks.count - 1)


def _directions(
    blocks: _Blocks,
    mean: NDArray[np.float64],
    vectors: NDArray[np.float64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(D, dims) unit eigenvectors of the covariance, from those (n, dims) of the products."""
    directions = np.zeros((blocks.width, vectors.shape[1]))
    for row, block in blocks:
        directions += (block - mean).T @ vectors[row : row + len(block)]
    directions /= np.sqrt(np.maximum(values, _FLOOR) * (blocks.count - 1))
    return directions
