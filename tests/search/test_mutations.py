"""Thousands of damaged photos through the whole application: never a 5xx."""

import asyncio
import json
import random
from collections.abc import Iterator

import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from starlette.types import Message

from place_search.indexer import Index
from place_search.models import Embedding, Model
from place_search.photos import UPLOADS, Decoder
from place_search.search.engine import Engine
from place_search.search.server.app import create_app
from tests.search.photos import bombs, mutated, valid_photos

BATCH = 50
BATCHES = 105
VALID = valid_photos()


class NoNetwork:
    """A runtime that looks at nothing: what is tested is all around it."""

    def __init__(self, dims: int) -> None:
        self._embedding = Embedding(np.ones(dims, np.float32), np.zeros((1, 1, 1), np.float32))

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3
        return self._embedding

    def stream(self, photos: object) -> Iterator[tuple[object, Embedding]]:
        raise NotImplementedError


@pytest.fixture(scope="module")
def app(index: Index, model: Model) -> Iterator[FastAPI]:
    decoder = Decoder(workers=1)
    network, directions = NoNetwork(index.dims), np.zeros((1, 56), np.float32)
    blind = Model(model.card, network, directions=directions)  # type: ignore[arg-type]

    def decode(photo: object, *, box: None = None, panorama: bool | None = False) -> object:
        assert isinstance(photo, bytes)
        return decoder.photo(photo, model.card.preprocessing, formats=UPLOADS, panorama=panorama)

    engine = Engine(index, blind, decode=decode)  # type: ignore[arg-type]
    yield create_app(engine, decoder=decoder)
    decoder.close()


async def ask(app: FastAPI, photo: bytes) -> tuple[int, dict[str, object]]:
    """Search as a server would call the application, without a network."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
        + photo
        + b"\r\n--x--\r\n"
    )
    headers = [
        (b"content-type", b"multipart/form-data; boundary=x"),
        (b"content-length", str(len(body)).encode()),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/search",
        "query_string": b"k=1",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
        "raw_path": b"/v1/search",
    }
    sent: list[Message] = []
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if pending:
            return pending.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(content)


@pytest.mark.slow
@pytest.mark.no_cover  # what it reaches is reached by the test of each format, too
@settings(max_examples=BATCHES, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damaged_photos_are_the_client_s_fault(app: FastAPI, seed: int) -> None:
    chance = random.Random(seed)

    async def ask_all() -> None:
        for _ in range(BATCH):
            kind, whole = chance.choice(VALID)
            photo = mutated(whole, chance)
            status, reply = await ask(app, photo)
            assert status in (200, 400, 413, 415, 422), (kind, photo.hex(), reply)

    asyncio.run(ask_all())


def test_valid_photos_are_taken(app: FastAPI) -> None:
    for kind, photo in VALID:
        status, reply = asyncio.run(ask(app, photo))
        assert status == 200, (kind, reply)


@pytest.mark.parametrize("name", bombs())
def test_bombs_do_not_go_off(app: FastAPI, name: str) -> None:
    content, expected = bombs()[name]
    status, reply = asyncio.run(ask(app, content))
    assert status in expected, reply
