"""One client's slow photos do not keep others from their answers."""

import io
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.waiting import SECONDS

PRESSING = 8
"""Requests that one client has under way at any time."""


def slow_photo() -> bytes:
    """A photo that takes a second or more to decode, and the turn of large ones."""
    out = io.BytesIO()
    Image.new("RGBA", (6500, 6500), (9, 99, 9, 99)).save(out, "PNG")
    return out.getvalue()


def client_at(server: Any, source: str) -> httpx.Client:
    transport = httpx.HTTPTransport(local_address=source)
    return httpx.Client(base_url=server.address, timeout=SECONDS, transport=transport)


@pytest.mark.slow
@pytest.mark.parametrize("queue", ["16", "2"])
def test_slow_photos_of_one_client_keep_no_other_waiting(
    start_server: Callable[..., Any], index_folder: Any, street: Any, queue: str
) -> None:
    server = start_server(index_folder, "--queue", queue, measured=False)
    stop = threading.Event()
    hostile: Counter[int] = Counter()
    under_way = threading.Semaphore(0)
    photo = slow_photo()

    def press() -> None:
        with client_at(server, "127.0.0.1") as client:
            while not stop.is_set():
                under_way.release()
                response = client.post("/v1/search", files={"photo": ("a", photo)})
                hostile[response.status_code] += 1

    threads = [threading.Thread(target=press) for _ in range(PRESSING)]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            assert under_way.acquire(timeout=SECONDS)
        with client_at(server, "127.0.0.2") as client:
            for _ in range(6):
                for _ in range(4):
                    before = hostile[200]
                    found = client.post(
                        "/v1/search?verify=1", files={"photo": ("a", street.query(3))}
                    )
                    assert found.status_code == 200, found.text
                    # In one queue for all, the other's requests would come before.
                    assert hostile[200] - before < PRESSING / 2
                before = hostile[200]
                assert client.get("/livez").status_code == 200
                assert hostile[200] - before < PRESSING / 2
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(hostile) <= {200, 429, 503}  # on a busy machine such photos take too long
    assert server.stop() == 0


def test_tracks_of_one_client_keep_no_other_from_opening_one(server: Any) -> None:
    with client_at(server, "127.0.0.1") as hostile, client_at(server, "127.0.0.2") as client:
        opened = []
        while (reply := hostile.post("/v1/tracks")).status_code == 201:
            opened.append(reply.headers["Location"])
        assert reply.status_code == 429
        mine = client.post("/v1/tracks")
        assert mine.status_code == 201
        for track in opened:
            client.delete(track)
        assert client.delete(mine.headers["Location"]).status_code == 204


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="one socket takes one kind of address")
def test_a_socket_for_both_kinds_of_address_tells_clients_apart(
    start_server: Callable[..., Any], index_folder: Any, street: Any
) -> None:
    options = ("--rate", "1", "--log", "--trusted-proxies", "127.0.0.9")
    server = start_server(index_folder, "--host", "::", *options, measured=False)
    server.address = server.address.replace("localhost", "127.0.0.1")
    photo = street.query(0)

    def status(source: str, told: str | None = None) -> int:
        headers = {} if told is None else {"X-Forwarded-For": told}
        with client_at(server, source) as client:
            return client.post("/v1/search", files={"photo": photo}, headers=headers).status_code

    assert [status("127.0.0.1"), status("127.0.0.2"), status("127.0.0.1")] == [200, 200, 429]
    # What a proxy tells comes from such sockets, too.
    assert [status("127.0.0.9", f"::ffff:192.0.{n}.1") for n in (2, 3, 2)] == [200, 200, 429]
    server.stop()
    log = [json.loads(line) for line in server.text().splitlines() if line.startswith("{")]
    logged = [line for line in log if "route" in line]
    assert {line["route"] for line in logged} == {"/v1/search"}
    networks = ["127.0.0.0/24"] * 3 + [f"192.0.{n}.0/24" for n in (2, 3, 2)]
    assert [line["client"] for line in logged] == networks
