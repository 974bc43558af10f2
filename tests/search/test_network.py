"""Where other devices reach a server, and the code that a phone reads."""

import io
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from place_search.cli.commands.searching import serve
from place_search.photos.opencv import cv2
from place_search.search.engine import Engine
from place_search.search.server import network

URL = "http://192.168.178.123:8000/"


@pytest.mark.parametrize(
    ("host", "url", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/", None),
        ("localhost", "http://localhost:8000/", None),
        ("::1", "http://[::1]:8000/", None),
        ("0.0.0.0", "http://localhost:8123/", "http://10.1.2.3:8123/"),
        ("::", "http://localhost:8123/", "http://10.1.2.3:8123/"),
        ("10.9.9.9", "http://10.9.9.9:8000/", "http://10.9.9.9:8000/"),
        ("places.example", "http://places.example:8000/", "http://places.example:8000/"),
    ],
)
def test_what_a_phone_can_open(
    monkeypatch: pytest.MonkeyPatch, host: str, url: str, shown: str | None
) -> None:
    monkeypatch.setattr(network, "lan_address", lambda: "10.1.2.3")
    assert network.network_url(host, url) == shown


@pytest.mark.parametrize(
    ("host", "name"), [("", "localhost"), ("0.0.0.0", "localhost"), ("127.0.0.1", "127.0.0.1")]
)
def test_where_this_machine_reaches_a_server(host: str, name: str) -> None:
    with network.listen(host, 0) as listener:
        port = listener.getsockname()[1]
        assert network.address_of(host, listener) == f"http://{name}:{port}/"


def test_a_machine_in_no_network_has_no_such_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(network, "ROUTES", tmp_path / "none")
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo")])
    assert network.lan_address() is None
    assert network.network_url("0.0.0.0", "http://localhost:8000/") is None


def test_the_way_to_everywhere_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "docker0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0\n"
        "wlan0 00000000 0101A8C0 0003 0 0 600 00000000 0 0 0\n"
        "eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0\n"
    )
    monkeypatch.setattr(network, "ROUTES", table)
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "docker0")])
    assert network._interfaces() == ["eth0", "wlan0", "lo", "docker0"]


def test_the_address_printed_answers(start_server: Callable[..., Any], index_folder: Path) -> None:
    server = start_server(index_folder, "--host", "0.0.0.0", measured=False)
    assert server.stop() == 0
    printed = re.search(r"On other devices of this network: (\S+)", server.text())
    here = network.network_url("0.0.0.0", server.address)
    assert here == (printed and printed[1])
    assert "\x1b" not in server.text()  # no code where nobody can see it


@pytest.mark.skipif(network.lan_address() is None, reason="this machine is in no network")
def test_another_device_reaches_it(start_server: Callable[..., Any], index_folder: Path) -> None:
    server = start_server(index_folder, "--host", "0.0.0.0", measured=False)
    url = network.network_url("0.0.0.0", server.address)
    assert url is not None
    assert httpx.get(f"{url}livez", trust_env=False).status_code == 200


def seen_by_a_camera(text: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Half blocks as a picture: what a line draws is white, on black."""
    rows = []
    for line in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines():
        rows.append([255 * (sign in "█▀") for sign in line])
        rows.append([255 * (sign in "█▄") for sign in line])
    return np.array(rows, np.uint8).repeat(8, axis=0).repeat(8, axis=1)


def test_the_code_holds_the_address(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    terminal = Terminal(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stdout", terminal)
    serve.announce("192.168.178.123", URL, engine)
    terminal.seek(0)
    text = terminal.read()
    assert f"On other devices of this network: {URL}" in text
    code = text[text.index("\x1b[97;40m") :]
    assert max(len(line) for line in code.splitlines()) < 80
    found, *_ = cv2.QRCodeDetector().detectAndDecode(seen_by_a_camera(code))
    assert found == URL
