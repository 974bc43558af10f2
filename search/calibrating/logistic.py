"""Logistic regression, and the figures that tell how reliable its probabilities are."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]

BINS = 10
RIDGE = 1e-3


class Figures(NamedTuple):
    """The measured quality of probabilities; precision and recall (0–1) are those at a threshold.

    `precision` is None where no probability reaches the threshold.
    """

    precision: float | None
    recall: float
    auc: float
    calibration_error: float


def figures_of(probabilities: Floats, same: Labels, threshold: float) -> Figures:
    """The figures of probabilities (N,) with the truth `same` (N,)."""
    called = probabilities >= threshold
    right = int((called & same).sum())
    return Figures(
        precision=right / int(called.sum()) if called.any() else None,
        recall=right / max(int(same.sum()), 1),
        auc=area_under_roc(probabilities, same),
        calibration_error=calibration_error(probabilities, same),
    )


def fit_logistic(
    evidence: Floats, same: Labels, weights: Floats | None = None, ridge: float = RIDGE
) -> tuple[Floats, float]:
    """Weights (F,) and intercept by Newton's method; both classes count alike.

    `evidence` is (N, F), `same` (N,). With classes of equal weight the prior probability of a pair
    is 0.5. `weights` (N,) are those of the pairs, where they differ. `ridge` limits the fitted
    weights, which would otherwise grow without end on pairs that can be separated without error.
    """
    rows = np.column_stack([evidence, np.ones(len(evidence))])
    weights = class_weights(same) if weights is None else weights
    solution = np.zeros(rows.shape[1])
    for _ in range(100):
        probabilities = sigmoid(rows @ solution)
        gradient = rows.T @ (weights * (probabilities - same)) + ridge * solution
        curvature = (rows * (weights * probabilities * (1 - probabilities))[:, None]).T @ rows
        step = np.linalg.solve(curvature + ridge * np.eye(len(solution)), gradient)
        solution -= step
        if np.abs(step).max() < 1e-9:
            break
    return solution[:-1], float(solution[-1])


def sigmoid(odds: Floats) -> Floats:
    """Probabilities of log odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -700, 700))))


def precision_recall(probabilities: Floats, same: Labels) -> tuple[Floats, Floats, Floats]:
    """Thresholds, ascending, with the precision and recall of "same" at each."""
    order = np.argsort(-probabilities, kind="stable")
    right = np.cumsum(same[order])
    called_same = np.arange(1, len(order) + 1)
    # Pairs of equal probability are called the same together.
    last = np.append(np.diff(probabilities[order]) != 0, True)
    picked = order[last][::-1]
    return (
        probabilities[picked],
        (right / called_same)[last][::-1],
        (right / max(int(same.sum()), 1))[last][::-1],
    )


def area_under_roc(probabilities: Floats, same: Labels) -> float:
    """The share of (same, different) pairs that are in the right order; ties count half."""
    values, inverse = np.unique(probabilities, return_inverse=True)
    counts = np.bincount(inverse, minlength=len(values))
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives, negatives = int(same.sum()), int((~same).sum())
    if not positives or not negatives:
        return float("nan")
    return float((ranks[same].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def least_threshold(
    probabilities: Floats, same: Labels, precision: float
) -> tuple[float, float] | None:
    """The least threshold that reaches a `precision` (0–1), and its recall (0–1).

    None where no threshold reaches it.
    """
    thresholds, precisions, recall = precision_recall(probabilities, same)
    good = np.flatnonzero(precisions >= precision)
    return (float(thresholds[good[0]]), float(recall[good[0]])) if len(good) else None


def calibration_error(probabilities: Floats, same: Labels) -> float:
    """Expected calibration error: mean |probability − share that is the same|, both classes alike.

    Naeini et al., AAAI 2015, with `BINS` bins of equal width.
    """
    return binned_error(probabilities, same, class_weights(same))


def binned_error(probabilities: Floats, same: Labels, weights: Floats) -> float:
    """The expected calibration error with a weight (N,) for each pair; weights sum to 1."""
    gap = np.bincount(bin_of(probabilities), weights * (probabilities - same), minlength=BINS)
    return float(np.abs(gap).sum())


def bin_of(probabilities: Floats) -> NDArray[np.int64]:
    """The number of the bin, 0 to `BINS` − 1, that each probability falls into."""
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)


def class_weights(same: Labels) -> Floats:
    """A weight (N,) for each pair, by which both classes count alike; they sum to 1."""
    return np.asarray(
        np.where(same, 0.5 / max(int(same.sum()), 1), 0.5 / max(int((~same).sum()), 1))
    )
