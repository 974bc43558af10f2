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


@pytest.mark.parametrize("lost", [0, 1, 2, 3000])
def test_a_form_that_lacks_its_end_is_not_taken_for_a_shorter_one(
    client: httpx.Client, street: Any, lost: int
) -> None:
    """As by a length that is counted in letters; its last photo would be left out."""
    head = b'--a"b\r\nContent-Disposition: form-data; name="photo"; filename="x"\r\n\r\n'
    form = b"".join(head + street.query(place) + b"\r\n" for place in (2, 3)) + b'--a"b--'
    kind = {"Content-Type": 'multipart/form-data; boundary="a\\"b"'}
    sent = form[: len(form) - lost]
    # Its end may come in two pieces.
    for content in (sent, iter([sent[:-5], sent[-5:]])):
        answer = client.post("/v1/search?k=1", content=content, headers=kind)
        if lost:
            assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")
            assert "ends before its last boundary" in answer.json()["detail"]
        else:
            assert answer.status_code == 200, answer.text
