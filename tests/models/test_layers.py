"""The torch layers against slow, obvious float64 references."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from place_search.models.aggregations.netvlad import NetVLAD
from place_search.models.layers import Whitening
from tests.models.reference import netvlad, unit_rows


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(2, 8), st.integers(2, 16), st.booleans())
def test_netvlad_equals_the_loop_over_cells_and_clusters(
    height: int, width: int, clusters: int, channels: int, bias: bool
) -> None:
    random = np.random.default_rng(height * 1000 + width * 100 + clusters * 10 + channels)
    cells = unit_rows(random, 2, height * width, channels)
    layer = NetVLAD(clusters, channels, bias=bias).double()
    weight, centroids = (
        random.normal(size=(clusters, channels)),
        unit_rows(random, clusters, channels),
    )
    offsets = random.normal(size=clusters) if bias else None
    with torch.no_grad():
        layer.assignment.weight.copy_(torch.from_numpy(weight)[:, :, None, None])
        layer.centroids.copy_(torch.from_numpy(centroids))
        if layer.assignment.bias is not None and offsets is not None:
            layer.assignment.bias.copy_(torch.from_numpy(offsets))
    grid = torch.from_numpy(cells).transpose(1, 2).reshape(2, channels, height, width)
    found = layer(grid).detach().numpy()
    for row, photo in zip(found, cells, strict=True):
        np.testing.assert_allclose(
            row, netvlad(photo, weight, offsets, centroids), rtol=0, atol=1e-9
        )


def test_netvlad_golden_vector() -> None:
    """Worked by hand: two clusters, two orthogonal cells, assignment sharp enough to be hard."""
    layer = NetVLAD(2, 2)
    with torch.no_grad():
        layer.assignment.weight.copy_(
            torch.tensor([[1000.0, 0.0], [0.0, 1000.0]])[:, :, None, None]
        )
        layer.centroids.copy_(torch.tensor([[0.6, 0.0], [0.0, 0.2]]))
    cells = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).T.reshape(1, 2, 1, 2)
    root = math.sqrt(0.5)
    assert layer(cells)[0].tolist() == pytest.approx([root, 0.0, 0.0, root])


def test_float32_loses_less_than_a_millionth_at_full_size() -> None:
    random = np.random.default_rng(7)
    cells, centroids = unit_rows(random, 1200, 112), unit_rows(random, 64, 112)
    layer = NetVLAD(64, 112)
    layer.initialise(torch.from_numpy(centroids).float(), separation=0.085)
    weight = layer.assignment.weight.detach().double().numpy()[:, :, 0, 0]
    grid = torch.from_numpy(cells).float().T.reshape(1, 112, 30, 40)
    found = layer(grid)[0].detach().double().numpy()
    expected = netvlad(cells.astype(np.float32).astype(float), weight, None, centroids)
    assert found @ expected == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)


def test_initialise_makes_the_nearest_cluster_a_hundred_times_the_second() -> None:
    layer = NetVLAD(2, 2)
    layer.initialise(torch.tensor([[2.0, 0.0], [0.0, 5.0]]), separation=1.0)
    cell = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
    shares = layer.assignment(cell).detach().softmax(1).flatten()
    assert float(shares[0] / shares[1]) == pytest.approx(100, rel=1e-5)
    assert layer.centroids.tolist() == [[2.0, 0.0], [0.0, 5.0]]


def test_v2_scores_are_squared_distances_and_a_typical_cell_prefers_its_nearest() -> None:
    random = np.random.default_rng(11)
    centroids, cells = random.normal(size=(5, 8)), unit_rows(random, 40, 8)
    squared = ((cells[:, None] - centroids) ** 2).sum(2)
    nearest = np.sort(squared, axis=1)
    separation = float((nearest[:, 1] - nearest[:, 0]).mean())
    layer = NetVLAD(5, 8, bias=True).double()
    layer.initialise(torch.from_numpy(centroids), separation)
    shares = layer.assignment(torch.from_numpy(cells).T.reshape(1, 8, 40, 1)).softmax(1)
    expected = np.exp(math.log(0.01) / separation * squared)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares.detach().numpy()[0, :, :, 0].T, expected, rtol=1e-9)


def test_whitening_equals_matrix_product_and_normalisation() -> None:
    random = np.random.default_rng(3)
    layer = Whitening(12, 5).double()
    matrix, offset = random.normal(size=(5, 12)), random.normal(size=5)
    layer.projection.load_state_dict(
        {"weight": torch.from_numpy(matrix), "bias": torch.from_numpy(offset)}
    )
    descriptors = unit_rows(random, 4, 12)
    expected = descriptors @ matrix.T + offset
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = layer(torch.from_numpy(descriptors)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
