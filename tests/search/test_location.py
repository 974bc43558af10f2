import numpy as np
import pytest

from place_search.core.geodesy import Position
from place_search.search.location import MIN_RADIUS_M, estimate_location
from place_search.search.verification import Verification

BASE = Position(48.137, 11.575)
METRE = 1 / 111_195


def found(score: float, inliers: int = 60) -> Verification:
    return Verification(inliers, inliers, score, np.empty((0, 4), np.float32))


def north(metres: float) -> Position:
    return Position(BASE.latitude + metres * METRE, BASE.longitude)


def test_the_estimate_lies_between_the_strong_places_nearer_the_stronger() -> None:
    location = estimate_location([(north(0), found(30)), (north(20), found(20))])
    assert location is not None
    assert (location.position.latitude - BASE.latitude) / METRE == pytest.approx(8, abs=0.1)
    assert MIN_RADIUS_M <= location.radius_m < 30


def test_weak_places_have_no_say() -> None:
    location = estimate_location([(north(0), found(30)), (north(5000), found(10))])
    assert location is not None
    assert location.position == pytest.approx(BASE)
    assert location.radius_m == MIN_RADIUS_M


def test_few_matches_suffice_where_the_verdict_is_found() -> None:
    """Those with fewer than 60 had no location, whatever the calibration said."""
    location = estimate_location([(BASE, found(9, inliers=20))])
    assert location is not None
    assert location.position == pytest.approx(BASE)


@pytest.mark.parametrize(
    "candidates",
    [
        [],
        [(BASE, None)],
        [(None, found(30)), (BASE, found(20))],
        [(north(0), found(30)), (north(5000), found(25))],
        [(BASE, found(0))],
    ],
    ids=[
        "none",
        "unverified",
        "best without position",
        "disagreement",
        "no similarity",
    ],
)
def test_no_estimate_where_there_is_no_ground_for_one(
    candidates: list[tuple[Position | None, Verification | None]],
) -> None:
    assert estimate_location(candidates) is None


def test_the_mean_is_right_across_the_date_line() -> None:
    location = estimate_location(
        [(Position(0.0, 179.9999), found(10)), (Position(0.0, -179.9999), found(10))]
    )
    assert location is not None
    assert abs(location.position.longitude) == pytest.approx(180, abs=1e-6)
