"""Descriptors centred and scaled by the statistics of their own set (Schubert et al. 2020).

Light, weather and camera add the same to all descriptors of a drive. What they add is in the mean
of that drive, and goes with it. The mean of a few frames shows what these frames have in common,
their place, so that few frames are centred only in part.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HALF_AT = 10
"""Descriptors from which on a set is centred at least half."""
_LEAST_SCALE = 0.25
"""Added to each standard deviation, in units of their mean: a constant number is not blown up."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Standard:
    """What is taken from descriptors, and what they are divided by: both (D,) float32."""

    centre: Vectors
    scale: Vectors

    def apply(self, descriptors: Vectors) -> Vectors:
        """(n, D) descriptors, centred, scaled and of L2 norm 1."""
        moved = (descriptors - self.centre) / self.scale
        norms = np.linalg.norm(moved, axis=1, keepdims=True)
        return np.asarray(moved / np.maximum(norms, 1e-12), np.float32)

    def cosines(self, descriptors: Vectors, standardised: Vectors) -> Vectors:
        """The cosines of (n, D) descriptors, standardised, with a (D,) one that is so already.

        It makes no standardised copies, which take most of the time.
        """
        # Not matrix products: their threads and those of FAISS keep one another waiting.
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
        """Take up (n, D) descriptors."""
        self.count += len(descriptors)
        self._sum += descriptors.sum(axis=0)
        self._squares += np.square(descriptors).sum(axis=0)

    @property
    def share(self) -> float:
        """How far a set of so many descriptors is to be standardised, 0–1."""
        return self.count / (self.count + HALF_AT)

    @property
    def mean(self) -> NDArray[np.float64]:
        """(D,), zeros where there is nothing."""
        return self._sum / max(self.count, 1)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """(D,) standard deviations."""
        mean = self.mean
        return np.sqrt(np.maximum(self._squares / max(self.count, 1) - mean**2, 0.0))

    def standard(self, share: float, other: "Statistics | None" = None) -> Standard:
        """The standard of this set; `share` 0 leaves the directions of descriptors as they are.

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
    """The standards of a track's frames and of the places they are looked for among.

    Both are standardised as far as the frames seen so far allow.
    """
    share = min(track.share, places.share)
    return track.standard(share, places), places.standard(share)
