from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from place_search.core.geodesy import geocentric
from place_search.search.tracks.routes import find_routes


def order_of(
    names: list[str],
    positions: list[tuple[float, float]] | None = None,
    *,
    sequences: list[str] | None = None,
    taken: list[float] | None = None,
) -> list[list[str]]:
    metres = None if positions is None else geocentric(np.array(positions, np.float64))
    times = None if taken is None else np.array(taken)
    routes = find_routes(names, metres, sequences=sequences or (), capture_times=times)
    found: list[list[str]] = [[] for _ in range(routes.sequences)]
    for row in np.argsort(routes.coordinate).tolist():
        found[routes.sequence[row]].append(names[row])
    return found


def test_numbers_in_names_give_the_order_whatever_the_order_of_the_list() -> None:
    names = ["w/img_10.jpg", "w/img_2.jpg", "w/img_1.jpg", "w/img_11.jpg"]
    assert order_of(names) == [["w/img_1.jpg", "w/img_2.jpg", "w/img_10.jpg", "w/img_11.jpg"]]


@pytest.mark.parametrize(
    "names",
    [
        ["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"],
        ["left_1.jpg", "left_2.jpg", "right_1.jpg", "right_2.jpg"],
        ["1.jpg", "2.jpg", "3.jpg", "500.jpg", "501.jpg"],
    ],
    ids=["folders", "cameras", "a gap in the numbers"],
)
def test_sequences_end_at(names: list[str]) -> None:
    assert len(order_of(names)) == 2


def test_every_fifth_frame_is_no_gap() -> None:
    assert len(order_of([f"{number}.jpg" for number in range(0, 100, 5)])) == 1


def test_a_leap_in_the_positions_is_a_gap() -> None:
    positions = [(48.0 + step * 1e-4, 11.0) for step in range(10)]
    positions += [(49.0 + step * 1e-4, 11.0) for step in range(10)]
    names = [f"{number:02d}.jpg" for number in range(20)]
    assert [len(each) for each in order_of(names, positions)] == [10, 10]


def test_names_without_numbers_follow_their_positions_or_stand_alone() -> None:
    letters = "abcdefghijkl"
    names = [f"{letter}.jpg" for letter in letters]
    assert len(order_of(names)) == len(names)
    way = [(48.0 + step * 1e-4, 11.0) for step in range(len(names))]
    assert order_of(names, way) == [names]
    rng = np.random.default_rng(0)
    scattered = [(48.0 + float(x), 11.0) for x in rng.permutation(len(names)) * 1e-3]
    assert len(order_of(names, scattered)) == len(names)


def test_times_give_the_order_of_names_without_numbers() -> None:
    names = ["c.jpg", "a.jpg", "b.jpg", "d.jpg", "e.jpg"]
    walks = order_of(names, taken=[3.0, 1.0, 2.0, 9000.0, 9001.0])
    assert walks == [["a.jpg", "b.jpg", "c.jpg"], ["d.jpg", "e.jpg"]]
    # One photo without a time leaves all without an order.
    assert len(order_of(names, taken=[3.0, 1.0, 2.0, 9000.0, np.nan])) == 5


def test_times_give_the_order_where_numbers_do_not() -> None:
    names = [f"walk_{number:04d}_cam2.jpg" for number in (2, 0, 1)]
    assert len(order_of(names)) == 3
    assert order_of(names, taken=[5.0, 1.0, 3.0]) == [[names[1], names[2], names[0]]]


@pytest.mark.parametrize(
    "names",
    [
        [f"{1403636579763555584 + step * 50_000_000}.png" for step in range(30)],
        [f"{1700000000 + step / 2:.6f}.jpg" for step in range(30)],
        [f"{1700000000 + step // 8}.{step % 8 * 125}.jpg" for step in range(1, 30)],
    ],
    ids=["nanoseconds", "seconds with a fraction", "fractions of any length"],
)
def test_times_as_names_are_numbers(names: list[str]) -> None:
    assert order_of(names[::-1]) == [names]


@pytest.mark.parametrize("every", [0.5, 1, 3, 7, 60])
@pytest.mark.parametrize(
    "form",
    [
        "IMG_%Y%m%d_%H%M%S.jpg",
        "%Y-%m-%d_%H-%M-%S.png",
        "PXL_%Y%m%d_%H%M%S{ms}.MP.jpg",
        "%Y%m%d%H%M%S_{ms}_front.jpg",
        "Photo %Y-%m-%d %H.%M.%S.jpg",
        "WhatsApp Image %Y-%m-%d at %H.%M.%S.jpeg",
        "WhatsApp Image %Y-%m-%d at %-I.%M.%S %p.jpeg",
        "Screenshot %Y-%m-%d %I.%M.%S\u202f%p.png",
        "%Y-%m-%dT%H:%M:%S+02:00.jpg",
        "%Y-%m-%dT%H:%M:%S+0200.jpg",
        "%Y-%m-%d %H:%M:%S.{ms}.png",
    ],
)
@pytest.mark.parametrize("hour", [0, 11])
def test_dates_in_names_are_times(form: str, every: float, hour: int) -> None:
    """The last number of 11:59:59 is far from that of 12:00:00, or another text is around it.

    Noon is 12 PM, and midnight 12 AM.
    """
    whole = "{ms}" not in form
    if every < 1 and whole:
        form = form.replace("%S", "%S_{ms}")
    start = datetime(2024, 5, 1, hour, 58, 30, tzinfo=UTC)
    times = [start + timedelta(seconds=every * step) for step in range(200)]
    names = [
        f"w/{time.strftime(form)}".format(ms=f"{time.microsecond // 1000:03}") for time in times
    ]
    assert order_of(names[::-1]) == [names]
    later = [name.replace("05", "06", 1) for name in names]
    assert sorted(order_of(names + later)) == [names, later]


def test_dates_in_names_order_the_sequences_of_a_source_too() -> None:
    """Unless it says when their photos were taken."""
    start = datetime(2024, 5, 1, 23, 59, 50, tzinfo=UTC)
    times = [start + timedelta(seconds=step, milliseconds=step * 370 % 1000) for step in range(20)]
    names = [
        time.strftime(f"%Y%m%d%H%M%S_{time.microsecond // 1000:03}_front.jpg") for time in times
    ]
    assert order_of(names[::-1], sequences=["drive"] * 20) == [names]
    said = [float(step) for step in range(20)]
    assert order_of(names[::-1], sequences=["drive"] * 20, taken=said) == [names[::-1]]


def test_what_follows_one_date_is_a_number() -> None:
    names = [f"20240501_115830_{number}.jpg" for number in range(12)]
    assert order_of(names) == [names]
    names = [
        f"{day}_115830_{number:04d}.jpg" for day in (20240501, 20240502) for number in range(9)
    ]
    assert order_of(names) == [names[:9], names[9:]]


def test_two_photos_of_one_second_break_no_walk() -> None:
    names = [f"IMG_20240501_1158{second}.jpg" for second in range(30, 50)]
    names.insert(7, names[6].replace(".jpg", "_1.jpg"))
    assert order_of(names[::-1]) == [names]


@pytest.mark.parametrize("named", ["", "walk"])
def test_copies_of_one_second_follow_one_another(named: str) -> None:
    names = [f"WhatsApp Image 2024-05-01 at 11.59.{second}.jpeg" for second in range(30, 50)]
    copies = [names[6].replace(".jpeg", f" ({number}).jpeg") for number in range(1, 12)]
    names[7:7] = copies
    assert order_of(names[::-1], sequences=[named] * len(names)) == [names]


def test_digits_that_are_no_date_are_a_number() -> None:
    names = [f"{20249901115830 + step}.jpg" for step in range(20)]
    assert order_of(names[::-1]) == [names]


def test_longer_numbers_are_none() -> None:
    names = ["9" * digits + ".jpg" for digits in (19, 20, 5000)]
    assert len(order_of(names)) == 3


def test_a_break_in_the_times_ends_a_sequence_of_numbers() -> None:
    names = [f"IMG_{number:04d}.jpg" for number in range(8)]
    morning, evening = [float(step) for step in range(4)], [36000.0 + step for step in range(4)]
    assert [len(each) for each in order_of(names, taken=morning + evening)] == [4, 4]
    assert [len(each) for each in order_of(names, taken=evening + morning)] == [4, 4]
    every_hour = [3600.0 * step for step in range(8)]
    assert len(order_of(names, taken=every_hour)) == 1


def test_errands_of_a_day_are_no_walk() -> None:
    names = [f"{letter}.jpg" for letter in "abcdef"]
    assert len(order_of(names, taken=[1800.0 * step for step in range(6)])) == 6


def test_sequences_that_a_source_names_go_before_names() -> None:
    names = ["x/7.jpg", "x/1.jpg", "y/400.jpg", "x/2.jpg", "x/3.jpg"]
    named = ["north", "south", "north", "", ""]
    expected = [["x/2.jpg", "x/3.jpg"], ["x/7.jpg", "y/400.jpg"], ["x/1.jpg"]]
    assert sorted(order_of(names, sequences=named)) == sorted(expected)
    times = [2.0, 0.0, 1.0, 0.0, 1.0]
    assert ["y/400.jpg", "x/7.jpg"] in order_of(names, sequences=named, taken=times)


def test_names_with_positions_in_them_are_no_numbers() -> None:
    names = [f"@0543256.96@4178906.70@10@S@@@@{at}@.jpg" for at in range(5)]
    assert len(order_of(names)) == 5


@pytest.mark.parametrize("turned", [0.0, 0.3, 0.8])
def test_names_sorted_by_their_positions_are_in_order_on_one_way_alone(turned: float) -> None:
    """There and back along a street, 20 m apart, a list goes from one side to the other."""
    there = np.column_stack([np.arange(0, 1500, 5.0), np.zeros(300)])
    back = there[::-1] + np.array([2.5, 20])
    axes = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])

    def sequences(way: NDArray[np.float64]) -> int:
        metres = way @ axes + [500_000, 6_000_000]
        names = [f"q/@{east:010.2f}@{north:010.2f}@56@J@.jpg" for east, north in metres]
        listed = np.argsort(names)
        return find_routes([names[at] for at in listed], metres[listed]).sequences

    assert sequences(there) == 1
    assert sequences(np.repeat(there, 2, axis=0)) == 1
    assert sequences(np.concatenate([there, back])) == 600


def test_places_on_two_spots_are_no_way() -> None:
    """Nowhere does the next one lie elsewhere, since nobody knows where the one between them is."""
    metres = np.array([[0, 0], [0, 0], [np.nan, np.nan], [900, 0], [900, 0]])
    assert find_routes([f"@{at}.jpg" for at in range(5)], metres).sequences == 5


@pytest.mark.parametrize("name", ["{:04d}.jpg", "IMG_20240501_1159{:02d}.jpg", "{}.jpg"])
def test_views_of_panoramas_that_look_the_same_way_follow_one_another(name: str) -> None:
    """A camera that goes on sees the same side of the next panorama, not the next side of one."""
    sides = ["#heading=045", "#heading=135", "#yaw=180"]
    panoramas = [name.format(f"pano{at}" if name == "{}.jpg" else at) for at in range(6)]
    names = [f"w/{panorama}{side}" for panorama in panoramas for side in sides]
    names[3] = names[3].replace("045", "047")  # the camera turned a little
    walks = order_of(names, taken=[float(at // 3) for at in range(18)])
    assert walks == [names[side::3] for side in range(3)]


def test_no_places_and_one_place_have_routes_too() -> None:
    assert find_routes([]).sequences == 0
    one = find_routes(["a.jpg"], np.array([[np.nan, np.nan]]))
    assert one.sequences == 1
    assert not one.is_ordered
    assert one.along(0, 1) is None


def test_names_of_equal_numbers_follow_one_another() -> None:
    """As of a camera that writes two files a photo, or a query that is listed twice."""
    assert find_routes(["walk/7.jpg", "walk/7.png"]).sequences == 1
    assert find_routes(["walk/7.jpg"] * 3).is_ordered
