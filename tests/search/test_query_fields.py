"""Fields of queries and forms: numbers in plain digits, and what is wrong in plain words."""

from typing import Any

import pytest

from place_search.search.engine import Engine
from place_search.search.reasons import reason_of
from place_search.search.server.app import create_app
from tests.search.asking import Ask, asker


@pytest.fixture(scope="module")
def ask(engine: Engine) -> Ask:
    return asker(create_app(engine))


def detail(ask: Ask, path: str, **query: Any) -> str:
    reply = ask("GET", path, params=query)
    assert (reply.status_code, reply.json()["type"]) == (400, "/problems/bad-parameter")
    return str(reply.json()["detail"])


@pytest.mark.parametrize("number", ["1_0", " 10", "10 ", "１０", "+10", "10.0", "1e1", "ten", ""])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/places/0/similar", "k"),
        ("/v1/places/0/image", "side"),
        ("/v1/places/0/thumbnail", "side"),
        ("/v1/places", "limit"),
        ("/v1/groups", "limit"),
    ],
)
def test_a_whole_number_is_plain_digits(ask: Ask, path: str, name: str, number: str) -> None:
    said = detail(ask, path, **{name: number})
    assert said == f"Parameter {name}: write a whole number in digits, not '{number}'."


@pytest.mark.parametrize("number", ["1_0.5", " 1.5", "１.5", "near", "nan"])
def test_a_number_is_plain_digits(ask: Ask, number: str) -> None:
    said = detail(ask, "/v1/places/0/similar", near="48.1,11.5", radius_m=number)
    assert said == f"Parameter radius_m: write a number in digits, not '{number}'."
    good = {"near": "48.1,11.5", "radius_m": "1.5e2", "k": "07"}
    assert ask("GET", "/v1/places/0/similar", params=good).status_code == 200


def test_what_is_wrong_is_said_in_plain_words(ask: Ask) -> None:
    few = detail(ask, "/v1/places/0/similar", k=0)
    assert few == "Parameter k: must be at least 1, not '0'."
    assert reason_of(few) == ("too-small", {"name": "k", "limit": "1", "value": "0"})
    many = detail(ask, "/v1/places/0/similar", k=101)
    assert many == "Parameter k: must be at most 100, not '101'."
    assert reason_of(many) == ("too-large", {"name": "k", "limit": "100", "value": "101"})
    assert detail(ask, "/v1/thumbnails", place=list(range(101))) == (
        "Parameter place: give at most 100, not 101."
    )
    assert detail(ask, "/v1/places/0/similar", near="48,11", radius_m=0) == (
        "Parameter radius_m: must be more than 0, not '0'."
    )
    assert detail(ask, "/v1/places/0/similar", same_spot="perhaps") == (
        "Parameter same_spot: write true or false, not 'perhaps'."
    )


@pytest.mark.parametrize("body", [{"json": {"window": 20}}, {"data": {"window": 20}}])
def test_a_body_where_none_is_taken_is_not_passed_over(ask: Ask, body: dict[str, Any]) -> None:
    reply = ask("POST", "/v1/tracks", **body)
    assert (reply.status_code, reply.json()["type"]) == (400, "/problems/bad-parameter")
    assert reply.json()["detail"] == (
        "Parameter body: this address takes none; send the request without it."
    )


@pytest.mark.parametrize("body", [{}, {"json": {}}, {"content": b"null"}, {"content": b" \n"}])
def test_a_body_without_fields_is_none(ask: Ask, body: dict[str, Any]) -> None:
    assert ask("POST", "/v1/tracks", **body).status_code == 201
