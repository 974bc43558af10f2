"""What another server answers, such as a proxy's page for signing in, is a problem, not a reply."""

import asyncio
import json
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from place_search_client import AsyncClient, Client, PlaceInfo, ProblemError

OTHERS: list[dict[str, Any]] = [
    {"html": "<h1>Sign in</h1>"},
    {"content": b""},
    {"json": None},
    {"json": []},
    {"json": {}},
    {"json": {"places": None}},
]
REPLIES = Path(__file__).parents[2] / "search" / "server" / "content" / "examples.json"
PLACE = PlaceInfo(7, "a.jpg", None, None, "/v1/places/7/image", "/v1/places/7/thumbnail")
ASKED: dict[str, Callable[[Any], Any]] = {
    "search": lambda client: client.search(b"x"),
    "place_with_etag": lambda client: client.place_with_etag(1),
    "group": lambda client: client.group(1),
    "indexes": lambda client: client.indexes(),
    "add": lambda client: client.add(b"x"),
    "track": lambda client: client.track(),
    "thumbnails": lambda client: client.thumbnails([1]),
    "image": lambda client: client.image(PLACE),
    "dots": lambda client: client.dots((11.0, 47.0, 12.0, 49.0)),
}


@pytest.mark.parametrize("other", OTHERS, ids=str)
@pytest.mark.parametrize("asked", ASKED)
def test_the_answer_of_another_server_is_a_problem(
    asked: str, other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, **other))
    for kind, http in ((Client, httpx.Client), (AsyncClient, httpx.AsyncClient)):
        monkeypatch.setattr(kind, "_open", staticmethod(partial(http, transport=transport)))
    server = "http://me:secret@places.example"
    with (
        Client(server) as client,
        pytest.raises(ProblemError, match="no place-search server of this version"),
    ):
        ASKED[asked](client)

    async def ask() -> None:
        async with AsyncClient(server) as client:
            await ASKED[asked](client)

    with pytest.raises(ProblemError, match=r"^places\.example answers /v1/") as caught:
        asyncio.run(ask())
    assert caught.value.status == 200


def test_a_proxy_that_drops_etags_leaves_what_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.loads(REPLIES.read_text())["PlaceGroupReply"]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    opener = partial(httpx.Client, transport=transport)
    monkeypatch.setattr(Client, "_open", staticmethod(opener))
    with Client("http://places.example") as client:
        assert client.group(6).photos == 2
        with pytest.raises(ProblemError, match="no place-search server of this version"):
            client.group_with_etag(6)


def test_a_problem_without_a_sentence_has_its_status() -> None:
    assert str(ProblemError(502, {"detail": None})) == "The server answered 502."


def test_a_problem_has_the_id_by_which_the_log_tells_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = httpx.Response(500, json={"detail": "A fault."}, headers={"X-Request-ID": "4f2a"})
    transport = httpx.MockTransport(lambda _: answer)
    opener = partial(httpx.Client, transport=transport)
    monkeypatch.setattr(Client, "_open", staticmethod(opener))
    with Client() as client, pytest.raises(ProblemError, match="A fault") as caught:
        client.index()
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert error.request_id == "4f2a"
