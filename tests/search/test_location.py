import pytest

from place_search.core.geodesy import Position
from place_search.search.location import MIN_RADIUS_M, estimate_location

BASE = Position(48.137, 11.575)
METRE = 1 / 111_195


def north(metres: float) -> Position:
    return Position(BASE.latitude + metres * METRE, BASE.longitude)


def test_the_estimate_lies_between_the_strong_places_nearer_the_stronger() -> None:
    location = estimate_location([(north(0), 30.0), (north(20), 20.0)])
    assert location is not None
    assert (location.position.latitude - BASE.latitude) / METRE == pytest.approx(8, abs=0.1)
    assert MIN_RADIUS_M <= location.radius_m < 30


def test_weak_places_have_no_say() -> None:
    location = estimate_location([(north(0), 30.0), (north(5000), 10.0)])
    assert location is not None
    assert location.position == pytest.approx(BASE)
    assert location.radius_m == MIN_RADIUS_M


def test_few_matches_suffice_where_the_verdict_is_found() -> None:
    """Those with fewer than 60 had no location, whatever the calibration said."""
    location = estimate_location([(BASE, 9.0)])
    assert location is not None
    assert location.position == pytest.approx(BASE)


@pytest.mark.parametrize(
    "candidates",
    [
        [],
        [(BASE, 0.0), (None, 0.0)],
        [(None, 30.0), (BASE, 20.0)],
        [(north(0), 30.0), (north(5000), 25.0)],
    ],
    ids=[
        "none",
        "unverified",
        "best without position",
        "disagreement",
    ],
)
def test_no_estimate_where_there_is_no_ground_for_one(
    candidates: list[tuple[Position | None, float]],
) -> None:
    assert estimate_location(candidates) is None


def test_the_mean_is_right_across_the_date_line() -> None:
    location = estimate_location(
        [(Position(0.0, 179.9999), 10.0), (Position(0.0, -179.9999), 10.0)]
    )
    assert location is not None
    assert abs(location.position.longitude) == pytest.approx(180, abs=1e-6)
