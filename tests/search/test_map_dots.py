"""Places of a box of the map, thinned where they are many."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from place_search.core.geodesy import Box
from place_search.search.errors import ParameterError
from place_search.search.server.content.map_dots import cluster_places, parse_box

WORLD = Box(-90, -180, 90, 180)


def scattered(count: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(48.0, 48.3, count), rng.uniform(11.3, 11.8, count)])


def test_few_places_are_all_there() -> None:
    positions = np.array([[48.1, 11.5], [np.nan, np.nan], [48.2, 11.6], [60.0, 11.5]])
    dots = cluster_places(positions, Box(48, 11, 49, 12), 10)
    assert dots.rows.tolist() == [0, 2]
    assert dots.counts.tolist() == [1, 1]


def test_the_edges_belong_to_the_box() -> None:
    positions = np.array([[48.0, 11.0], [49.0, 12.0], [49.0001, 12.0]])
    assert cluster_places(positions, Box(48, 11, 49, 12), 10).rows.tolist() == [0, 1]


def test_a_box_may_cross_the_date_line() -> None:
    positions = np.array([[-17.0, 179.0], [-17.0, -179.0], [-17.0, 0.0]])
    assert cluster_places(positions, Box(-20, 178, -10, -178), 10).rows.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("west", "east", "found"),
    [
        *((179, 180, [0, 1, 2]), (-180, -179, [0, 1, 3]), (180, 180, [0, 1])),
        *((-180, -180, [0, 1]), (180, -179, [0, 1, 3]), (179, -180, [0, 1, 2])),
        *((-179.5, 179.5, [2, 3]), (-180, 180, [0, 1, 2, 3])),
    ],
)
def test_the_date_line_has_two_names(west: float, east: float, found: list[int]) -> None:
    positions = np.array([[0.0, 180.0], [0.0, -180.0], [0.0, 179.2], [0.0, -179.2], [5.0, 180.0]])
    assert cluster_places(positions, Box(-1, west, 1, east), 10).rows.tolist() == found


@given(
    st.lists(
        st.tuples(st.floats(-90, 90, width=32), st.floats(-180, 180, width=32)),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 20),
)
def test_every_place_has_a_dot_and_dots_are_few(
    points: list[tuple[float, float]], limit: int
) -> None:
    dots = cluster_places(np.array(points), WORLD, limit)
    # Points closer than the finest cell share a dot, so even the coarsest grid gives few enough.
    assert 1 <= len(dots.rows) <= limit
    assert dots.counts.sum() == len(points)
    assert len(set(dots.rows.tolist())) == len(dots.rows)


def test_dots_cover_the_ground_that_the_places_cover() -> None:
    positions = scattered(20_000)
    dots = cluster_places(positions, WORLD, 1000)
    assert 250 <= len(dots.rows) <= 1000  # the next finer grid has up to four times as many
    shown = positions[dots.rows]
    for row in range(0, len(positions), 97):
        assert np.abs(shown - positions[row]).max(axis=1).min() < 0.05


def test_cells_stay_on_the_ground_while_the_map_moves() -> None:
    positions = scattered(20_000)
    here = cluster_places(positions, Box(48.05, 11.4, 48.25, 11.6), 1000)
    there = cluster_places(positions, Box(48.05, 11.41, 48.25, 11.61), 1000)
    both = np.intersect1d(here.rows, there.rows)
    assert len(both) > 0.8 * len(here.rows)


def test_a_hundred_thousand_places_are_thinned_at_once() -> None:
    positions = scattered(100_000)
    started = time.thread_time()
    dots = cluster_places(positions, WORLD, 4000)
    assert time.thread_time() - started < 1  # some 60 ms on a quiet machine
    assert dots.counts.sum() == 100_000


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3", "a,b,c,d", "0,50,1,40", "0,-91,1,0", "-181,0,0,1", "0,0,nan,1", "0,0,1_0,1"],
)
def test_a_bad_box_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ParameterError, match=r"bbox=11\.4,48\.1,11\.7,48\.2"):
        parse_box(text)
