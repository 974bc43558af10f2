"""Connections that hold a server for nothing: a clock runs from the first moment of each."""

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from place_search.search.server import connection
from tests.search.connections import END, PART, connect, received, upload_head
from tests.waiting import SECONDS, until, wait_until

HALF_SENT = upload_head(1000) + PART
READ_SECONDS = 1.5
CONNECTIONS = 40


@pytest.fixture(scope="module")
def server(start_server: Callable[..., Any], index_folder: Any) -> Any:
    return start_server(
        index_folder,
        *("--read-seconds", str(READ_SECONDS), "--connections", str(CONNECTIONS)),
        *("--max-body-mb", "2"),
    )


def is_alive(server: Any, source: str = "127.0.0.1") -> bool:
    """Whether the server answers an address, however long a busy machine takes over it."""
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(base_url=server.address, timeout=SECONDS, transport=transport) as client:
        return client.get("/livez").status_code == 200


SILENT = (
    upload_head(1000, "Expect: 100-continue"),
    upload_head(None, "Expect: 100-continue"),
    upload_head(1000),
    upload_head(None),
    HALF_SENT,
    upload_head(None) + b"5\r\n--x",
    b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\n",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nHos",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    b"G",
    b"",
)
"""What clients send before they say no more."""


@pytest.fixture(scope="module")
def silent(server: Any) -> Iterator[dict[bytes, socket.socket]]:
    """Connections by what was sent on them, at once: the server's patience with each runs out."""
    with contextlib.ExitStack() as stack:
        links = {sent: stack.enter_context(connect(server)) for sent in SILENT}
        for sent, link in links.items():
            link.sendall(sent)
        yield links


@pytest.mark.parametrize("sent", SILENT)
def test_who_falls_silent_is_left(silent: dict[bytes, socket.socket], sent: bytes) -> None:
    received(silent[sent])  # until it is closed, else this times out


def test_a_body_that_trickles_is_too_slow(server: Any) -> None:
    """A byte now and then is no progress."""
    with connect(server) as link:
        link.settimeout(0.1)
        link.sendall(upload_head(1_000_000) + PART)
        started, answer = time.monotonic(), b""
        while not answer and time.monotonic() - started < 3 * READ_SECONDS:
            with contextlib.suppress(TimeoutError):
                link.sendall(b"a")
                answer = link.recv(1 << 12)
    assert answer.startswith(b"HTTP/1.1 408")


def test_a_slow_upload_that_goes_on_is_read(server: Any, street: Any) -> None:
    """As by a telephone with 50 kB/s: longer than what may stand still, but it never does."""
    body = PART + street.query(3) + END
    pieces = 30
    with connect(server) as link:
        link.settimeout(1.25 * READ_SECONDS / pieces)  # paces the pieces: nothing is received yet
        link.sendall(upload_head(len(body) + 120_000) + body[: -len(END)])
        started = time.monotonic()
        for _ in range(pieces):
            link.sendall(bytes(120_000 // pieces))
            with contextlib.suppress(TimeoutError):
                assert not link.recv(1 << 12), "it was answered before its end"
        link.sendall(END)
        assert time.monotonic() - started > READ_SECONDS
        link.settimeout(SECONDS)
        assert link.recv(1 << 12).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"", upload_head(1000, "Expect: 100-continue")])
def test_connections_that_wait_make_room_for_others(server: Any, sent: bytes) -> None:
    links = []
    try:
        for _ in range(3 * CONNECTIONS):
            link = connect(server)
            link.sendall(sent)
            links.append(link)
        for _ in range(5):
            assert is_alive(server)
            assert is_alive(server, "127.0.0.2")
    finally:
        for link in links:
            link.close()


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "warned"), [("-Sn 300", False), ("-n 700", True)])
def test_there_is_a_file_for_each_connection(
    start_server: Callable[..., Any], index_folder: Any, limit: str, warned: bool
) -> None:
    """A soft limit is raised, and within a hard one fewer connections are taken."""
    shell = f'ulimit {limit} && exec "$0" "$@"'
    server = start_server(index_folder, measured=False, within=("bash", "-c", shell))
    assert ("it takes 188 connections at most" in server.text()) == warned
    links = [connect(server) for _ in range(900)]
    try:
        for _ in range(3):
            assert is_alive(server, "127.0.0.2")
    finally:
        for link in links:
            link.close()
    assert "Too many open files" not in server.text()


def test_the_client_with_the_most_connections_loses_them(server: Any) -> None:
    """Somebody's slow upload is not given up for another's idle connections."""
    slow = connect(server, source="127.0.0.3")
    slow.sendall(upload_head(100_000) + PART + bytes(20_000))
    links = [connect(server) for _ in range(2 * CONNECTIONS)]
    try:
        slow.setblocking(False)
        with pytest.raises(BlockingIOError):
            slow.recv(1)
        closed = 0
        for link in links:
            closed += received(link).startswith(b"HTTP/1.1 429")
        assert closed >= CONNECTIONS
    finally:
        for link in (slow, *links):
            link.close()


def test_tiny_chunks_end_their_connections_and_keep_others_answered(server: Any) -> None:
    """Without a limit on chunks, as many would be read as a body has bytes: two millions."""

    def press(_: int) -> int:
        sent = 0
        with connect(server) as link, contextlib.suppress(OSError):
            link.sendall(upload_head(None) + b"%x\r\n%b\r\n" % (len(PART), PART))
            while sent < 1_600_000:  # what was sent on, and not read, is at most half as many
                link.sendall(b"1\r\na\r\n" * 40_000)
                sent += 40_000
        return sent

    with ThreadPoolExecutor(4) as pool:
        presses = [pool.submit(press, at) for at in range(12)]
        while not all(pressed.done() for pressed in presses):
            assert is_alive(server, "127.0.0.2")
    assert max(pressed.result() for pressed in presses) < 1_600_000


def test_a_request_of_two_lengths_ends_its_connection(server: Any) -> None:
    with connect(server) as link:
        link.sendall(
            b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\n\r\n"
        )
        answer = received(link)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_tiny_chunks_are_told_what_is_wrong(server: Any) -> None:
    with connect(server) as link:
        with contextlib.suppress(ConnectionError):
            link.sendall(upload_head(None) + b"1\r\na\r\n" * 5000)
        assert b"too many pieces" in received(link)


def test_chunks_of_a_fair_size_are_taken(server: Any, street: Any) -> None:
    body = PART + street.query(3) + END
    with connect(server) as link:
        link.sendall(upload_head(None))
        for start in range(0, len(body), 500):
            piece = body[start : start + 500]
            link.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        link.sendall(b"0\r\n\r\n")
        assert link.recv(1 << 12).startswith(b"HTTP/1.1 200")


def test_uploads_of_one_client_do_not_refuse_those_of_another(server: Any, street: Any) -> None:
    """All bodies together are bounded, and it is the client with the most that is refused."""
    links = [connect(server) for _ in range(12)]
    try:
        for link in links:
            threading.Thread(target=_send, args=(link, bytes(1_900_000))).start()
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(base_url=server.address, timeout=SECONDS, transport=transport) as client:
            for _ in range(5):
                photo = street.query(1) + bytes(1 << 20)
                response = client.post("/v1/search", files={"photo": ("a", photo)})
                assert response.status_code == 200, response.text
    finally:
        for link in links:
            link.close()


def _send(link: socket.socket, content: bytes) -> None:
    with contextlib.suppress(OSError):
        link.sendall(upload_head(2_000_000) + PART + content)


@pytest.mark.slow
def test_a_second_signal_ends_what_clients_still_send(
    start_server: Callable[..., Any], index_folder: Path
) -> None:
    server = start_server(index_folder)
    with connect(server) as sending:
        sending.sendall(HALF_SENT)
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: not listens(server), "the server still takes connections")
        assert server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.text()
    assert "rror" not in server.text()


def test_a_stop_disconnects_requests_that_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FINISH_SECONDS", 0)
    received = list[Message]()

    async def wait_for_disconnect(_scope: Scope, receive: Receive, _send: Send) -> None:
        while not received or received[-1]["type"] != "http.disconnect":
            received.append(await receive())

    async def stopped() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(wait_for_disconnect, lifespan="off", log_config=None)
            server = connection.HttpServer(config)
            serving = asyncio.create_task(server.serve([listener]))
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(HALF_SENT)
            await until(lambda: server.server_state.tasks, "the request did not begin")
            server.should_exit = True
            await serving
            writer.close()

    asyncio.run(stopped())
    assert received[-1]["type"] == "http.disconnect"


def listens(server: Any) -> bool:
    try:
        connect(server).close()
    except ConnectionRefusedError:
        return False
    return True
