"""Work that threads do ahead comes in order, and no more of it is begun than was asked for."""

from itertools import islice
from threading import Barrier

import pytest

from place_search.core.ahead import work_ahead
from tests.waiting import SECONDS


def test_results_come_in_their_order_however_long_each_takes() -> None:
    both = Barrier(2, timeout=SECONDS)

    def work(number: int) -> int:
        if number < 2:  # the first is held until the second is at work too
            both.wait()
        return number * number

    squares = work_ahead(work, range(20), threads=2, ahead=4, name="test")
    assert list(squares) == [number * number for number in range(20)]


def test_what_is_closed_begins_nothing_further() -> None:
    begun: list[int] = []
    results = work_ahead(begun.append, iter(range(100)), threads=1, ahead=3, name="test")
    assert list(islice(results, 2)) == [None, None]
    results.close()
    assert begun == sorted(begun)
    assert len(begun) <= 4  # the two that were taken, and two beyond


def test_an_error_is_raised_where_its_result_would_come() -> None:
    def work(number: int) -> float:
        return 1 / number

    results = work_ahead(work, [1, 0, 2], threads=2, ahead=3, name="test")
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
