"""The connection to Milvus: how it fails, and how it comes back."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pymilvus
import pytest

from place_search.indexer import build_index, open_source
from place_search.indexer.errors import StoreOutageError
from place_search.indexer.stores.milvus_client import LONG, milvus_connection
from place_search.models import Model
from tests.waiting import SECONDS, wait_until


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_searches_that_wait_for_a_silent_milvus_fail_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of them tries to connect; each of the others would try in turn, for five seconds."""
    tried: list[str] = []
    waiting = threading.Barrier(5)

    class Silent(pymilvus.MilvusClient):  # type: ignore[misc]
        def __init__(self, uri: str, **_: object) -> None:
            waiting.wait(SECONDS)
            tried.append(uri)
            raise pymilvus.MilvusException(2, "Fail connecting to server")

    monkeypatch.setattr("pymilvus.MilvusClient", Silent)
    link = milvus_connection(f"http://127.0.0.1:{free_port()}")
    lock = link._lock

    class Counted:
        """The lock; all calls are known to have come to it, or to hold it."""

        def __enter__(self) -> None:
            if lock.acquire(blocking=False):
                return
            waiting.wait(SECONDS)
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    monkeypatch.setattr(link, "_lock", Counted())
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(link.call, "list_collections") for _ in range(5)]
    assert [str(call.exception()) for call in calls] == [
        f"The vector engine Milvus at {link.uri} does not answer (Fail connecting to server); once "
        "it does, try again."
    ] * 5
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("uri", "options"),
    [
        ("http://127.0.0.1:1", {"grpc.enable_http_proxy": 0}),
        ("http://localhost:1", {"grpc.enable_http_proxy": 0}),
        ("vectors.db", {"grpc.enable_http_proxy": 0}),
        ("http://milvus.example:1", {}),
    ],
)
def test_a_proxy_gets_nothing_for_a_milvus_on_this_computer(
    monkeypatch: pytest.MonkeyPatch, uri: str, options: dict[str, int]
) -> None:
    opened: list[object] = []

    class Recorded(pymilvus.MilvusClient):  # type: ignore[misc]
        def __init__(self, **named: object) -> None:
            opened.append(named["grpc_options"])
            raise pymilvus.MilvusException(2, "Fail connecting to server")

    monkeypatch.setattr("pymilvus.MilvusClient", Recorded)
    with pytest.raises(StoreOutageError):
        milvus_connection(uri).call("list_collections")
    assert opened == [options]


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "PERMISSION_DENIED"])
def test_a_milvus_that_refuses_the_token_is_not_one_that_does_not_answer(code: str) -> None:
    """pymilvus calls it unavailable."""

    class Refusing(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, _call: object) -> object:
            return grpc.unary_unary_rpc_method_handler(self.refuse)

        def refuse(self, _request: bytes, context: Any) -> None:
            context.abort(grpc.StatusCode[code], "check the key")

    server = grpc.server(ThreadPoolExecutor(1), [Refusing()])
    link = milvus_connection(f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    server.start()
    try:
        with pytest.raises(StoreOutageError) as raised:
            link.call("list_collections")
    finally:
        server.stop(None).wait(SECONDS)
    assert str(raised.value) == (
        f"The vector engine Milvus at {link.uri} refuses this (check the key); set "
        "PLACE_SEARCH_MILVUS_TOKEN to the token, or user:password, of a user who may do it."
    )


@pytest.mark.parametrize("uri", ["vectors.db", "http://127.0.0.1:1"])
def test_only_a_server_goes_on_loading_when_the_time_of_a_search_is_up(
    monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    """This process loads a file, and would begin anew at each search."""
    loads: list[float] = []

    class NotLoaded(pymilvus.MilvusClient):  # type: ignore[misc]
        def __init__(self, **_: object) -> None:
            pass

        def close(self) -> None:
            pass

        def search(self, **_: object) -> list[object]:
            if not loads:
                raise pymilvus.MilvusException(101, "collection not loaded")
            return []

        def load_collection(self, _: str, *, timeout: float) -> None:
            loads.append(timeout)

    monkeypatch.setattr("pymilvus.MilvusClient", NotLoaded)
    assert milvus_connection(uri).call("search", "places", seconds=5.0) == []
    assert loads == [5.0 if "://" in uri else LONG]


@pytest.mark.slow
def test_a_library_writes_nothing_to_the_terminal(tmp_path: Path) -> None:
    """Python prints warnings of logs that nobody has configured."""
    script = (
        "from place_search.indexer import StoreOutageError\n"
        "from place_search.indexer.stores.milvus_client import milvus_connection\n"
        "try: milvus_connection('no.address').call('list_collections')\n"
        "except StoreOutageError: print('raised')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert (done.stdout, done.stderr) == ("raised\n", "")


@pytest.mark.milvus_server
def test_service_comes_back_with_the_server(
    milvus_server: Any,
    model: Model,
    street: Any,
    start_server: Callable[..., Any],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "index"
    build_index(open_source(street.folder), folder, model, store="milvus", uri=milvus_server.uri)
    running = start_server(folder)
    with httpx.Client(base_url=running.address, timeout=SECONDS) as client:

        def ask() -> httpx.Response:
            return client.post("/v1/search", files={"photo": street.query(1)})

        assert ask().json()["results"][0]["name"] == "01.jpg"
        milvus_server.kill()
        down = ask()
        assert (down.status_code, down.json()["type"]) == (503, "/problems/engine-down")
        milvus_server.start()
        milvus_server.wait()

        def back() -> httpx.Response | None:
            reply = ask()
            assert reply.status_code in (200, 503), reply.text
            return reply if reply.status_code == 200 else None

        reply = wait_until(back, "it did not come back", seconds=180)
        assert reply is not None
        assert reply.json()["results"][0]["name"] == "01.jpg"
        assert client.get("/").status_code == 200
