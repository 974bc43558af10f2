"""UTM positions against published values and against themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from place_search.core.geodesy import Position, Utm, to_position, to_utm


@pytest.mark.parametrize(
    ("position", "utm"),
    [
        # The meridian arc to 45° is 4,984,944.378 m; the scale on the central meridian 0.9996.
        (Position(45.0, 3.0), Utm(500000.0, 4982950.400, "31T")),
        (Position(-45.0, 3.0), Utm(500000.0, 5017049.600, "31G")),
        (Position(0.0, -180.0), Utm(166021.443, 0.0, "1N")),
    ],
)
def test_known_places(position: Position, utm: Utm) -> None:
    converted = to_utm(position)
    assert converted is not None
    assert converted.zone == utm.zone
    assert converted.easting == pytest.approx(utm.easting, abs=0.001)
    assert converted.northing == pytest.approx(utm.northing, abs=0.001)


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        (60.39, 5.32, "32V"),  # Bergen: zone 31 by longitude alone
        (63.9, 2.9, "31V"),
        (78.22, 15.65, "33X"),  # Svalbard: 33 spans two zones
        (78.0, 8.9, "31X"),
        (78.0, 41.9, "37X"),
        (83.9, 43.0, "38X"),
        (-79.9, 0.0, "31C"),
        (10.0, 180.0, "1P"),
    ],
)
def test_zones(latitude: float, longitude: float, zone: str) -> None:
    converted = to_utm(Position(latitude, longitude))
    assert converted is not None
    assert converted.zone == zone


def test_no_utm_near_the_poles_and_no_position_without_a_zone() -> None:
    assert to_utm(Position(84.5, 0)) is None
    assert to_utm(Position(-80.5, 0)) is None
    assert to_position(Utm(500000, 4000000)) is None
    assert to_position(Utm(500000, 4000000, "99Z")) is None
    assert to_position(Utm(1e12, 1e12, "31U")) is None


@given(st.floats(-80, 84), st.floats(-180, 180))
def test_there_and_back(latitude: float, longitude: float) -> None:
    utm = to_utm(Position(latitude, longitude))
    assert utm is not None
    back = to_position(utm)
    assert back is not None
    assert back.latitude == pytest.approx(latitude, abs=1e-6)
    east = (back.longitude - longitude + 180) % 360 - 180
    assert east == pytest.approx(0, abs=1e-5)
