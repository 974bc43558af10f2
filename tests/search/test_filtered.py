"""Filters before ranking: the places that fit, and among them the most similar ones."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from place_search.indexer import Index, declare_fields, edit_place, open_index, parse_filter
from place_search.models import Model
from place_search.search.engine import Engine
from place_search.search.server.app import create_app
from tests.search.asking import Ask, asker

FLOORS = {0: 1, 2: 2, 4: 3, 6: 3}
GATES = (2, 3, 6)


@pytest.fixture(scope="module")
def tended(index: Index, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The street, with floors and gates."""
    folder: Path = tmp_path_factory.mktemp("tended") / "street"
    shutil.copytree(index.folder, folder)
    declare_fields(folder, {"floor": "number"})
    for place, floor in FLOORS.items():
        edit_place(folder, int(index.place_ids[place]), {"fields": {"floor": floor}})
    for place in GATES:
        edit_place(folder, int(index.place_ids[place]), {"tags": ["gate"]})
    return Engine(open_index(folder), model)


@pytest.fixture(scope="module")
def ask(tended: Engine) -> Ask:
    return asker(create_app(tended))


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ({"tag": ["gate"]}, GATES),
        ({"field": ["floor:ge:2"]}, (2, 4, 6)),
        ({"field": ["floor:ge:2"], "tag": ["gate"]}, (2, 6)),
        ({"folder": ""}, range(12)),
    ],
)
def test_only_places_that_fit_are_found_the_most_similar_first(
    tended: Engine, street: Any, asked: dict[str, Any], fits: Any, verify: bool
) -> None:
    wanted = parse_filter(tended.index.edits, **asked)
    photo = street.query(6)
    found = tended.search(photo, k=100, verify=verify, place_filter=wanted)
    assert sorted(result.name for result in found.results) == [f"{row:02d}.jpg" for row in fits]
    assert found.results[0].name == "06.jpg"
    if not verify:  # as brute force over the places that fit
        everything = tended.search(photo, k=100, verify=False).results
        names = [f"{row:02d}.jpg" for row in fits]
        expected = [one.name for one in everything if one.name in names]
        assert [result.name for result in found.results] == expected


def test_filters_and_a_circle_leave_what_fits_both(tended: Engine, street: Any) -> None:
    wanted = parse_filter(tended.index.edits, tag=["gate"])
    near = {"near": street.position(4), "radius_m": 250.0}
    found = tended.search(street.query(6), place_filter=wanted, **near)
    assert {result.name for result in found.results} == {"02.jpg", "03.jpg", "06.jpg"}
    near["radius_m"] = 120.0
    found = tended.search(street.query(6), place_filter=wanted, **near)
    assert [result.name for result in found.results] == ["03.jpg"]


def test_where_nothing_fits_a_note_says_so(tended: Engine, street: Any) -> None:
    wanted = parse_filter(tended.index.edits, folder="elsewhere")
    found = tended.search(street.query(6), place_filter=wanted)
    assert found.results == ()
    assert found.match.verdict == "not_found"
    assert "No place fits all filters; leave one of them out." in found.query.notes


def test_filters_over_http(ask: Ask, tended: Engine, street: Any) -> None:
    files = {"photo": ("a.jpg", street.query(6))}
    query = [("tag", "gate"), ("field", "floor:ge:2"), ("field", "floor:le:3")]
    body = ask("POST", "/v1/search", params=query, files=files).json()
    assert [result["name"] for result in body["results"]] == ["06.jpg", "02.jpg"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"field": "floor"}, "name:comparison:value"),
        ({"field": "floor:ge:high"}, "takes a number"),
        ({"field": "roof:eq:1"}, "no own field 'roof'"),
        ({"taken_from": "yesterday"}, "taken_from is no date or time"),
        ({"taken_from": "2024-05-02", "taken_to": "2024-05-01"}, "lies before taken_from"),
    ],
)
def test_a_filter_that_is_none_is_refused_in_a_sentence(
    ask: Ask, street: Any, query: dict[str, str], said: str
) -> None:
    response: httpx.Response = ask(
        "POST", "/v1/search", params=query, files={"photo": ("a.jpg", street.query(6))}
    )
    assert response.status_code == 400
    assert response.json()["type"] == "/problems/bad-parameter"
    assert said in response.json()["detail"]


def test_a_filter_goes_by_ids_with_gaps(tended: Engine) -> None:
    """Ids need not be rows: what fits is looked up, not counted."""
    index = tended.index
    rows = index.matching(parse_filter(index.edits, tag=["gate"]))
    [query] = index.descriptors().take(rows[:1])
    hits = index.search(query, 3, only=np.append(index.place_ids[rows], [-5, 10**6]))
    assert sorted(hit.place_id for hit in hits) == index.place_ids[rows].tolist()
