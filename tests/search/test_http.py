"""The HTTP contract, asked of a real server: searches, parameters, problems, pages, schema."""

import base64
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from place_search.search.engine import Engine
from place_search.search.server.problems import PROBLEMS
from tests.search.replies import RESULT_KEYS, check_security, problem, search
from tests.waiting import wait_until


def test_search_finds_the_place(client: httpx.Client, street: Any) -> None:
    response = search(client, street.query(7), k=3)
    assert response.status_code == 200
    check_security(response)
    body = response.json()
    expected = {"index_id", "model", "query", "timings_ms", "match", "results", "location"}
    assert set(body) == expected
    assert body["match"]["verdict"] == "found"
    assert body["match"]["probability"] == body["results"][0]["probability"] >= 0.95
    seen = body["query"]
    assert (seen["width"], seen["height"], seen["position"]) == (596, 447, None)
    assert seen["notes"] == seen["views"] == seen["reasons"] == []
    assert set(body["timings_ms"]) == {"queue", "decode", "embed", "search", "verify", "total"}
    assert body["location"]["latitude"] == pytest.approx(48.007, abs=1e-6)
    assert [result["rank"] for result in body["results"]] == [1, 2, 3]
    for result in body["results"]:
        assert set(result) == RESULT_KEYS
    best = body["results"][0]
    assert best["name"] == "07.jpg"
    assert best["position"] == pytest.approx({"latitude": 48.007, "longitude": 11.5})
    assert set(best["utm"]) == {"easting", "northing", "zone"}
    assert client.get(best["image_url"]).status_code == 200
    assert client.get(best["thumbnail_url"]).status_code == 200


def test_the_server_answers_what_the_engine_does(
    client: httpx.Client, engine: Engine, street: Any
) -> None:
    query = street.query(2)
    expected = engine.search(query, near=street.position(3), radius_m=150, verify=True)
    body = search(client, query, near="48.003,11.5", radius_m=150, verify="true").json()
    assert body["results"] == expected.to_dict()["results"]
    # The server adds the codes of the notes.
    assert body["query"] == {**expected.to_dict()["query"], "reasons": body["query"]["reasons"]}


def test_ten_places_are_the_default(client: httpx.Client, street: Any) -> None:
    assert len(search(client, street.query(0)).json()["results"]) == 10


def test_a_reply_is_not_held_back(client: httpx.Client, street: Any) -> None:
    # Nagle's algorithm with delayed acknowledgements adds 40 ms to every reply.
    query = street.query(0)

    def comes_at_once() -> bool:
        started = time.perf_counter()
        reply = search(client, query).json()
        elapsed_ms = (time.perf_counter() - started) * 1000
        return elapsed_ms < 30 + float(reply["timings_ms"]["total"])

    wait_until(comes_at_once, "every reply is held back")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"k": "0"}, "k"),
        ({"k": "101"}, "k"),
        ({"k": "many"}, "k"),
        ({"verify": "perhaps"}, "verify"),
        ({"near": "48,11", "radius_m": "-1"}, "radius_m"),
        ({"near": "48,11", "radius_m": "nan"}, "radius_m"),
        ({"near": "48,11"}, "radius_m"),
        ({"radius_m": "5"}, "near"),
        ({"near": "north", "radius_m": "5"}, "north"),
    ],
)
def test_a_wrong_parameter_is_named(
    client: httpx.Client, street: Any, query: dict[str, str], name: str
) -> None:
    body = problem(search(client, street.query(0), **query), "bad-parameter")
    assert name in body["detail"]


def test_wrong_parameters_are_listed(client: httpx.Client, street: Any) -> None:
    body = problem(search(client, street.query(0), k=500, radius_m=0), "bad-parameter")
    assert {error["name"] for error in body["errors"]} == {"k", "radius_m"}
    assert "500" in body["detail"]


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/v1/search?box=a", {"box"}),
        ("/v1/search?near=1&radius_m=5", {"near"}),
        ("/v1/search?radius_m=5", {"near"}),
        ("/v1/search?field=x", {"field"}),
        ("/v1/search?field=colour:eq:red", {"field"}),
        ("/v1/places?taken_from=zzz", {"taken_from"}),
        ("/v1/places?taken_from=2024-05-02&taken_to=2024-05-01", {"taken_from", "taken_to"}),
        ("/v1/places?cursor=xx", {"cursor"}),
        pytest.param(
            f"/v1/places?cursor={base64.b64encode(b'[' * 9000).decode()}", {"cursor"}, id="nested"
        ),
        ("/v1/places?bbox=", {"bbox"}),
        ("/v1/places?sort=zz", {"sort"}),
        ("/v1/places?limit=1001", {"limit"}),
        ("/v1/groups?cursor=xx", {"cursor"}),
    ],
)
def test_values_that_make_no_sense_are_listed_too(
    client: httpx.Client, street: Any, path: str, wrong: set[str]
) -> None:
    if path.startswith("/v1/search"):
        reply = client.post(path, files={"photo": street.query(0)})
    else:
        reply = client.get(path)
    body = problem(reply, "bad-parameter")
    assert {error["name"] for error in body["errors"]} == wrong
    assert all(body["detail"] == f"{error['reason']}." for error in body["errors"])


@pytest.mark.parametrize(
    ("path", "names", "wrong"),
    [("/v1/search", ["photo"], "photo"), ("/v1/compare", ["image1", "image2"], "image2")],
)
def test_an_empty_file_is_listed(
    client: httpx.Client, street: Any, path: str, names: list[str], wrong: str
) -> None:
    files = {name: ("a.jpg", b"" if name == wrong else street.query(0)) for name in names}
    body = problem(client.post(path, files=files), "bad-parameter")
    assert [error["name"] for error in body["errors"]] == [wrong]


PHOTO = ("photo", ("a.jpg", b"x"))


@pytest.mark.parametrize(
    ("method", "path", "sent", "wrong"),
    [
        ("POST", "/v1/search?top=3", [PHOTO], {"top"}),
        ("POST", "/v1/search?K=3&Verify=true", [PHOTO], {"K", "Verify"}),
        ("POST", "/v1/search?k=3&k=5", [PHOTO], {"k"}),
        ("POST", "/v1/explain", [PHOTO, PHOTO], {"photo"}),
        ("POST", "/v1/search", [PHOTO, ("k", (None, "3"))], {"k"}),
        ("POST", "/v1/search", [("image", ("a.jpg", b"x"))], {"image"}),
        ("POST", "/v1/compare?k=3", [("image1", b"x"), ("image2", b"x")], {"k"}),
        ("POST", "/compare", [("image1", b"x"), ("image2", b"x"), ("image3", b"x")], {"image3"}),
        ("POST", "/v1/explain?cluster=1", [PHOTO], {"cluster"}),
        ("GET", "/v1/index?places=1", None, {"places"}),
        ("GET", "/v1/model?id=1", None, {"id"}),
        ("GET", "/v1/reports?name=1", None, {"name"}),
        ("GET", "/v1/places?bbox=1,1,2,2&limits=3", None, {"limits"}),
        ("GET", "/v1/places/0?fields=name", None, {"fields"}),
        ("GET", "/v1/places/0/image?width=3", None, {"width"}),
        ("GET", "/v1/places/0/thumbnail?v=1&v=2", None, {"v"}),
    ],
)
def test_no_field_is_ignored(
    client: httpx.Client, method: str, path: str, sent: Any, wrong: set[str]
) -> None:
    body = problem(client.request(method, path, files=sent), "bad-parameter")
    assert {error["name"] for error in body["errors"]} == wrong
    assert all(name in body["detail"] for name in wrong)


def test_thousands_of_wrong_fields_have_no_large_answer(client: httpx.Client) -> None:
    path = "/v1/places?" + "&".join(f"f{number}" for number in range(5000))
    refused = client.get(path)
    assert len(problem(refused, "bad-parameter")["errors"]) == 100
    assert len(refused.content) < len(path)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"files": {"image": b"x"}},
        {"data": {"photo": "a text"}},
        {"json": {"photo": "x"}},
        {"content": b"x", "headers": {"content-type": "image/jpeg"}},
        {"files": {"photo": ("empty.jpg", b"")}},
    ],
)
def test_without_a_photo_the_field_is_named(client: httpx.Client, body: dict[str, Any]) -> None:
    answer = problem(client.post("/v1/search", **body), "bad-parameter")
    assert "photo" in answer["detail"]


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=other"]
)
def test_a_broken_multipart_body_is_refused(client: httpx.Client, content_type: str) -> None:
    response = client.post(
        "/v1/search", content=b"--x\r\nnonsense", headers={"content-type": content_type}
    )
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/", "/v1/nothing", "/__init__.py", "/jsconfig.json"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_address_is_a_problem(client: httpx.Client, method: str, path: str) -> None:
    assert path in problem(client.request(method, path), "not-found")["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/search", "POST"),
        ("POST", "/v1/index", "GET"),
        ("DELETE", "/v1/places/1", "GET"),
    ],
)
def test_a_wrong_method_is_a_problem(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    problem(response, "method-not-allowed")
    assert allowed in response.headers["allow"]


def test_health(client: httpx.Client, engine: Engine) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {
        "status": "ready",
        "index_id": engine.index.index_id,
        "model": "lite0-netvlad-1024",
        "places": 12,
    }


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_type_can_be_looked_up(client: httpx.Client, name: str) -> None:
    body = client.get(f"/problems/{name}").json()
    assert body == {
        "type": f"/problems/{name}",
        "status": PROBLEMS[name].status,
        "title": PROBLEMS[name].title,
    }


def test_an_unknown_problem_type_is_a_problem(client: httpx.Client) -> None:
    problem(client.get("/problems/none"), "not-found")


def test_the_page_is_served(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<html" in page.text
    check_security(page)
    script = client.get("/main.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/favicon.svg").headers["content-type"] == "image/svg+xml"
    assert client.head("/").status_code == 200


def test_the_documentation_needs_no_network(client: httpx.Client) -> None:
    page = client.get("/docs")
    check_security(page)
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert client.get("/docs/swagger-ui-bundle.js").status_code == 200
    assert client.get("/docs/swagger-ui.css").headers["content-type"].startswith("text/css")


def test_the_schema_documents_the_replies_and_problems(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    operation = schema["paths"]["/v1/search"]["post"]
    assert set(operation["responses"]) == {
        "200",
        "400",
        "401",
        "403",
        "408",
        "413",
        "415",
        "421",
        "422",
        "429",
        "503",
    }
    busy = operation["responses"]["429"]["content"]
    assert list(busy) == ["application/problem+json"]
    assert not list(dangling(schema, schema))
    assert "422" not in schema["paths"]["/v1/places/{place_id}"]["get"]["responses"]
    reply = schema["components"]["schemas"]["ResultReply"]
    assert set(reply["properties"]) == RESULT_KEYS


def dangling(schema: Any, node: Any) -> Iterator[str]:
    """References that lead nowhere."""
    if isinstance(node, dict):
        reference = node.get("$ref")
        if reference and reference.split("/")[-1] not in schema["components"]["schemas"]:
            yield reference
        for child in node.values():
            yield from dangling(schema, child)
    elif isinstance(node, list):
        for child in node:
            yield from dangling(schema, child)
