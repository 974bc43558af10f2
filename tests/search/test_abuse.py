"""What strangers do to a server: slowly, too much, half, and by odd paths."""

import asyncio
import contextlib
import select
import socket
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from place_search.search.server.middleware.body_limit import BodyLimit
from tests.search.connections import connect, received
from tests.search.guarded import READ_SECONDS
from tests.search.replies import search
from tests.waiting import SECONDS, until, wait_until


def test_a_head_that_never_ends_is_cut_off(guarded: Any, ask: httpx.Client) -> None:
    links = [connect(guarded) for _ in range(30)]
    started = time.monotonic()
    for link in links:
        link.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: ")
    silent = connect(guarded)
    while time.monotonic() - started < READ_SECONDS - 0.5:
        links[0].sendall(b"a")
        assert ask.get("/livez").status_code == 200
        time.sleep(0.1)
    for link in (*links, silent):
        assert received(link) == b""
        link.close()


def test_a_body_that_never_ends_is_answered_408(guarded: Any, ask: httpx.Client) -> None:
    with connect(guarded) as link:
        link.sendall(
            b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        answer = received(link)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"/problems/slow-request" in answer


def test_a_body_without_end_is_answered_413(guarded: Any, ask: httpx.Client) -> None:
    with connect(guarded) as link:
        link.sendall(
            b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            b"47\r\n--x\r\n"
            b'Content-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n\r\n'
        )
        chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        sent = 0
        try:
            while sent < 1 << 30:
                sent += link.send(chunk)
        except (ConnectionError, TimeoutError):
            pass
        answer = received(link)
    assert sent < 1 << 28, "it has taken far more than its limit of 4 MiB"
    assert answer == b"" or b"/problems/body-too-large" in answer


def test_who_reads_no_answer_is_left(guarded: Any, ask: httpx.Client) -> None:
    whole = len(ask.get("/docs/swagger-ui-bundle.js").content)
    host, _, port = guarded.address.removeprefix("http://").rstrip("/").partition(":")
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.settimeout(SECONDS)
        link.connect((host, int(port)))
        ask_for_it = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        link.sendall(ask_for_it * 12)  # more than the system holds for one connection
        mine = link.getsockname()
        process = psutil.Process(guarded.process.pid)

        def is_held() -> bool:
            return mine in [other.raddr for other in process.net_connections()]

        wait_until(is_held, "the server does not take it")
        wait_until(lambda: not is_held(), "the server still holds it")
        assert len(received(link)) < 12 * whole


def test_all_uploads_together_are_bounded(guarded: Any, ask: httpx.Client) -> None:
    """Each may be 4 MiB, and all of them four times that."""
    head = (
        b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
    )
    links = [connect(guarded) for _ in range(6)]
    answers = []

    def send(link: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            link.sendall(head + bytes(3_900_000))
        answers.append(received(link))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, links))
    for link in links:
        link.close()
    statuses = sorted(answer[9:12] for answer in answers)
    assert statuses[-1] == b"429", statuses
    assert b"too many uploads" in b"".join(answers)


def test_an_upload_for_which_others_leave_no_room_is_told() -> None:
    """Theirs have all come in, and cannot be given up any more."""

    async def run() -> None:
        go_on, held = asyncio.Event(), []

        async def work(_scope: Scope, receive: Receive, _send: Send) -> None:
            while (await receive()).get("more_body"):
                pass
            held.append(True)
            await go_on.wait()

        async def send(_message: Message) -> None:
            pass

        limit = BodyLimit(work, max_bytes=100, max_held_bytes=200)

        def upload(size: int) -> Coroutine[Any, Any, None]:
            async def receive() -> Message:
                return {"type": "http.request", "body": bytes(size)}

            length = (b"content-length", b"%d" % size)
            scope = {"type": "http", "headers": [length], "client": ("10.0.0.1", 1)}
            return limit(scope, receive, send)

        others = [asyncio.create_task(upload(90)) for _ in range(2)]
        await until(lambda: len(held) == 2, "they do not come")
        with pytest.raises(HTTPException, match="too many uploads"):
            await upload(30)
        go_on.set()
        await asyncio.gather(*others)

    asyncio.run(run())


def test_what_is_no_http_is_a_problem(guarded: Any, ask: httpx.Client) -> None:
    for nonsense in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9\r\n\r\n", bytes(70_000)):
        with connect(guarded) as link:
            link.sendall(nonsense + b"\r\n\r\n")
            answer = received(link)
        assert answer.startswith(b"HTTP/1.1 400"), nonsense[:20]
        assert b"application/problem+json" in answer


def test_an_address_in_place_of_a_path_is_taken(guarded: Any, ask: httpx.Client) -> None:
    """As a program sends it that takes the server for its proxy."""
    for target in (b"http://localhost/livez", b"HTTP://localhost/livez?", b"/livez"):
        with connect(guarded) as link:
            link.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n")
            link.sendall(b"Connection: close\r\n\r\n")
            assert received(link).startswith(b"HTTP/1.1 200"), target
    with connect(guarded) as link:
        link.sendall(b"GET http://localhost HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert received(link).startswith(b"HTTP/1.1 421")


def test_connections_have_a_limit(guarded: Any, ask: httpx.Client) -> None:
    links = [connect(guarded) for _ in range(100)]
    refused: list[bytes] = []
    waiting = set(links)
    while len(refused) < 40 and waiting:  # those that were let in are cut off without a word
        for link in select.select(list(waiting), [], [])[0]:
            waiting.discard(link)
            if answer := link.recv(1 << 12):
                refused.append(answer)
    for link in links:
        link.close()
    assert len(refused) >= 40
    assert all(answer.startswith(b"HTTP/1.1 429") for answer in refused)


def test_uploads_that_are_cancelled_leave_nothing(
    guarded: Any, ask: httpx.Client, street: Any
) -> None:
    photo = street.query(1)
    before = search(ask, photo).json()["results"]
    process = psutil.Process(guarded.process.pid)
    files = process.num_fds()
    head = (
        b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
    )

    def cancel(number: int) -> None:
        with connect(guarded) as link:
            link.sendall(head + bytes(number * 300))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cancel, range(500)))
    wait_until(lambda: process.num_fds() <= files + 3, "files of cancelled uploads are open")
    assert search(ask, photo).json()["results"] == before


@pytest.mark.parametrize(
    "path",
    [
        "/v1/places/..%2f..%2fetc%2fpasswd/image",
        "/v1/places/%00/image",
        "/v1/places/0%00.jpg/thumbnail",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/docs/../../../etc/passwd",
        "/docs/%2e%2e/app.py",
        "//etc/passwd",
        "/" + "a" * 300,
        "/v1/places/" + "9" * 300,
        "/problems/..%2f..%2fetc%2fpasswd",
        "/web/__init__.py",
        "/%c0%ae%c0%ae/etc/passwd",
    ],
)
def test_paths_lead_nowhere(guarded: Any, path: str) -> None:
    with connect(guarded) as link:  # a client would tidy the path up
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        link.sendall(head.encode())
        answer = received(link)
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")), answer[:200]
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x", "a\r\nSet-Cookie: x=1", 'a"; filename="b', "\0", "ü" * 300, ""]
)
def test_a_name_means_nothing(ask: httpx.Client, street: Any, name: str) -> None:
    response = ask.post("/v1/search", files={"photo": (name, street.query(4), "text/x-evil")})
    assert response.status_code in (200, 400)
    assert "set-cookie" not in response.headers
    if response.status_code == 200:
        assert response.json()["results"][0]["name"] == "04.jpg"


def test_a_request_id_that_is_none_is_replaced(ask: httpx.Client) -> None:
    assert ask.get("/livez", headers={"x-request-id": "a-1.B"}).headers["x-request-id"] == "a-1.B"
    for odd in ("a b", "x" * 65, "<script>", '{"a":1}'):
        given = ask.get("/livez", headers={"x-request-id": odd}).headers["x-request-id"]
        assert given != odd
        assert len(given) == 16
