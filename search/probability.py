"""The probability that two photos show the same place, and the verdict of a search.

A pair by itself is judged by its similarity and by the share of its mutual matches that agree with
one view. A candidate of a search is judged beside the others too: most of them show other places,
so that their similarities tell what is usual for this photo among these places. With few others the
pair's own evidence counts more (cf. cohort normalisation of scores in speaker recognition).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.models import Calibration, Model, included_calibration
from place_search.models.calibration import NOTHING_KNOWN
from place_search.models.calibration import UNSURE_FROM as UNSURE_FROM
from place_search.search.verification import Verification

Verdict: TypeAlias = Literal["found", "unsure", "not_found"]

PLACES = 12
"""Decimal places of a probability in an answer."""
FEW_MATCHES = 50
"""Added to the number of mutual matches, so that a few chance inliers are no large share."""
BACKGROUND = 30
"""The number of candidates by which an unverified search measures the usual similarity."""
EQUAL_WEIGHT = 10
"""The number of other candidates whose evidence weighs as much as the pair's own."""


class Cohort(NamedTuple):
    """All candidates of a search: their usual similarity, and its weight in a verdict, 0–1."""

    usual: float
    weight: float

    @classmethod
    def of(cls, similarities: Sequence[float]) -> "Cohort":
        """The cohort of candidates with these similarities, the judged candidate included."""
        others = max(len(similarities) - 1, 0)
        # NumPy's median is the same, and imports masked arrays: 5 ms of a first search.
        usual = median(similarities) if similarities else 0.0
        return cls(usual, others / (others + EQUAL_WEIGHT))


class Match(NamedTuple):
    """The verdict of a search: found from `threshold` on, not found below `UNSURE_FROM`."""

    verdict: Verdict
    probability: float
    threshold: float


def rounded_probability(probability: float) -> float:
    """A probability rounded for an answer, to `PLACES` decimals: sure answers stay distinct."""
    return round(probability, PLACES)


def log_odds(probability: float) -> float:
    """The logarithm of a probability's odds, limited to what `PLACES` decimals can show."""
    least = 10.0**-PLACES
    sure = min(max(probability, least), 1 - least)
    return math.log(sure / (1 - sure))


def sigmoid(odds: float) -> float:
    """The probability of odds, given as their logarithm."""
    return 1 / (1 + math.exp(-min(max(odds, -700.0), 700.0)))


def calibration_of(model: Model) -> Calibration:
    """A model's calibration, or the one borrowed from the included model."""
    own = model.card.calibration
    return own.completed() if own else borrowed_calibration()


def borrowed_calibration() -> Calibration:
    """The included model's calibration, without its weights for similarity alone.

    Those hold for the similarities of that model only.
    """
    return replace(included_calibration(), unverified=NOTHING_KNOWN)


def agreement(verification: Verification) -> float:
    """The share of mutual matches that agree with one arrangement, 0–1."""
    return verification.inliers / (verification.mutual + FEW_MATCHES)


def evidence(similarity: float, verification: Verification) -> NDArray[np.float64]:
    """The (4,) numbers for a calibration's `weights`; calibrations of 0.1 use the first three."""
    inliers = verification.inliers
    return np.array([similarity, math.log1p(inliers), math.sqrt(inliers), agreement(verification)])


def evidence_among(
    similarity: float, verification: Verification, cohort: Cohort
) -> tuple[float, float]:
    """The numbers that a calibration's `among` weighs: the agreement, and the contrast."""
    return agreement(verification), similarity - cohort.usual


def evidence_unverified(similarity: float, cohort: Cohort) -> tuple[float, float]:
    """The numbers that a calibration's `unverified` weighs: similarity, and weighted contrast."""
    return similarity, (similarity - cohort.usual) * cohort.weight


def pair_probability(
    calibration: Calibration, similarity: float, verification: Verification
) -> float:
    """The probability that two photos show the same place, without other candidates.

    A score of 0, no more matches than chance, is never sure: of the few matches that a drawing
    has, most agree with anything round.
    """
    probability = sigmoid(_pair_odds(calibration, similarity, verification))
    return probability if verification.score else min(probability, UNSURE_FROM)


def candidate_probabilities(
    calibration: Calibration,
    similarities: Sequence[float],
    verifications: Sequence[Verification | None],
    all_similarities: Sequence[float],
) -> list[float]:
    """The probability of each result of a search that it shows the query's place.

    `similarities` and `verifications`, None where unverified, are those of the results;
    `all_similarities` are those of all candidates. Where a comparison of the two photos alone calls
    them the same, the result is at least unsure, and only then can it be found. A result that is
    far more similar than the others is at least unsure too: geometry misses photos of one place
    from different sides.
    """
    cohort = Cohort.of(all_similarities)
    most_similar = Cohort.of(sorted(all_similarities, reverse=True)[:BACKGROUND])
    probabilities = []
    for similarity, verification in zip(similarities, verifications, strict=True):
        alone, contrast = _odds_alone(calibration, similarity, most_similar)
        if verification is None:
            probabilities.append(sigmoid(alone + contrast))
            continue
        # Some photos are like any other, so that the contrast alone must suffice too. A photo
        # without matches, as of one colour, shows no place.
        least = min(alone + contrast, contrast) if verification.mutual else -math.inf
        stands_out = sigmoid(least) >= calibration.threshold
        probability = _verified(calibration, similarity, verification, cohort)
        probabilities.append(max(probability, UNSURE_FROM) if stands_out else probability)
    return probabilities


def sort_key(verification: Verification | None, probability: float | None) -> tuple[int, float]:
    """The sort key of a result, ascending; results of equal key stay in their geometric order.

    A score of 0 is no more than chance between whole photos. For a small part of a photo, or by
    night, the probability may still be high: such a result comes before those that show others.
    """
    if verification is not None and verification.score:
        return 0, 0.0
    if verification is not None and probability is not None and probability >= UNSURE_FROM:
        return 1, -probability
    return 2, 0.0


def probability_first(ranked: Sequence[float]) -> float:
    """The probability of the first result, given those of all `ranked` results; 0 without any.

    Geometry agrees best with the first result, so it is at least unsure where another result is: a
    search never denies what a comparison with one of its results affirms.
    """
    if not ranked:
        return 0.0
    return max(ranked[0], UNSURE_FROM) if max(ranked) >= UNSURE_FROM else ranked[0]


def match_of(calibration: Calibration, best: float) -> Match:
    """The verdict of a search whose best result has the probability `best`."""
    verdict: Verdict = "unsure"
    if best >= calibration.threshold:
        verdict = "found"
    elif best < UNSURE_FROM:
        verdict = "not_found"
    return Match(verdict, best, calibration.threshold)


def _odds_alone(calibration: Calibration, similarity: float, cohort: Cohort) -> tuple[float, float]:
    """The log odds of the similarity alone, and those that its contrast with the others adds."""
    by_similarity, by_contrast, intercept = calibration.unverified
    alone, contrast = evidence_unverified(similarity, cohort)
    return by_similarity * alone + intercept, by_contrast * contrast


def _verified(
    calibration: Calibration, similarity: float, verification: Verification, cohort: Cohort
) -> float:
    pair = _pair_odds(calibration, similarity, verification)
    by_agreement, by_contrast, intercept = calibration.among
    agrees, contrast = evidence_among(similarity, verification, cohort)
    among = by_agreement * agrees + by_contrast * contrast + intercept
    probability = sigmoid((1 - cohort.weight) * pair + cohort.weight * among)
    by_itself = pair_probability(calibration, similarity, verification)
    if by_itself >= calibration.threshold:
        return max(probability, UNSURE_FROM)
    return min(probability, max(by_itself, UNSURE_FROM))


def _pair_odds(calibration: Calibration, similarity: float, verification: Verification) -> float:
    """The logarithm of the odds."""
    weighed = evidence(similarity, verification)[: len(calibration.weights)]
    return float(np.dot(calibration.weights, weighed)) + calibration.intercept
