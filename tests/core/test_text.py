"""Sizes in words are never none, and what is free never looks like enough when it is not; JSON."""

import json
import math

import pytest

from place_search.core.text import counted, free_bytes, json_text, needed_bytes, parse_json


@pytest.mark.parametrize("content", ["", "{", b"\xff", "[" * 9000, '{"a":' * 9000])
def test_what_is_no_json_is_one_kind_of_error(content: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        parse_json(content)
    assert parse_json('{"a": [1]}') == {"a": [1]}


@pytest.mark.parametrize(
    ("count", "thing", "told"),
    [
        (0, "place", "0 places"),
        (1, "place", "1 place"),
        (1, "query", "1 query"),
        (2, "query", "2 queries"),
        (1200, "altered copy", "1,200 altered copies"),
    ],
)
def test_things_are_counted_in_english(count: int, thing: str, told: str) -> None:
    assert counted(count, thing) == told


@pytest.mark.parametrize(
    ("count", "needed", "free"),
    [
        (0, "0 kB", "0 kB"),
        (1, "0.1 kB", "0 kB"),
        (57_344, "58 kB", "57 kB"),
        (2_000_000, "2 MB", "2 MB"),
        (2_000_001, "2.1 MB", "2 MB"),
        (12_099_999_999, "13 GB", "12 GB"),
    ],
)
def test_sizes(count: int, needed: str, free: str) -> None:
    assert (needed_bytes(count), free_bytes(count)) == (needed, free)


def test_json_has_no_number_that_other_programs_refuse() -> None:
    text = json_text({"a": [math.nan, (math.inf, 1.5)], "b": {"c": -math.inf}, "d": "é"})
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": [None, [None, 1.5]],
        "b": {"c": None},
        "d": "é",
    }
