"""Descriptors centred and scaled by the statistics of their own set (Schubert et al. 2020).

Light, weather and camera add the same offset to all descriptors of a drive. The mean of the drive
contains that offset, so that subtracting the mean removes it. The mean of a few frames also
contains their common place, so that few frames are centred only in part.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HALF_AT = 10
"""The number of descriptors from which on a set is centred at least half."""
_LEAST_SCALE = 0.25
"""Added to each standard deviation, in units of their mean: constant components stay small."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Standard:
    """The (D,) float32 `centre` to subtract from descriptors, and the `scale` to divide them by."""

    centre: Vectors
    scale: Vectors

    def apply(self, descriptors: Vectors) -> Vectors:
        """(n, D) descriptors, centred, scaled and of L2 norm 1."""
        moved = (descriptors - self.centre) / self.scale
        norms = np.linalg.norm(moved, axis=1, keepdims=True)
        return np.asarray(moved / np.maximum(norms, 1e-12), np.float32)

    def cosines(self, descriptors: Vectors, standardised: Vectors) -> Vectors:
        """The cosines of (n, D) descriptors, once standardised, with a `standardised` one, (D,).

        No standardised copies are made: they would take most of the time.
        """
        # Not matrix products: their threads and those of FAISS would wait for each other.
        along, weights = standardised / self.scale, self.scale**-2
        dots = np.vecdot(descriptors, along) - np.vecdot(self.centre, along)
        moved = self.centre * weights
        squares = np.vecdot(np.square(descriptors), weights) - 2 * np.vecdot(descriptors, moved)
        norms = np.sqrt(np.maximum(squares + np.vecdot(self.centre, moved), 1e-24))
        return np.asarray(dots / norms, np.float32)


class Statistics:
    """Mean and standard deviation of the descriptors of a set, which may still grow."""

    def __init__(self, dims: int) -> None:
        self.count = 0
        self._sum = np.zeros(dims)
        self._squares = np.zeros(dims)

    def add(self, descriptors: Vectors) -> None:
        """Add (n, D) descriptors to the statistics."""
        self.count += len(descriptors)
        self._sum += descriptors.sum(axis=0)
        self._squares += np.square(descriptors).sum(axis=0)

    @property
    def share(self) -> float:
        """The share, 0–1, to which a set of `count` descriptors is standardised."""
        return self.count / (self.count + HALF_AT)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The (D,) mean, zeros for an empty set."""
        return self._sum / max(self.count, 1)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """The (D,) standard deviations."""
        mean = self.mean
        return np.sqrt(np.maximum(self._squares / max(self.count, 1) - mean**2, 0.0))

    def standard(self, share: float, other: "Statistics | None" = None) -> Standard:
        """The standard of this set; a `share` of 0 leaves the directions of descriptors unchanged.

        Deviations of few descriptors are mixed with those of the `other` set.
        """
        deviation = self.deviation
        if other is not None:
            deviation = np.sqrt(share * deviation**2 + (1 - share) * other.deviation**2)
        scale = deviation + _LEAST_SCALE * deviation.mean()
        if not scale.any():  # one descriptor, or equal ones
            scale = np.ones_like(scale)
        scale = (scale / scale.mean()) ** share
        return Standard(np.asarray(share * self.mean, np.float32), np.asarray(scale, np.float32))


def standards(track: Statistics, places: Statistics) -> tuple[Standard, Standard]:
    """The standards of a track's frames and of the places that are searched for them.

    Both are standardised to the lesser share of the two sets.
    """
    share = min(track.share, places.share)
    return track.standard(share, places), places.standard(share)
