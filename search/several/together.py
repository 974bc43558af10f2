"""Several photos of one spot as one query."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.search.errors import ParameterError
from place_search.search.probability import log_odds, sigmoid
from place_search.search.verification import Ranking, Verification

_MOST_ODDS = log_odds(1 - 1e-6)
"""What one photo says at most against the others, so that none outvotes them by itself."""
MAX_TOGETHER = 16
"""Photos that are one query."""


def require_few(photos: int) -> None:
    """Make sure that so many photos can be one query. Raises `ParameterError`."""
    if not 1 <= photos <= MAX_TOGETHER:
        raise ParameterError(
            f"The query has {photos} photos, but one query takes from 1 to {MAX_TOGETHER} of one "
            "spot; send those that show most of it.",
            "photo",
        )


def candidates_together(candidates: int, photos: int) -> int:
    """How many places are compared with each photo, so that all take about as long as two."""
    return candidates if photos == 1 else 2 * candidates // photos


class View(NamedTuple):
    """What one photo of a query says of the candidates: cosines, and the verification if any."""

    similarities: Sequence[float]
    ranking: Ranking | None = None

    @property
    def found(self) -> Mapping[int, Verification]:
        """The verification of candidates, by their number."""
        return self.ranking.found if self.ranking else {}


def unit(descriptor: NDArray[np.float32]) -> NDArray[np.float32]:
    """A (D,) descriptor of length 1, or of zeros where it is."""
    length = np.float32(max(float(np.linalg.norm(descriptor)), 1e-12))
    return np.asarray(descriptor / length, np.float32)


def mean_direction(descriptors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The descriptor of photos together: their mean, which what they have in common survives."""
    if len(descriptors) == 1:
        return descriptors[0]
    return np.asarray(np.mean([unit(one) for one in descriptors], axis=0), np.float32)


def fused_order(rankings: Sequence[Ranking]) -> list[int]:
    """Candidates by the sum of what their geometry scores with each photo.

    Those that no photo was matched with in full come last, as the first photo ranks them. On walks
    by night the sum finds more than the best score of one photo does, as the mean of descriptors
    finds more than fused ranks do.
    """
    if len(rankings) == 1:
        return list(rankings[0].order)
    sums: dict[int, float] = {}
    for ranking in rankings:
        for row, found in ranking.found.items():
            sums[row] = sums.get(row, 0.0) + found.score
    verified = sorted(sums, key=sums.__getitem__, reverse=True)
    return verified + [row for row in rankings[0].order if row not in sums]


def strongest(found: Iterable[Verification | None]) -> Verification | None:
    """The verification of the photo that a candidate agrees with most, None without any."""
    return max((one for one in found if one is not None), key=_score, default=None)


def fused_probabilities(by_photo: Sequence[Sequence[float]]) -> list[float]:
    """The probability of each candidate: the mean odds by the better half of the photos.

    A photo that looks elsewhere is no evidence against a place that others show, but of many
    photos of unknown places one looks like a known one sooner or later.
    """
    if len(by_photo) == 1:
        return list(by_photo[0])
    return [_together(candidate) for candidate in zip(*by_photo, strict=True)]


def _together(probabilities: Sequence[float]) -> float:
    """The probability of one candidate. Where photos agree, they are as sure as each of them."""
    half = sorted(map(log_odds, probabilities), reverse=True)[: (len(probabilities) + 1) // 2]
    mean = fmean(min(max(odds, -_MOST_ODDS), _MOST_ODDS) for odds in half)
    return sigmoid(min(max(mean, half[-1]), half[0]))


def _score(found: Verification) -> float:
    return found.score
