"""What strangers do to a server: slowly, too much, half, by odd paths, and at the wrong moment."""

import contextlib
import io
import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image

from tests.search.connections import connect, received

READ_SECONDS = 1.5


@pytest.fixture(scope="module")
def guarded(start_server: Callable[..., Any], index_folder: Any) -> Any:
    """A server with short patience, two searches at a time and two in the queue."""
    return start_server(
        index_folder,
        *("--workers", "2", "--queue", "2", "--max-body-mb", "4", "--connections", "60"),
        *("--read-seconds", str(READ_SECONDS)),
    )


@pytest.fixture
def ask(guarded: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=guarded.address, timeout=30) as client:
        yield client
        assert client.get("/livez", timeout=5).status_code == 200
    assert guarded.process.poll() is None, guarded.text()


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Look again and again, for 20 seconds at most."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def slow_png() -> bytes:
    """A photo that takes a good part of a second to decode, in few bytes."""
    out = io.BytesIO()
    Image.new("RGBA", (5000, 5000), (9, 99, 9, 99)).save(out, "PNG")
    return out.getvalue()


def search(client: httpx.Client, photo: bytes, **options: Any) -> httpx.Response:
    return client.post("/v1/search", files={"photo": ("a", photo)}, **options)


def test_a_head_that_never_ends_is_cut_off(guarded: Any, ask: httpx.Client) -> None:
    links = [connect(guarded) for _ in range(30)]
    started = time.monotonic()
    for link in links:
        link.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: ")
    silent = connect(guarded)
    while time.monotonic() - started < READ_SECONDS - 0.5:
        links[0].sendall(b"a")
        assert ask.get("/livez").elapsed.total_seconds() < 1
        time.sleep(0.1)
    for link in (*links, silent):
        assert received(link) == b""
        link.close()
    assert time.monotonic() - started < READ_SECONDS + 3


def test_a_body_that_never_ends_is_answered_408(guarded: Any, ask: httpx.Client) -> None:
    with connect(guarded) as link:
        link.sendall(
            b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        started = time.monotonic()
        answer = received(link)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"/problems/slow-request" in answer
    assert time.monotonic() - started < READ_SECONDS + 2


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
        link.settimeout(20)
        link.connect((host, int(port)))
        ask_for_it = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        link.sendall(ask_for_it * 12)  # more than the system holds for one connection
        mine = link.getsockname()
        process = psutil.Process(guarded.process.pid)
        wait_until(
            lambda: mine not in [other.raddr for other in process.net_connections()],
            "the server still holds it",
        )
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
    assert ask.get("/livez").elapsed.total_seconds() < 1


def test_what_is_no_http_is_a_problem(guarded: Any, ask: httpx.Client) -> None:
    for nonsense in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9\r\n\r\n", bytes(70_000)):
        with connect(guarded) as link:
            link.sendall(nonsense + b"\r\n\r\n")
            answer = received(link)
        assert answer.startswith(b"HTTP/1.1 400"), nonsense[:20]
        assert b"application/problem+json" in answer


def test_connections_have_a_limit(guarded: Any, ask: httpx.Client) -> None:
    links = [connect(guarded) for _ in range(100)]
    refused: list[bytes] = []
    waiting = set(links)
    deadline = time.monotonic() + READ_SECONDS
    while len(refused) < 40 and time.monotonic() < deadline:
        for link in select.select(list(waiting), [], [], 0.1)[0]:
            refused.append(link.recv(1 << 12))
            waiting.discard(link)
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


def test_who_goes_away_gives_the_place_up(guarded: Any, ask: httpx.Client, street: Any) -> None:
    photo = slow_png()
    body = (
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
        + photo
        + b"\r\n--x--\r\n"
    )
    head = (
        "POST /v1/search HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    links = []
    for _ in range(4):  # two at work, two in the queue
        link = connect(guarded)
        link.sendall(head + body)
        links.append(link)
    _wait_for(ask, 4)
    busy = search(ask, street.query(0))
    assert busy.status_code == 429
    assert busy.elapsed.total_seconds() < 1
    for link in links:
        link.close()
    _wait_for(ask, 2)  # those in the queue are given up at once
    assert search(ask, street.query(0)).status_code == 200
    _wait_for(ask, 0)


def _wait_for(client: httpx.Client, depth: int) -> None:
    """Wait until at most so many searches run or wait, or just as many where more are to come."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        page = client.get("/metrics").text
        (line,) = [row for row in page.splitlines() if 'depth{queue="search"}' in row]
        now = float(line.split()[1])
        if now == depth or (depth < 3 and now < depth):
            return
        time.sleep(0.01)
    raise TimeoutError(line)


def test_a_decoder_that_dies_costs_its_request(
    guarded: Any, ask: httpx.Client, street: Any
) -> None:
    good = search(ask, street.query(2)).json()["results"]
    for _ in range(3):
        with ThreadPoolExecutor(1) as pool:
            doomed = pool.submit(search, ask, slow_png())
            _kill_the_busy_decoder(guarded.process.pid)
            response = doomed.result()
        assert response.status_code == 422
        assert response.json()["type"] == "/problems/unreadable-photo"
        assert search(ask, street.query(2)).json()["results"] == good


def _kill_the_busy_decoder(pid: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for process in psutil.Process(pid).children(recursive=True):
            if process.memory_info().rss > 150 << 20:
                os.kill(process.pid, signal.SIGKILL)
                return
        time.sleep(0.002)
    raise TimeoutError


def test_it_is_alive_under_load(guarded: Any, ask: httpx.Client, street: Any) -> None:
    stop = threading.Event()
    photos = [street.query(0), slow_png(), b"no photo", street.query(1)[:3000]]
    statuses: list[int] = []

    def press(number: int) -> None:
        with httpx.Client(base_url=guarded.address, timeout=30) as client:
            while not stop.is_set():
                statuses.append(search(client, photos[number % len(photos)]).status_code)

    with ThreadPoolExecutor(16) as pool:
        pressed = [pool.submit(press, number) for number in range(16)]
        waits = []
        for _ in range(20):
            waits.append(ask.get("/livez").elapsed.total_seconds())
            time.sleep(0.1)
        stop.set()
        for done in pressed:
            done.result()
    assert max(waits) < 1
    assert set(statuses) <= {200, 415, 422, 429}
    assert 429 in statuses
    assert 200 in statuses


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


def test_a_stop_under_load_finishes_what_it_took(
    start_server: Callable[..., Any], index_folder: Any, street: Any
) -> None:
    server = start_server(index_folder, "--queue", "40", "--log")
    photo = street.query(5)
    answers: list[int] = []

    def press() -> None:
        with httpx.Client(base_url=server.address, timeout=30) as client:
            try:
                while True:
                    answers.append(search(client, photo).status_code)
            except httpx.ConnectError:
                return  # it listens no more
            except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError):
                answers.append(-1)

    children = psutil.Process(server.process.pid).children()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(press)
        wait_until(lambda: len(answers) >= 16, "nothing is answered")
        assert server.stop() == 0
    # A connection that was idle, or not yet accepted, may be closed under the next request.
    assert set(answers) <= {200, 429, -1}
    assert answers.count(-1) <= 8
    lines = [json.loads(line) for line in server.text().splitlines() if line.startswith("{")]
    finished = [line for line in lines if line.get("status") == 200]
    assert len(finished) == answers.count(200), "every search that was taken was answered"
    assert not [child for child in children if child.is_running()]
    assert "Traceback" not in server.text()


def test_the_same_answer_alone_and_in_a_crowd(
    start_server: Callable[..., Any], index_folder: Any, street: Any
) -> None:
    server = start_server(index_folder, "--threads", "1", "--queue", "64")
    other = start_server(index_folder, "--threads", "2")
    photos = [street.query(place) for place in range(6)]
    with httpx.Client(base_url=server.address, timeout=60) as client:

        def results(number: int) -> Any:
            return search(client, photos[number % 6]).json()["results"]

        alone = [results(number) for number in range(6)]
        with ThreadPoolExecutor(12) as pool:
            crowd = list(pool.map(results, range(24)))
    with httpx.Client(base_url=other.address, timeout=60) as client:
        assert [results(number) for number in range(6)] == alone, "two threads, the same answer"
    server.stop()
    other.stop()
    assert all(found == alone[number % 6] for number, found in enumerate(crowd))


def test_noise_is_no_place_for_memory(guarded: Any, ask: httpx.Client) -> None:
    """Photos of 25 megapixels from many at once: the server and its decoders stay small."""
    base = _memory(guarded.process.pid)
    peaks = [0]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            peaks.append(_memory(guarded.process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    photo = slow_png()
    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda _: search(ask, photo).status_code, range(8)))
    stop.set()
    watcher.join()
    assert statuses <= {200, 429}
    assert max(peaks) - base < 600 << 20


def _memory(pid: int) -> int:
    """Bytes of a process and its children that no other process shares."""
    total = 0
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_full_info().uss
        except psutil.NoSuchProcess:
            continue
    return total
