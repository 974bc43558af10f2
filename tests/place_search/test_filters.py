"""Filters leave the same places to every kind of search."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from typer.testing import Result

import place_search

Run = Callable[..., Result]


def test_the_same_filters_leave_the_same_places_to_all_searches(
    run: Run, index: Path, photos: Path
) -> None:
    query = photos / "queries" / "1.jpg"
    around: dict[str, Any] = {"near": (48.001, 11.5), "radius_m": 20.0}
    one = place_search.search(index, query, **around)
    assert [result.name for result in one.results] == ["places/1.jpg"]
    for filters in (around, {"folder": "elsewhere"}, {"taken_from": date(2024, 1, 1)}):
        named = place_search.search(index, query, **filters)
        (first,) = place_search.search_many(index, [query], spots=True, **filters)
        assert first.results == named.results
    alike = place_search.similar(index, 0, **around)
    assert [result.name for result in alike.results] == ["places/1.jpg"]
    circle = ("--near", "48.001,11.5", "--radius-m", "20")
    told = json.loads(run("similar", index, "0", *circle, "--json").stdout)
    assert told == alike.to_dict()
    whole = json.loads(run("similar", index, "0", "--json").stdout)
    assert len(whole["results"]) > 1
    for option, value in (("--taken-to", "2020-01-01"), ("--tag", "gate")):
        assert "No place fits all filters" in run("similar", index, "0", option, value).stderr
    lone = run("similar", index, "0", "--near", "48,11.5")
    assert lone.exit_code == 2
    assert "--near and --radius-m only work together" in lone.stderr
