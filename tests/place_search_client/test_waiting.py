"""The wait before a request that a busy server refused is sent again."""

import asyncio

import httpx
import pytest

from place_search.search.server.work import LONGEST_WAIT
from place_search_client import AsyncClient, Client, ProblemError
from place_search_client.client import LONGEST_WAIT_S


@pytest.mark.parametrize("seconds", [LONGEST_WAIT, 9000])
def test_the_longest_wait_is_kept_to_and_spread(
    monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    assert LONGEST_WAIT_S >= LONGEST_WAIT
    waits: list[float] = []

    async def note(wait: float) -> None:
        waits.append(wait)

    async def ask() -> None:
        async with AsyncClient(retries=4) as client:
            await client._ask("GET", "/v1/index")

    def refuse(*_: object, **__: object) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": str(seconds)}, json={})

    async def refuse_later(*_: object, **__: object) -> httpx.Response:
        return refuse()

    monkeypatch.setattr(httpx.Client, "request", refuse)
    monkeypatch.setattr(httpx.AsyncClient, "request", refuse_later)
    monkeypatch.setattr("place_search_client.client.time.sleep", waits.append)
    monkeypatch.setattr("place_search_client.client.asyncio.sleep", note)
    with Client(retries=4) as client, pytest.raises(ProblemError):
        client._ask("GET", "/v1/index")
    with pytest.raises(ProblemError):
        asyncio.run(ask())
    assert len(set(waits)) == 8
    assert all(wait >= LONGEST_WAIT for wait in waits)
