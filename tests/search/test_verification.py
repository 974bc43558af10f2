"""Verification on cells made by the tests: shifts, scales, noise, and photos without structure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netvlad import CODE_BITS, decode_codes, encode_cells, project_cells
from netvlad.products import CellProducts
from search.verification import NOTHING, Codes, Query, verify, verify_all

Cells = NDArray[np.float32]


def cells(seed: int, height: int = 26, width: int = 46, channels: int = 112) -> Cells:
    """Cells without any likeness to each other."""
    random = np.random.default_rng(seed)
    return random.normal(size=(height, width, channels)).astype(np.float32)


def coded(grid: Cells) -> Codes:
    return encode_cells(grid), (grid.shape[0], grid.shape[1])


def test_a_photo_agrees_with_itself_cell_by_cell() -> None:
    grid = cells(0)
    found = verify(Query(grid), coded(grid))
    assert found.inliers == 26 * 46
    np.testing.assert_array_equal(found.matches[:, :2], found.matches[:, 2:])


@settings(max_examples=8)
@given(st.integers(-8, 8), st.integers(-14, 14))
def test_a_shifted_view_is_found_where_it_went(down: int, right: int) -> None:
    scene = cells(1, 50, 80)
    query, place = scene[10:36, 15:61], scene[10 + down : 36 + down, 15 + right : 61 + right]
    found = verify(Query(query), coded(place))
    shared = (26 - abs(down)) * (46 - abs(right))
    assert found.inliers >= 0.9 * shared
    moved = found.matches[:, :2] - found.matches[:, 2:]
    np.testing.assert_allclose(np.median(moved, axis=0), [right, down])


def test_a_nearer_view_is_found_but_scores_less_than_the_same_view() -> None:
    scene = cells(2, 13, 23)
    near = scene.repeat(2, axis=0).repeat(2, axis=1)
    near += 0.4 * cells(3)
    far = np.zeros((26, 46, 112), np.float32)
    far[6:19, 11:34] = scene
    far += 0.4 * cells(4)
    same, nearer = verify(Query(far), coded(far + 0.4 * cells(5))), verify(Query(near), coded(far))
    assert nearer.inliers >= 100
    assert 0 < nearer.score < same.score


def test_noise_agrees_with_nothing_much() -> None:
    counts = [verify(Query(cells(2 * n)), coded(cells(2 * n + 1))).inliers for n in range(6)]
    assert max(counts) < 30


@pytest.mark.parametrize("grid", [(1, 1), (1, 40), (40, 1), (2, 2), (2, 3)])
@pytest.mark.parametrize("kind", ["empty", "uniform", "random"])
def test_tiny_and_blank_photos_have_a_defined_answer(grid: tuple[int, int], kind: str) -> None:
    blank = {
        "empty": np.zeros((*grid, 112), np.float32),
        "uniform": np.ones((*grid, 112), np.float32),
        "random": cells(6, *grid),
    }[kind]
    for query, place in ((blank, cells(7)), (cells(7), blank), (blank, blank)):
        found = verify(Query(query), coded(place))
        assert found.inliers == len(found.matches)
        assert np.isfinite(found.score)


def test_a_blank_photo_agrees_with_nothing() -> None:
    for blank in (np.zeros((26, 46, 112), np.float32), np.ones((26, 46, 112), np.float32)):
        assert verify(Query(blank), coded(cells(8))).inliers < 30
    assert verify(Query(np.zeros((26, 46, 112), np.float32)), coded(cells(8))) is NOTHING


def test_a_vgg_grid_of_512_channels_works_too() -> None:
    grid = cells(9, 30, 40, 512)
    assert verify(Query(grid), coded(grid + 0.5 * cells(10, 30, 40, 512))).inliers > 900


def test_candidates_are_verified_in_their_order_and_the_late_are_left_out() -> None:
    places = [cells(seed, 10, 12) for seed in range(6)]
    query = Query(places[3])
    candidates = [((lambda grid=grid: coded(grid)), 1.0) for grid in places]
    found = verify_all(query, candidates)
    alone = [verify(query, coded(grid)) for grid in places]
    assert [one and one.score for one in found] == [one.score for one in alone]
    assert max(range(6), key=lambda n: alone[n].score) == 3
    assert verify_all(query, candidates, budget_s=-1) == [None] * 6


def test_int8_products_are_near_the_exact_ones() -> None:
    one = project_cells(cells(11)).reshape(-1, CODE_BITS) * CODE_BITS**0.5
    other = decode_codes(encode_cells(cells(12)))
    exact = one.astype(np.float64) @ other.T.astype(np.float64)
    found = CellProducts()(one, other)
    assert np.abs(found - exact).max() < 0.03 * np.abs(exact).max()
    rounded = np.round(np.clip(one, -127 / 32, 127 / 32) * 32) / 32
    np.testing.assert_allclose(found, rounded @ other.T, atol=0.1)
