"""The client: replies as objects, problems as errors, patience with a busy server."""

import asyncio
import copy
import dataclasses
import datetime
import http.server
import importlib
import io
import json
import os
import pickle
import pkgutil
import shutil
import subprocess
import sys
import threading
import time
import typing
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any, ClassVar

import httpx
import pytest
from PIL import Image

import place_search_client
from place_search import arguments
from place_search.search.probability import Match
from place_search.search.results import CompareResult
from place_search.search.server.content.schemas import (
    IndexReply,
    PlaceReply,
    ResultReply,
    SearchReply,
)
from place_search_client import AsyncClient, Client, ProblemError
from place_search_client.photos import files_of
from place_search_client.queries import Filters, parameters

EXAMPLES = Path(__file__).parents[2] / "examples"

PLACE = {
    "place_id": 7,
    "name": "a.jpg",
    "position": {"latitude": 48.0, "longitude": 11.5},
    "utm": None,
    "image_url": "/v1/places/7/image",
    "thumbnail_url": "/v1/places/7/thumbnail?v=0",
}
SEARCH = {
    "index_id": "0123456789abcdef",
    "model": "m",
    "query": {"width": 4, "height": 3, "position": None, "notes": ["odd"], "reasons": [None]},
    "timings_ms": {"queue": 0, "decode": 1, "embed": 2, "search": 3, "verify": 0, "total": 6},
    "match": {"verdict": "unsure", "probability": 0.7, "threshold": 0.95},
    "results": [
        {
            **PLACE,
            "rank": 1,
            "similarity": 0.5,
            "probability": 0.7,
            "verified": {"inliers": 9, "score": 0.1},
        }
    ],
    "location": None,
}
INDEX = {
    "index_id": "0123456789abcdef",
    "model": "m",
    "fingerprint": "f",
    "precision": "f32",
    "places": 1,
    "positions": 1,
    "dims": 2,
    "created": "2026-01-01T00:00:00Z",
    "format_version": 1,
    "skipped": {"count": 0, "photos": []},
}
BUSY = {"type": "/problems/busy", "title": "Busy", "status": 429, "detail": "Try again."}


class Server(http.server.BaseHTTPRequestHandler):
    """Answers as a place-search server does, or as `refusals` says."""

    refusals: ClassVar[list[tuple[int, Any]]] = []
    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer()

    def _answer(self) -> None:
        self.seen.append((self.path, self.headers.get("authorization")))
        if self.refusals:
            status, body = self.refusals.pop(0)
            content = json.dumps(body).encode()
        elif self.path.endswith("image"):
            status, content = 200, b"JPEG"
        else:
            status = 200
            kinds = {"/v1/search": SEARCH, "/v1/index": INDEX, "/v1/places/7": PLACE}
            content = json.dumps(kinds[self.path.partition("?")[0]]).encode()
        self.send_response(status)
        self.send_header("Retry-After", "0.05")
        if content == b"JPEG":
            self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Server.refusals.clear()
    Server.seen.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_replies_are_those_of_the_server() -> None:
    """What the tests here answer is what the server would."""
    SearchReply.model_validate(SEARCH)
    PlaceReply.model_validate(PLACE)
    IndexReply.model_validate(INDEX)
    ResultReply.model_validate(SEARCH["results"][0])  # type: ignore[index]


@pytest.mark.parametrize("key", ["ps_a\nb", "ps_\u0938"])
def test_a_key_that_is_none_is_in_no_message(key: str) -> None:
    with pytest.raises(ValueError, match="one line of ASCII") as caught:
        Client(key=key)
    assert key not in str(caught.value)


def test_replies_are_objects(address: str, tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"x")
    with Client(address, key="ps_k\n") as client:
        found = client.search(photo, k=3, near=(48.0, 11.5), radius_m=50)
        client.search([photo, b"another"], box=(1, 2, 30.5, 40))
        client.search(photo, folder="a b", tag=["x", "y"], field=["floor:ge:3"])
        assert found.results[0].position is not None
        assert found.results[0].position.latitude == 48.0
        assert found.results[0].verified is not None
        assert found.results[0].verified.inliers == 9
        assert found.query.notes == ["odd"]
        assert client.index().dims == 2
        assert client.place(7).name == "a.jpg"
        with pytest.raises(TypeError):
            client.place(7.5)  # type: ignore[arg-type]
        assert client.image(client.place(7)) == b"JPEG"
    assert {key for _, key in Server.seen} == {"Bearer ps_k"}
    assert Server.seen[0][0] == "/v1/search?k=3&near=48.0%2C11.5&radius_m=50"
    assert Server.seen[1][0] == "/v1/search?k=10&box=1%2C2%2C30.5%2C40"
    assert Server.seen[2][0] == "/v1/search?k=10&folder=a+b&tag=x&tag=y&field=floor%3Age%3A3"


def test_what_is_none_is_not_asked(address: str) -> None:
    """Nor by asyncio; a point that is none is refused before it is sent."""
    nothing: Any = dict.fromkeys(("folder", "taken_from", "taken_to", "tag", "field"))
    listed: Any = nothing | dict.fromkeys(("q", "sort", "spots"))
    page = {"index_id": "0", "total": 0, "places": [], "next_cursor": None, "changed": False}
    Server.refusals[:] = [(200, SEARCH), (200, page)] * 2

    async def ask() -> None:
        async with AsyncClient(address) as client:
            await client.search(b"x", **nothing)
            assert [place async for place in client.places(**listed)] == []
            for point in points:
                with pytest.raises(ValueError, match="near is the numbers latitude, longitude"):
                    await client.similar(7, near=point, radius_m=5)

    points: list[Any] = ["52.5,13.4", (52.5, 13.4, 9.0), (52.5,), 52.5, ("52.5", "13.4")]
    with Client(address) as client:
        client.search(b"x", **nothing)
        assert list(client.places(**listed)) == []
        for point in points:
            with pytest.raises(ValueError, match="near is the numbers latitude, longitude"):
                client.search(b"x", near=point, radius_m=5)
        with pytest.raises(ValueError, match=r"x, y, width, height, not \(1, 2\)"):
            client.compare(b"x", b"y", box=(1, 2))  # type: ignore[arg-type]
    asyncio.run(ask())
    assert [path for path, _ in Server.seen] == ["/v1/search?k=10", "/v1/places?limit=100"] * 2


def test_fewer_than_no_retries_are_refused() -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match="0 times or more, not -1"):
            kind(retries=-1)


def test_a_photo_is_a_path_its_content_or_an_open_file(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"JPEG\nof lines\n")
    content = photo.read_bytes()

    class Elsewhere:
        def __fspath__(self) -> str:
            return str(photo)

    paths: list[Any] = [photo, str(photo), Elsewhere()]
    for path in paths:
        assert files_of(path, named=True) == [("photo", ("a.jpg", content))]
        assert files_of(path) == [("photo", ("0", content))], "a search names no file"
    for given in (content, bytearray(content), memoryview(content), io.BytesIO(content)):
        assert files_of(given, named=True) == [("photo", ("0", content))]
    with photo.open("rb") as opened, photo.open("rb") as other:
        assert files_of(opened, named=True) == [("photo", ("a.jpg", content))]
        assert files_of([content, other], named=True) == [
            *(("photo", ("0", content)), ("photo", ("a.jpg", content)))
        ]


def test_what_is_no_photo_is_said_in_one_sentence(address: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    wrong: Any = Image.new("RGB", (2, 2))
    with Client(address) as client, (tmp_path / "a.jpg").open() as text:
        refused: list[Any] = [wrong, [wrong], 7, None]
        for given in refused:
            with pytest.raises(TypeError, match=r"as bytes, not of the type \w+; save a picture"):
                client.search(given)
        with pytest.raises(TypeError, match="open it with mode 'rb'"):
            client.search(text)  # type: ignore[arg-type]
        with (tmp_path / "a.jpg").open("rb") as closed:
            pass
        with pytest.raises(OSError, match="cannot be read: read of closed file"):
            client.search(closed)
        with pytest.raises(OSError, match="was read to its end before; open it again"):
            client.search([b"x", io.BytesIO()])
    assert not Server.seen


def test_a_busy_server_is_asked_again(address: str) -> None:
    Server.refusals[:] = [(429, BUSY), (503, BUSY)]
    with Client(address) as client:
        started = time.monotonic()
        assert client.search(b"x").model == "m"
        assert time.monotonic() - started >= 0.1
    assert len(Server.seen) == 3


def test_many_that_were_refused_at_once_come_at_growing_and_different_times(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("place_search_client.client.time.sleep", waits.append)
    for _ in range(8):
        Server.refusals[:] = [(429, BUSY)] * 3
        with Client(address) as client:
            assert client.search(b"x").model == "m"
    by_try = [waits[tries::3] for tries in range(3)]
    for tries, times in enumerate(by_try):
        assert len(set(times)) == 8
        assert all(0.05 <= wait <= 0.05 * (2 + tries) for wait in times), "the server named 0.05 s"


def test_a_problem_is_an_error(address: str) -> None:
    Server.refusals[:] = [(429, BUSY)] * 2
    with Client(address, retries=1) as client:
        with pytest.raises(ProblemError, match=r"Try again\.") as caught:
            client.index()
        assert (caught.value.type, caught.value.status) == ("/problems/busy", 429)
        assert caught.value.retry_after == 0.05
        Server.refusals[:] = [(502, None)]
        with pytest.raises(ProblemError, match="answered 502"):
            client.index()


def test_errors_come_through_pickle_and_copies_whole() -> None:
    modules = pkgutil.iter_modules(place_search_client.__path__, "place_search_client.")
    known = {
        kind
        for module in modules
        for kind in vars(importlib.import_module(module.name)).values()
        if isinstance(kind, type) and issubclass(kind, BaseException)
        if kind.__module__.startswith("place_search_client")
    }
    error = ProblemError(429, BUSY, 0.5)
    error.add_note("of the third photo")
    assert known == {type(error)}, "one of each is tried here"
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (type(again), str(again)) == (ProblemError, "Try again.")
        assert vars(again) == vars(error)
        assert (again.status, again.body, again.retry_after) == (429, BUSY, 0.5)


def test_asyncio(address: str) -> None:
    async def ask() -> None:
        Server.refusals[:] = [(429, BUSY)]
        async with AsyncClient(address) as client:
            found, index = await asyncio.gather(client.search(b"x"), client.index())
            with pytest.raises(OSError, match="was read to its end before; open it again"):
                await client.search(io.BytesIO())
            assert found.index_id == index.index_id
            assert await client.image(await client.place(7)) == b"JPEG"

    asyncio.run(ask())


def test_a_proxy_gets_nothing_for_this_computer(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", address)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for here in ("127.0.0.1", "127.0.1.1", "0.0.0.0", "localhost.", "[::1]", "[::ffff:127.0.0.1]"):
        with Client(f"http://{here}:1") as client, pytest.raises(httpx.ConnectError):
            client.index()
    with Client("http://places.example") as client, pytest.raises(httpx.RemoteProtocolError):
        client.index()  # `address` is no proxy, and breaks off


def test_a_server_that_is_not_there() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(httpx.ConnectError):
        client.index()


def test_it_needs_nothing_of_the_server() -> None:
    code = (
        "import place_search_client, sys; "
        "print(sorted({'search', 'netvlad', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["search.py", "search.sh", "search.mjs"])
def test_the_examples_run(address: str, name: str, tmp_path: Path) -> None:
    program = {"py": sys.executable, "sh": "sh", "mjs": "node"}[name.partition(".")[2]]
    needed = "curl" if name == "search.sh" else program
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not there")
    done = subprocess.run([program, str(EXAMPLES / name)], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("Name a photo: ")
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"x")
    done = subprocess.run(
        [program, str(EXAMPLES / name), str(photo)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(EXAMPLES.parent),
            "PLACE_SEARCH_SERVER": address,
            "PLACE_SEARCH_KEY": "ps_k",
        },
    )
    assert done.returncode == 0, done.stderr
    assert "a.jpg" in done.stdout
    ((path, key),) = Server.seen
    assert path.startswith("/v1/search?k=3")
    assert key == "Bearer ps_k"


def test_the_types_of_all_that_it_gives_are_there() -> None:
    given = set(place_search_client.__all__)
    for name in given:
        kind = getattr(place_search_client, name)
        if dataclasses.is_dataclass(kind):
            for hint in typing.get_type_hints(kind).values():
                kinds = [each for each in named_in(hint) if isinstance(each, type)]
                parts = {each.__name__ for each in kinds if dataclasses.is_dataclass(each)}
                assert parts <= given, name


def named_in(hint: Any) -> Iterator[Any]:
    """The types in an annotation."""
    yield hint
    for part in typing.get_args(hint):
        yield from named_in(part)


def test_a_value_of_few_is_typed_as_in_the_library() -> None:
    verdict = typing.get_type_hints(place_search_client.Match)["verdict"]
    assert verdict == typing.get_type_hints(Match)["verdict"]
    assert (
        typing.get_type_hints(place_search_client.Comparison)["result"]
        == (typing.get_type_hints(CompareResult)["result"])
    )


def test_filters_take_what_the_library_takes() -> None:
    assert typing.get_type_hints(Filters) == typing.get_type_hints(arguments.Filters)
    asked = {"folder": PureWindowsPath("town", "east"), "taken_from": datetime.date(2024, 5, 1)}
    sent = httpx.QueryParams(parameters(asked))
    assert dict(sent) == {"folder": "town/east", "taken_from": "2024-05-01"}
