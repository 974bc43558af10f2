"""The keys file while a server runs: keys come and go, and damage lets nobody in."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from place_search.search.server.keys import KeyRing, new_key, read_keys
from tests.waiting import wait_until


class Ring:
    """A ring of a file with two keys, and a clock that runs on by itself."""

    def __init__(self, file: Path) -> None:
        self.file, self.now = file, 0.0
        self.secrets = {}
        for name in ("a", "b", "variable"):
            self.secrets[name], key = new_key(name, "read")
            self.secrets[f"line {name}"] = f"{key.line}\n"
        self.write("a", "b")
        variable = self.secrets["line variable"].replace("\n", ";")
        self.ring = KeyRing(read_keys(file, variable), file, variable, clock=lambda: self.now)

    def write(self, *names: str) -> None:
        self.file.write_text("".join(self.secrets[f"line {name}"] for name in names))

    def valid(self, seconds: float = 1.0) -> list[str]:
        """The names of the keys that open after some seconds."""
        self.now += seconds
        return [name for name in ("a", "b", "variable") if self.ring.find(self.secrets[name])]


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring(tmp_path / "keys")


def test_keys_come_and_go_with_their_lines(ring: Ring) -> None:
    assert ring.valid() == ["a", "b", "variable"]
    ring.write("b")
    assert ring.valid(0.5) == ["a", "b", "variable"], "it is looked at once a second"
    assert ring.valid(0.5) == ["b", "variable"]
    ring.write("a", "b")
    assert ring.valid() == ["a", "b", "variable"]
    ring.write()
    assert ring.valid() == ["variable"]
    assert ring.ring.required


def test_a_key_is_revoked_by_any_editor(ring: Ring) -> None:
    assert ring.valid() == ["a", "b", "variable"]
    ring.file.write_text("# mine\r\n" + ring.secrets["line b"], encoding="utf-8-sig")
    assert ring.valid() == ["b", "variable"]
    ring.file.write_text(ring.secrets["line a"], encoding="utf-8-sig")
    assert ring.valid() == ["a", "variable"]


def test_a_file_that_cannot_be_read_changes_nothing(
    ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    assert ring.valid() == ["a", "b", "variable"]
    caplog.set_level(logging.ERROR, "place_search.keys")
    for damage in (
        lambda: ring.file.write_text("me, please"),
        lambda: ring.file.write_bytes(b"\xff"),
        ring.file.unlink,
        ring.file.mkdir,
    ):
        damage()
        for _ in range(3):
            assert ring.valid() == ["a", "b", "variable"]
    assert len(caplog.messages) == 4, "each is told once"
    assert "Line 1 of" in caplog.messages[0]
    assert "sha256" not in caplog.text
    ring.file.rmdir()
    ring.write("b")
    assert ring.valid() == ["b", "variable"]


@pytest.mark.slow
def test_a_running_server_revokes_a_key(
    start_server: Callable[..., Any], index_folder: Path, ring: Ring
) -> None:
    server = start_server(index_folder, "--keys", str(ring.file))

    def status(name: str) -> int:
        headers = {"Authorization": f"Bearer {ring.secrets[name]}"}
        return httpx.get(f"{server.address}v1/index", headers=headers).status_code

    assert (status("a"), status("b")) == (200, 200)
    ring.write("b")
    wait_until(lambda: status("a") == 401, "the key stays valid")
    assert status("b") == 200
    ring.write()
    wait_until(lambda: status("b") == 401, "the key stays valid")
    assert httpx.get(f"{server.address}v1/index").status_code == 401
    assert server.stop() == 0
    assert "has changed" in server.text()
