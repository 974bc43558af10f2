"""The report's part on queries whose place is not in the database: figures and two drawings."""

from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup

from place_search.evaluation.open_set import OpenSet
from place_search.evaluation.report.svg import circle, document, line, polyline, text
from place_search.evaluation.report.words import Message, message, message_or_text
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.search.calibrating.logistic import BINS, bin_of, precision_recall

SIDE = 300
CONFUSIONS = 10
_EDGE = 44


def open_set_figures(open_set: OpenSet) -> list[tuple[Message | str, str]]:
    """The names of the figures, and their values."""
    unanswered = [("queries without an answer", f"{open_set.unanswered:,}")]
    return [
        *(unanswered if open_set.unanswered else []),
        ("right among those called found", _percent(open_set.precision)),
        ("right and found among the known", _percent(open_set.recall)),
        ("called found among the others", _percent(open_set.false_found)),
        ("recall at 99 % precision", _percent(open_set.recall_at_precision_99)),
        ("recall at 100 % precision", _percent(open_set.recall_at_precision_100)),
        *(() if open_set.at_precision is None else (_threshold(open_set, open_set.at_precision),)),
        (
            "AUC of right against wrong answers",
            "–" if open_set.auc is None else f"{open_set.auc:.4f}",
        ),
        ("calibration error", f"{open_set.calibration_error:.3f}"),
    ]


def draw_precision_recall(open_set: OpenSet) -> Markup:
    """Precision by recall, over all thresholds, with a dot at the threshold in use."""
    probabilities, is_right = open_set.answers
    _, precision, share = precision_recall(probabilities, is_right)
    recall = share * (int(is_right.sum()) / max(open_set.known, 1))
    x, y, body = _frame("recall, %", "precision, %")
    points = zip(recall.tolist(), precision.tolist(), strict=True)
    body.append(polyline([(x(r), y(p)) for r, p in points], "measured line"))
    if open_set.precision is not None and open_set.recall is not None:
        body.append(circle(x(open_set.recall / 100), y(open_set.precision / 100), 5, "measured"))
    return document(SIDE, SIDE, message_or_text("Precision by recall"), body)


def draw_reliability(open_set: OpenSet) -> Markup:
    """The share of right answers by their probability, as discs sized by their number."""
    x, y, body = _frame("probability, %", "right, %")
    body.append(line(x(0), y(0), x(1), y(1), "chance dashes"))
    probabilities, is_right = open_set.answers
    of_bin = bin_of(probabilities)
    for number in range(BINS):
        inside = of_bin == number
        if inside.any():
            mean_probability = float(probabilities[inside].mean())
            share_right = float(is_right[inside].mean())
            radius = 3 + 9 * float(np.sqrt(inside.mean()))
            body.append(circle(x(mean_probability), y(share_right), radius, "measured"))
    return document(SIDE, SIDE, message_or_text("Right answers by their probability"), body)


def worst_confusions(
    truth: GroundTruth, report: EvalReport, open_set: OpenSet
) -> Sequence[tuple[str, str, str]]:
    """The wrong answers of the highest probability: query, first result, probability."""
    wrong = np.flatnonzero(~open_set.right & (open_set.probabilities > 0))
    worst = wrong[np.argsort(-open_set.probabilities[wrong], kind="stable")][:CONFUSIONS]
    return [
        (
            truth.queries[query],
            truth.database[int(report.ranked[query].rows[0])],
            f"{open_set.probabilities[query]:.3f}",
        )
        for query in worst.tolist()
    ]


def _frame(
    across: str, up: str
) -> tuple[Callable[[float], float], Callable[[float], float], list[Markup]]:
    """Functions from shares, 0–1, to x and y of the drawing; and its labelled grid."""
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
    body.append(text(4, 14, message_or_text(up)))
    body.append(text(x(0.5), SIDE - 4, message_or_text(across), anchor="middle"))
    return x, y, body


def _threshold(open_set: OpenSet, share: float) -> tuple[Message, str]:
    threshold = open_set.threshold_at(share)
    text = "–" if threshold is None else f"{threshold:.12g}"
    return message("threshold-at", percent=f"{100 * share:g}"), text


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} %"
