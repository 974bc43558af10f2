"""Logistic regression and the figures that say how far its probabilities can be trusted."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]

_RIDGE = 1e-3
"""Keeps the weights finite where the pairs can be told apart without error."""


def fit_logistic(evidence: Floats, same: Labels) -> tuple[Floats, float]:
    """Weights (F,) and intercept by Newton's method; both classes count alike.

    `evidence` is (N, F), `same` (N,). Equal weight makes the probability one for a pair of which
    nothing is known beforehand.
    """
    rows = np.column_stack([evidence, np.ones(len(evidence))])
    weights = np.where(same, 0.5 / max(same.sum(), 1), 0.5 / max((~same).sum(), 1))
    solution = np.zeros(rows.shape[1])
    for _ in range(100):
        chance = sigmoid(rows @ solution)
        gradient = rows.T @ (weights * (chance - same)) + _RIDGE * solution
        curvature = (rows * (weights * chance * (1 - chance))[:, None]).T @ rows
        step = np.linalg.solve(curvature + _RIDGE * np.eye(len(solution)), gradient)
        solution -= step
        if np.abs(step).max() < 1e-9:
            break
    return solution[:-1], float(solution[-1])


def sigmoid(odds: Floats) -> Floats:
    """Probabilities of log odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -700, 700))))


def precision_recall(chance: Floats, same: Labels) -> tuple[Floats, Floats, Floats]:
    """Thresholds, ascending, with precision and recall of "same" from each one on."""
    order = np.argsort(-chance, kind="stable")
    right = np.cumsum(same[order])
    called_same = np.arange(1, len(order) + 1)
    # Of equal probabilities, all are called the same at once.
    last = np.append(np.diff(chance[order]) != 0, True)
    picked = order[last][::-1]
    return (
        chance[picked],
        (right / called_same)[last][::-1],
        (right / max(same.sum(), 1))[last][::-1],
    )


def area_under_roc(chance: Floats, same: Labels) -> float:
    """The share of (same, different) pairs that are in the right order; ties count half."""
    values, inverse = np.unique(chance, return_inverse=True)
    counts = np.bincount(inverse, minlength=len(values))
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives, negatives = int(same.sum()), int((~same).sum())
    if not positives or not negatives:
        return float("nan")
    return float((ranks[same].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def calibration_error(chance: Floats, same: Labels, bins: int = 10) -> float:
    """Expected calibration error: mean |probability − share that is the same|, both classes alike.

    Naeini et al., AAAI 2015, with `bins` bins of equal width.
    """
    weights = np.where(same, 0.5 / max(same.sum(), 1), 0.5 / max((~same).sum(), 1))
    of_bin = np.minimum((chance * bins).astype(int), bins - 1)
    gap = np.bincount(of_bin, weights * (chance - same), minlength=bins)
    return float(np.abs(gap).sum())
