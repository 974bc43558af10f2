"""Filters leave the same places to every kind of search."""

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

import place_search
from place_search import PlaceSearchError

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


def test_similar_takes_an_id_or_a_name(run: Run, index: Path) -> None:
    opened, model = place_search.open_index(index), place_search.open_model()
    name = opened.place(1).name
    wanted = place_search.similar(opened, 1, model=model)
    named: list[Any] = [np.int64(1), name]
    for given in named:
        assert place_search.similar(opened, given, model=model) == wanted
        assert json.loads(run("similar", index, str(given), "--json").stdout) == wanted.to_dict()
    wrong: list[tuple[Any, str]] = [
        ("1", "There is no place '1' in "),
        (10**30, f"There is no place {10**30} in this index; "),
        *((value, f"{value!r} is neither the id nor the name") for value in (None, True, 1.0)),
    ]
    for given, says in wrong:
        with pytest.raises(PlaceSearchError, match=re.escape(says)):
            place_search.similar(opened, given, model=model)
    assert "There is no place 'none' in " in run("similar", index, "none").stderr
