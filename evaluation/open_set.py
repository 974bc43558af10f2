"""Queries whose place is not in the database: figures of a search's verdicts and probabilities."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from place_search.evaluation.errors import TruthError
from place_search.evaluation.ranking import Ranked
from place_search.evaluation.truth.ground_truth import Rows
from place_search.models import Calibration
from place_search.search.calibrating.logistic import (
    Floats,
    Labels,
    area_under_roc,
    binned_error,
    least_threshold,
)
from place_search.search.probability import (
    BACKGROUND,
    PLACES,
    Verdict,
    candidate_probabilities,
    match_of,
    probability_first,
    rounded_probability,
)
from place_search.search.verification import NOTHING

ODDS_MARGIN = 1e-4
"""The relative difference in odds allowed between an evaluation's and a search's probability.

Differences of 1e-5 were measured.
"""


@dataclass(frozen=True, slots=True)
class OpenSet:
    """Figures on how the first result's probability separates right answers from wrong answers.

    `known` queries have positives, `unknown` queries have none. The `unanswered` queries have no
    results, as the first frames of a drive, or could not be read: they count neither as right nor
    as wrong, and none of them as unknown. `auc` is that of right against wrong answers, 0–1.
    Answers are "found" from the probability `threshold` on; `precision` per cent of them are right.
    `recall` is the share of known queries with a right answer "found", `false_found` the share of
    unknown queries with an answer "found", both in per cent. `recall_at_precision_99` and `_100`
    are the recalls at thresholds of such precision. `calibration_error` is the mean
    |probability − share of right answers| over ten bins (Naeini et al. 2015). `verdicts`,
    `probabilities`, `right` and `answered` have an entry a query, as a search gives them; `==`
    compares only the verdicts of these. `at_precision` is the share (0–1) of right answers among
    "found" for which a threshold was requested.
    """

    known: int
    unknown: int
    unanswered: int
    threshold: float
    auc: float | None
    precision: float | None
    recall: float | None
    false_found: float | None
    recall_at_precision_99: float | None
    recall_at_precision_100: float | None
    calibration_error: float
    verdicts: tuple[Verdict, ...] = field(repr=False)
    probabilities: Floats = field(repr=False, compare=False)
    right: Labels = field(repr=False, compare=False)
    answered: Labels = field(repr=False, compare=False)
    at_precision: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures, as `eval --json` prints them."""
        figures = asdict(self)
        for name in ("verdicts", "probabilities", "right", "answered", "at_precision"):
            del figures[name]
        rounded = {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in figures.items()
        }
        if self.at_precision is not None:
            threshold = self.threshold_at(self.at_precision)
            rounded["at_precision"] = {"share": self.at_precision, "threshold": threshold}
        return rounded

    def threshold_at(self, precision: float) -> float | None:
        """The least threshold from which on a share `precision` (0–1) of "found" is right, if any.

        It is a little below the last probability that counts: a search sums in another order than
        an evaluation, so that its probability of the same photo differs slightly.
        """
        probabilities, right = self.answers
        point = least_threshold(probabilities, right, precision)
        if point is None:
            return None
        last = point[0]
        following = probabilities[probabilities < last].max(initial=0.0)
        margin = ODDS_MARGIN * last * (1 - last) + 10.0**-PLACES
        return max(float(last + following) / 2, last - margin)

    @property
    def answers(self) -> tuple[Floats, Labels]:
        """The probabilities of all answers, and whether each is right."""
        return self.probabilities[self.answered], self.right[self.answered]

    @property
    def best_of_both(self) -> float | None:
        """The highest probability, if both right and wrong answers have it; else None."""
        probabilities, right = self.answers
        highest = probabilities == probabilities.max()
        is_mixed = right[highest].any() and not right[highest].all()
        return float(probabilities.max()) if is_mixed else None


def measure_open_set(
    ranked: Sequence[Ranked],
    positives: Sequence[Rows],
    calibration: Calibration,
    at_precision: float | None = None,
) -> OpenSet:
    """Figures of the first results; `ranked` has their probabilities by this calibration.

    `at_precision` is the share (0–1) of right answers for which the report gives the threshold.

    Raises:
        TruthError: no query found anything, right or wrong.
    """
    answered = np.array([len(results.rows) > 0 for results in ranked], np.bool_)
    if not answered.any():
        raise TruthError("No query had a photo to find, so nothing can be said of unknown places.")
    matches = [match_of(calibration, results.probability) for results in ranked]
    right = np.array(
        [
            bool(np.isin(results.rows[:1], rows).any())
            for results, rows in zip(ranked, positives, strict=True)
        ]
    )
    is_known = np.array([len(rows) > 0 for rows in positives])
    is_unknown = answered & ~is_known
    is_found = np.array([match.verdict == "found" for match in matches])
    probabilities = np.array([rounded_probability(match.probability) for match in matches])
    known, unknown = int(is_known.sum()), int(is_unknown.sum())
    answer_probabilities, is_right = probabilities[answered], right[answered]
    mixed = is_right.any() and not is_right.all()
    return OpenSet(
        known=known,
        unknown=unknown,
        unanswered=int((~answered).sum()),
        threshold=calibration.threshold,
        auc=area_under_roc(answer_probabilities, is_right) if mixed else None,
        precision=_percent(int((is_found & right).sum()), int(is_found.sum())),
        recall=_percent(int((is_found & right).sum()), known),
        false_found=_percent(int((is_found & is_unknown).sum()), unknown),
        recall_at_precision_99=_recall_at(answer_probabilities, is_right, known, 0.99),
        recall_at_precision_100=_recall_at(answer_probabilities, is_right, known, 1.0),
        calibration_error=expected_calibration_error(answer_probabilities, is_right),
        verdicts=tuple(match.verdict for match in matches),
        probabilities=probabilities,
        right=right,
        answered=answered,
        at_precision=at_precision,
    )


def with_similarity_alone(
    results: Ranked, calibration: Calibration, k: int, *, is_blank: bool = False
) -> Ranked:
    """Unverified results with the probability of the first, as in a search for `k` results.

    Where descriptors are standardised, the first need not be the most similar one. A query that
    `is_blank` shows no place, however similar another blank photo is.
    """
    background = results.similarities[:BACKGROUND].astype(float).tolist()
    similarities = results.similarities[: max(k, BACKGROUND)].astype(float).tolist()
    shown = NOTHING if is_blank else None
    probabilities = candidate_probabilities(
        calibration, similarities, [shown for _ in similarities], background
    )
    return results._replace(probability=probability_first(probabilities))


def expected_calibration_error(probabilities: Floats, right: Labels) -> float:
    """The mean |probability − share of right answers|, weighted by the answers in each bin."""
    return binned_error(probabilities, right, np.full(len(probabilities), 1 / len(probabilities)))


def _recall_at(
    probabilities: Floats, right: Labels, known_count: int, precision: float
) -> float | None:
    if not known_count:
        return None
    point = least_threshold(probabilities, right, precision)
    return 0.0 if point is None else 100.0 * point[1] * int(right.sum()) / known_count


def _percent(part: int, total: int) -> float | None:
    return 100.0 * part / total if total else None
