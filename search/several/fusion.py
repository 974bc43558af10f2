"""Several photos of one spot as one query."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.photos import BoxError, PhotoError
from place_search.search.errors import ParameterError
from place_search.search.probability import log_odds, sigmoid
from place_search.search.verification import Ranking, Verification

_MAX_LOG_ODDS = log_odds(1 - 1e-6)
"""The largest log odds of one photo, so that no photo outvotes the others by itself."""
MAX_PHOTOS = 16
"""The largest number of photos in one query."""


@contextmanager
def of_photo(number: int, count: int) -> Iterator[None]:
    """Let the sentence of an error tell which of several photos it is about, from 1 on."""
    try:
        yield
    except (PhotoError, ParameterError) as error:
        if count > 1 and not isinstance(error, BoxError):  # a box is of one photo only
            error.args = (f"Photo {number}: {error}", *error.args[1:])
        raise


def require_few(photos: int) -> None:
    """Make sure that one query can have this number of photos. Raises `ParameterError`."""
    if not 1 <= photos <= MAX_PHOTOS:
        raise ParameterError(
            f"The query has {photos} photos, but one query takes from 1 to {MAX_PHOTOS} of one "
            "spot; send those that show most of it.",
            "photo",
        )


def candidates_per_photo(candidates: int, photos: int) -> int:
    """The number of places to compare with each photo, so that all take about as long as two."""
    return candidates if photos == 1 else 2 * candidates // photos


class View(NamedTuple):
    """The candidates as one photo of a query sees them: cosines, and the verification if any."""

    similarities: Sequence[float]
    ranking: Ranking | None = None

    @property
    def verifications(self) -> Mapping[int, Verification]:
        """The verifications of candidates by their rows."""
        return self.ranking.verifications if self.ranking else {}


def unit(descriptor: NDArray[np.float32]) -> NDArray[np.float32]:
    """A (D,) descriptor scaled to length 1; zeros stay zeros."""
    length = np.float32(max(float(np.linalg.norm(descriptor)), 1e-12))
    return np.asarray(descriptor / length, np.float32)


def mean_direction(descriptors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean of descriptors scaled to length 1: it keeps what the photos have in common."""
    if len(descriptors) == 1:
        return descriptors[0]
    return np.asarray(np.mean([unit(descriptor) for descriptor in descriptors], axis=0), np.float32)


def fused_order(rankings: Sequence[Ranking]) -> list[int]:
    """Rows of candidates by the sum of their geometric scores with each photo, best first.

    Candidates that no photo was matched with in full come last, as the first photo ranks them. On
    walks by night the sum finds more than the best score of one photo, and the mean of descriptors
    more than fused ranks.
    """
    if len(rankings) == 1:
        return list(rankings[0].order)
    sums: dict[int, float] = {}
    for ranking in rankings:
        for row, verification in ranking.verifications.items():
            sums[row] = sums.get(row, 0.0) + verification.score
    verified = sorted(sums, key=sums.__getitem__, reverse=True)
    return verified + [row for row in rankings[0].order if row not in sums]


def strongest(verifications: Iterable[Verification | None]) -> Verification | None:
    """The verification with the highest score, None where there is none."""
    verified = (verification for verification in verifications if verification is not None)
    return max(verified, key=lambda verification: verification.score, default=None)


def fused_probabilities(by_photo: Sequence[Sequence[float]]) -> list[float]:
    """The probability of each candidate: the mean odds by the better half of the photos.

    A photo that looks elsewhere is no evidence against a place that others show, but among many
    photos of unknown places one photo looks like a known place sooner or later.
    """
    if len(by_photo) == 1:
        return list(by_photo[0])
    return [_fused_probability(candidate) for candidate in zip(*by_photo, strict=True)]


def _fused_probability(probabilities: Sequence[float]) -> float:
    """The probability of one candidate; photos that agree are as sure as each of them."""
    half = sorted(map(log_odds, probabilities), reverse=True)[: (len(probabilities) + 1) // 2]
    mean = fmean(min(max(odds, -_MAX_LOG_ODDS), _MAX_LOG_ODDS) for odds in half)
    return sigmoid(min(max(mean, half[-1]), half[0]))
