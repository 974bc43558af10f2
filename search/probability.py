"""How probable it is that two photos show the same place, and what to say of a search.

A pair by itself is judged by its similarity and by the share of its mutual matches that agree with
one view. A candidate of a search is judged beside the others too: most of them show other places,
so that their similarities say what is usual for this photo among these places. With few others the
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
"""Added to the mutual matches, so that a few that agree by chance are no large share."""
BACKGROUND = 30
"""Candidates that an unverified search looks at, to know which similarities are usual."""
EQUAL_SAY = 10
"""The number of other candidates whose say equals the pair's own."""


class Others(NamedTuple):
    """What the candidates of a search say together: their usual similarity, and its say, 0–1."""

    usual: float
    say: float

    @classmethod
    def of(cls, similarities: Sequence[float]) -> "Others":
        """What candidates of these similarities say, one of which is judged beside them."""
        others = max(len(similarities) - 1, 0)
        # NumPy's median is the same, and imports masked arrays: 5 ms of a first search.
        usual = median(similarities) if similarities else 0.0
        return cls(usual, others / (others + EQUAL_SAY))


class Match(NamedTuple):
    """What a search says: found from `threshold` on, not found below `UNSURE_FROM`."""

    verdict: Verdict
    probability: float
    threshold: float


def told_probability(probability: float) -> float:
    """A probability as answers tell it: to as many places as tell sure answers apart."""
    return round(probability, PLACES)


def log_odds(probability: float) -> float:
    """The logarithm of a probability's odds; none is surer than answers can tell."""
    least = 10.0**-PLACES
    sure = min(max(probability, least), 1 - least)
    return math.log(sure / (1 - sure))


def sigmoid(odds: float) -> float:
    """The probability of odds, given as their logarithm."""
    return 1 / (1 + math.exp(-min(max(odds, -700.0), 700.0)))


def calibration_of(model: Model) -> Calibration:
    """A model's calibration, or that of the included model, which it then borrows.

    What a similarity alone is worth cannot be borrowed.
    """
    own = model.card.calibration
    return own.completed() if own else borrowed_calibration()


def borrowed_calibration() -> Calibration:
    """That of the included model, without what a similarity alone is worth."""
    return replace(included_calibration(), unverified=NOTHING_KNOWN)


def agreement(found: Verification) -> float:
    """The share of mutual matches that agree with one arrangement, 0–1."""
    return found.inliers / (found.mutual + FEW_MATCHES)


def evidence(similarity: float, found: Verification) -> NDArray[np.float64]:
    """The (4,) numbers that a calibration's `weights` weigh; those of 0.1 know the first three."""
    return np.array(
        [similarity, math.log1p(found.inliers), math.sqrt(found.inliers), agreement(found)]
    )


def evidence_among(similarity: float, found: Verification, beside: Others) -> tuple[float, float]:
    """The numbers that a calibration's `among` weighs: the agreement, and the contrast."""
    return agreement(found), similarity - beside.usual


def evidence_unverified(similarity: float, beside: Others) -> tuple[float, float]:
    """The numbers that a calibration's `unverified` weighs: the contrast has its say."""
    return similarity, (similarity - beside.usual) * beside.say


def pair_probability(calibration: Calibration, similarity: float, found: Verification) -> float:
    """The probability that two photos show the same place, by themselves.

    No more matches than chance could be, a score of 0, are never sure: of the few that a drawing
    has, most agree with anything round.
    """
    probability = sigmoid(_pair_odds(calibration, similarity, found))
    return probability if found.score else min(probability, UNSURE_FROM)


def candidate_probabilities(
    calibration: Calibration,
    similarities: Sequence[float],
    found: Sequence[Verification | None],
    others: Sequence[float],
) -> list[float]:
    """The probability of each result of a search that it shows the query's place.

    `similarities` and `found`, None where unverified, are of the results; `others` are the
    similarities of all candidates. Where the pair by itself is called the same, so that a
    comparison of the two photos says so, the result is at least unsure, and found only there. Where
    one is far more similar than the others are, it is at least unsure too: geometry misses what is
    seen from another side.
    """
    beside = Others.of(others)
    most_similar = Others.of(sorted(others, reverse=True)[:BACKGROUND])
    probabilities = []
    for similarity, verification in zip(similarities, found, strict=True):
        alone, apart = _odds_alone(calibration, similarity, most_similar)
        if verification is None:
            probabilities.append(sigmoid(alone + apart))
            continue
        # Some photos are alike everywhere, so that what sets this one apart must suffice too. What
        # matches nothing, as one colour does, shows no place.
        least = min(alone + apart, apart) if verification.mutual else -math.inf
        stands_out = sigmoid(least) >= calibration.threshold
        probability = _verified(calibration, similarity, verification, beside)
        probabilities.append(max(probability, UNSURE_FROM) if stands_out else probability)
    return probabilities


def standing(found: Verification | None, probability: float | None) -> tuple[int, float]:
    """What results are ordered by, ascending, where geometry has put them in an order.

    A score of 0 is what chance could be between whole photos. Of a small part of one, or by night,
    the probability may tell that it is more: such a result comes before those that are elsewhere.
    """
    if found is not None and found.score:
        return 0, 0.0
    if found is not None and probability is not None and probability >= UNSURE_FROM:
        return 1, -probability
    return 2, 0.0


def probability_first(ranked: Sequence[float]) -> float:
    """The probability of the first of `ranked` results, given theirs; 0 where there is none.

    Geometry agrees better with the first than with those behind it, so it is at least unsure where
    one of them is: a search never denies what a comparison with one of its results affirms.
    """
    if not ranked:
        return 0.0
    return max(ranked[0], UNSURE_FROM) if max(ranked) >= UNSURE_FROM else ranked[0]


def match_of(calibration: Calibration, best: float) -> Match:
    """The verdict of a search whose best result has this probability."""
    verdict: Verdict = "unsure"
    if best >= calibration.threshold:
        verdict = "found"
    elif best < UNSURE_FROM:
        verdict = "not_found"
    return Match(verdict, best, calibration.threshold)


def _odds_alone(calibration: Calibration, similarity: float, beside: Others) -> tuple[float, float]:
    """The odds of the similarity by itself, and what its contrast with the others adds."""
    by_similarity, by_contrast, intercept = calibration.unverified
    alone, contrast = evidence_unverified(similarity, beside)
    return by_similarity * alone + intercept, by_contrast * contrast


def _verified(
    calibration: Calibration, similarity: float, found: Verification, beside: Others
) -> float:
    pair = _pair_odds(calibration, similarity, found)
    by_agreement, by_contrast, intercept = calibration.among
    agrees, contrast = evidence_among(similarity, found, beside)
    among = by_agreement * agrees + by_contrast * contrast + intercept
    probability = sigmoid((1 - beside.say) * pair + beside.say * among)
    by_itself = pair_probability(calibration, similarity, found)
    if by_itself >= calibration.threshold:
        return max(probability, UNSURE_FROM)
    return min(probability, max(by_itself, UNSURE_FROM))


def _pair_odds(calibration: Calibration, similarity: float, found: Verification) -> float:
    """Logarithm of the odds."""
    known = evidence(similarity, found)[: len(calibration.weights)]
    return float(np.dot(calibration.weights, known)) + calibration.intercept
