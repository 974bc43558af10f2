import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from place_search.core.geodesy import Position
from place_search.search.errors import ParameterError
from place_search.search.positions import (
    PlacePositions,
    parse_position,
    position_of,
    require_near,
)

EARTH_RADIUS_M = 6_371_008.8


def positions_of(*positions: Position | None) -> PlacePositions:
    """Places 0, 10, 20, … at these positions."""
    rows = [(np.nan, np.nan) if position is None else position for position in positions]
    return PlacePositions(10 * np.arange(len(rows)), np.array(rows, dtype=np.float64))


@pytest.mark.parametrize(
    "point",
    [Position(48.1, 11.5), Position(0.0, 179.9999), Position(-89.99, 20.0), Position(-33.9, -70.0)],
)
def test_distances_agree_with_the_ellipsoid(point: Position) -> None:
    rng = np.random.default_rng(1)
    near = [
        Position(
            float(np.clip(point.latitude + north, -90, 90)),
            (point.longitude + east + 180) % 360 - 180,
        )
        for north, east in rng.normal(0, 0.01, (50, 2))
    ]
    far = [Position(float(rng.uniform(-90, 90)), float(rng.uniform(-180, 180))) for _ in range(50)]
    distances = positions_of(*near, *far).distances_m(point)
    geod = Geod(ellps="WGS84")
    expected = [
        geod.inv(point.longitude, point.latitude, other.longitude, other.latitude)[2]
        for other in (*near, *far)
    ]
    np.testing.assert_allclose(distances, expected, rtol=1e-9)


def test_only_places_with_a_position_within_the_radius_are_found() -> None:
    table = positions_of(Position(48.0, 11.0), None, Position(48.0005, 11.0), Position(48.01, 11.0))
    assert len(table) == 3
    assert table.within(Position(48.0, 11.0), 100).tolist() == [0, 20]
    assert table.within(Position(48.0, 11.0), 2000).tolist() == [0, 20, 30]
    assert table.within(Position(-48.0, 11.0), 100).tolist() == []


@pytest.mark.parametrize("radius_m", [0.5, 30, 5_000, 400_000, 999_999, 5_000_000, 19_000_000])
def test_the_radius_is_that_of_the_ellipsoid(radius_m: float) -> None:
    point, rng = Position(48.1, 11.5), np.random.default_rng(2)
    turns, lengths = rng.uniform(0, 360, 400), radius_m * (1 + rng.normal(0, 1e-4, 400))
    starts = np.full(400, point.longitude), np.full(400, point.latitude)
    east, north, _ = Geod(ellps="WGS84").fwd(*starts, turns, lengths)
    table = PlacePositions(np.arange(400), np.stack([north, east], axis=1))
    inside = np.flatnonzero(table.distances_m(point) <= radius_m)
    assert 100 < len(inside) < 300
    assert table.within(point, radius_m).tolist() == inside.tolist()


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(0.1, 2e7), st.integers(0, 359))
def test_a_box_holds_the_circle(
    latitude: float, longitude: float, radius_m: float, bearing: int
) -> None:
    table = positions_of(None)
    point = Position(latitude, longitude)
    south, west, north, east = table.box(point, radius_m)
    reach, turn = radius_m * 0.999 / EARTH_RADIUS_M, math.radians(bearing)
    start = math.radians(latitude)
    end = math.asin(
        max(
            -1,
            min(
                1,
                math.sin(start) * math.cos(reach)
                + math.cos(start) * math.sin(reach) * math.cos(turn),
            ),
        )
    )
    across = math.atan2(
        math.sin(turn) * math.sin(reach) * math.cos(start),
        math.cos(reach) - math.sin(start) * math.sin(end),
    )
    there = (longitude + math.degrees(across) + 180) % 360 - 180
    assert south - 1e-7 <= math.degrees(end) <= north + 1e-7
    if west <= east:
        assert west - 1e-7 <= there <= east + 1e-7 or (west, east) == (-180, 180)
    else:
        assert there >= west - 1e-7 or there <= east + 1e-7


def test_an_index_without_positions_finds_nothing() -> None:
    table = positions_of(None, None)
    assert len(table) == 0
    assert table.within(Position(0, 0), 1e9).tolist() == []


def test_a_position_is_read_as_latitude_and_longitude() -> None:
    assert parse_position("48.137, -11.5") == Position(48.137, -11.5)


@pytest.mark.parametrize(
    "text", ["", "48.1", "48.1,11.5,3", "a,b", "91,0", "0,181", "nan,0", "inf,0", "48_1,11"]
)
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="latitude,longitude"):
        parse_position(text)


@pytest.mark.parametrize(
    "given",
    [(100, 1), (math.nan, 1), (1,), (1, 2, 3), ("1", "2"), "12", b"12", (True, 1), 7, [None, 1]],
)
def test_numbers_that_are_no_position_are_refused(given: Any) -> None:
    with pytest.raises(ParameterError, match=r"is no position; write latitude,longitude"):
        position_of(given)


def test_two_numbers_are_a_position() -> None:
    assert position_of(np.array([48.1, -11.5])) == Position(48.1, -11.5)
    assert position_of((48, 11)) == Position(48, 11)
    assert position_of(None) is None


@pytest.mark.parametrize("radius_m", [math.inf, math.nan, 0, -1, "5"])
def test_a_circle_has_a_finite_radius(radius_m: Any) -> None:
    with pytest.raises(ParameterError, match="must be a finite number above 0"):
        require_near(Position(48, 11), radius_m)


def test_places_far_to_the_north_or_south_are_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = positions_of(*(Position(latitude, 11.0) for latitude in range(-80, 80)))
    norm, measured = np.linalg.norm, []

    def counted(vectors: Any, axis: int) -> Any:
        measured.append(len(vectors))
        return norm(vectors, axis=axis)

    monkeypatch.setattr(np.linalg, "norm", counted)
    assert table.within(Position(48.0, 11.0), 150_000).tolist() == [1270, 1280, 1290]
    assert sum(measured) <= 3
