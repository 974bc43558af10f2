"""An upload is kept in memory: nothing of a photo is stored."""

import asyncio
import tempfile
from typing import Any

import httpx
import pytest

from place_search.search.engine import Engine
from place_search.search.server.app import create_app


@pytest.mark.parametrize("size", [100, 1 << 20, 6 << 20])
def test_an_upload_never_touches_the_disk(
    engine: Engine, street: Any, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp", "_mkstemp_inner"):
        monkeypatch.setattr(tempfile, name, fail)

    async def ask(address: str, names: tuple[str, ...]) -> int:
        transport = httpx.ASGITransport(create_app(engine))
        photo = street.query(2) + bytes(size)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            files = [(name, ("a", photo)) for name in names]
            return (await client.post(address, files=files)).status_code

    assert asyncio.run(ask("/v1/search", ("photo",))) == 200
    assert asyncio.run(ask("/v1/compare", ("image1", "image2"))) == 200
