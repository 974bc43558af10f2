"""The report's part on places that are not there: two drawings, figures, the worst confusions."""

from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup

from place_search.evaluation.open_set import OpenSet
from place_search.evaluation.report.svg import circle, document, line, polyline, text
from place_search.evaluation.report.words import Said, known, say
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.search.calibrating.logistic import BINS, bin_of, precision_recall

SIDE = 300
CONFUSIONS = 10
_EDGE = 44


def open_set_figures(found: OpenSet) -> list[tuple[Said | str, str]]:
    """What the figures mean, and their values."""
    unanswered = [("queries without an answer", f"{found.unanswered:,}")]
    return [
        *(unanswered if found.unanswered else []),
        ("right among those called found", _percent(found.precision)),
        ("right and found among the known", _percent(found.recall)),
        ("called found among the others", _percent(found.false_found)),
        ("recall at 99 % precision", _percent(found.recall_at_precision_99)),
        ("recall at 100 % precision", _percent(found.recall_at_precision_100)),
        *(() if found.at_precision is None else (_threshold(found, found.at_precision),)),
        (
            "AUC of right against wrong answers",
            "–" if found.auc is None else f"{found.auc:.4f}",
        ),
        ("calibration error", f"{found.calibration_error:.3f}"),
    ]


def draw_precision_recall(found: OpenSet) -> Markup:
    """Precision by recall, over all thresholds, with a dot at the one that is in use."""
    probabilities, truly = found.answers
    _, precision, share = precision_recall(probabilities, truly)
    recall = share * (int(truly.sum()) / max(found.known, 1))
    x, y, body = _frame("recall, %", "precision, %")
    points = zip(recall.tolist(), precision.tolist(), strict=True)
    body.append(polyline([(x(r), y(p)) for r, p in points], "measured line"))
    if found.precision is not None and found.recall is not None:
        body.append(circle(x(found.recall / 100), y(found.precision / 100), 5, "measured"))
    return document(SIDE, SIDE, known("Precision by recall"), body)


def draw_reliability(found: OpenSet) -> Markup:
    """The share of right answers by their probability, as discs that grow with their number."""
    x, y, body = _frame("probability, %", "right, %")
    body.append(line(x(0), y(0), x(1), y(1), "chance dashes"))
    probabilities, truly = found.answers
    of_bin = bin_of(probabilities)
    for number in range(BINS):
        inside = of_bin == number
        if inside.any():
            said = float(probabilities[inside].mean())
            right = float(truly[inside].mean())
            radius = 3 + 9 * float(np.sqrt(inside.mean()))
            body.append(circle(x(said), y(right), radius, "measured"))
    return document(SIDE, SIDE, known("Right answers by their probability"), body)


def worst_confusions(
    truth: GroundTruth, report: EvalReport, found: OpenSet
) -> Sequence[tuple[str, str, str]]:
    """The wrong answers of the highest probability: query, first result, probability."""
    wrong = np.flatnonzero(~found.right & (found.probabilities > 0))
    worst = wrong[np.argsort(-found.probabilities[wrong], kind="stable")][:CONFUSIONS]
    return [
        (
            truth.queries[query],
            truth.database[int(report.ranked[query].rows[0])],
            f"{found.probabilities[query]:.3f}",
        )
        for query in worst.tolist()
    ]


def _frame(
    across: str, up: str
) -> tuple[Callable[[float], float], Callable[[float], float], list[Markup]]:
    """Scales from shares, 0–1, to the drawing, and its grid with words."""
    length = SIDE - _EDGE - 16

    def x(share: float) -> float:
        return _EDGE + share * length

    def y(share: float) -> float:
        return 24 + (1 - share) * (length - 8)

    body = []
    for tenth in range(0, 11, 2):
        body.append(line(x(0), y(tenth / 10), x(1), y(tenth / 10), "grid"))
        body.append(text(x(0) - 6, y(tenth / 10) + 5, f"{10 * tenth}", anchor="end", kind="soft"))
        if tenth:
            body.append(
                text(x(tenth / 10), y(0) + 18, f"{10 * tenth}", anchor="middle", kind="soft")
            )
    body.append(text(4, 14, known(up)))
    body.append(text(x(0.5), SIDE - 4, known(across), anchor="middle"))
    return x, y, body


def _threshold(found: OpenSet, share: float) -> tuple[Said, str]:
    threshold = found.threshold_at(share)
    told = "–" if threshold is None else f"{threshold:.12g}"
    return say("threshold-at", percent=f"{100 * share:g}"), told


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} %"
