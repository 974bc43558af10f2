"""Both losses and their gradients against plain float64 sums that share no code with them."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from place_search.models.aggregations.netvlad import NetVLAD
from place_search.training.loop.losses import multi_similarity, triplet_ranking
from tests.models import reference

Array = NDArray[np.float64]
PLACES = (0, 0, 0, 1, 1, 1, 2, 2, 3, 3)


def plain_triplet(rows: Array) -> float:
    """The first two rows are queries; each has three positives and four negatives."""
    total = 0.0
    for query in range(2):
        others = rows[2 + 7 * query : 9 + 7 * query]
        best = min(sum((rows[query] - p) ** 2) for p in others[:3])
        for negative in others[3:]:
            total += max(0.0, best + 0.1 - sum((rows[query] - negative) ** 2))
    return total / 2


def ours_triplet(rows: Tensor) -> Tensor:
    others = rows[2:].reshape(2, 7, -1)
    return triplet_ranking(rows[:2], others[:, :3], others[:, 3:])


def plain_similarity(rows: Array) -> float:
    """Pair by pair, as Wang et al. write it."""
    total = 0.0
    for i, here in enumerate(PLACES):
        right = [float(rows[i] @ rows[j]) for j, p in enumerate(PLACES) if p == here and j != i]
        wrong = [float(rows[i] @ rows[j]) for j, p in enumerate(PLACES) if p != here]
        pulled = [s for s in right if s < max(wrong) + 0.1]
        pushed = [s for s in wrong if s > min(right) - 0.1]
        total += math.log(1 + sum(math.exp(-s) for s in pulled))
        total += math.log(1 + sum(math.exp(50 * s) for s in pushed)) / 50
    return total / len(PLACES)


def ours_similarity(rows: Tensor) -> Tensor:
    return multi_similarity(rows, torch.tensor(PLACES))


CASES = pytest.mark.parametrize(
    ("plain", "ours", "count"),
    [(plain_triplet, ours_triplet, 16), (plain_similarity, ours_similarity, len(PLACES))],
    ids=["triplet", "multi-similarity"],
)
Plain = Callable[[Array], float]
Ours = Callable[[Tensor], Tensor]


@CASES
def test_loss_and_gradients_of_descriptors(plain: Plain, ours: Ours, count: int) -> None:
    random = np.random.default_rng(4)
    rows = reference.unit_rows(random, count, 12)
    given = torch.tensor(rows, requires_grad=True)
    loss = ours(given)
    loss.backward()  # type: ignore[no-untyped-call]
    assert given.grad is not None
    assert loss.item() == pytest.approx(plain(rows), rel=1e-12)
    assert loss.item() > 0
    step = 1e-6
    for row, column in zip(random.integers(0, count, 30), random.integers(0, 12, 30), strict=True):
        moved = np.zeros_like(rows)
        moved[row, column] = step
        slope = (plain(rows + moved) - plain(rows - moved)) / (2 * step)
        assert given.grad[row, column].item() == pytest.approx(slope, abs=2e-8)


@CASES
def test_loss_and_gradients_of_the_layer_s_weights(plain: Plain, ours: Ours, count: int) -> None:
    """The program computes in float32, the reference in float64, from the same weights."""
    random = np.random.default_rng(5)
    cells = reference.unit_rows(random, count, 20, 6)
    weight, centroids = random.normal(size=(3, 6)) * 4, random.normal(size=(3, 6)) * 0.3
    layer = NetVLAD(3, 6)
    with torch.no_grad():
        layer.assignment.weight.copy_(torch.tensor(weight)[:, :, None, None])
        layer.centroids.copy_(torch.tensor(centroids))
    grid = torch.tensor(cells).float().permute(0, 2, 1).reshape(count, 6, 4, 5)
    loss = ours(layer(functional.normalize(grid, dim=1)))
    loss.backward()  # type: ignore[no-untyped-call]

    def of(weight: Array, centroids: Array) -> float:
        return plain(
            np.stack([reference.netvlad(photo, weight, None, centroids) for photo in cells])
        )

    assert loss.item() == pytest.approx(of(weight, centroids), rel=1e-5)
    assert layer.assignment.weight.grad is not None
    assert layer.centroids.grad is not None
    step = 1e-6
    for k in range(3):
        for c in range(0, 6, 2):
            moved = np.zeros_like(weight)
            moved[k, c] = step
            slope = (of(weight + moved, centroids) - of(weight - moved, centroids)) / (2 * step)
            found = layer.assignment.weight.grad[k, c, 0, 0].item()
            assert found == pytest.approx(slope, abs=1e-5)
            slope = (of(weight, centroids + moved) - of(weight, centroids - moved)) / (2 * step)
            assert layer.centroids.grad[k, c].item() == pytest.approx(slope, abs=1e-5)


def test_photos_without_a_pair_of_either_kind_give_no_loss() -> None:
    rows = torch.eye(4, requires_grad=True)
    loss = multi_similarity(rows, torch.arange(4))
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert rows.grad is not None
    assert torch.isfinite(rows.grad).all()
