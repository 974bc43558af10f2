"""Servers that take changes, and clients that may ask for them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from place_search.indexer import build_index, open_source
from place_search.models import Model
from place_search.search.server.keys import new_key
from tests.waiting import SECONDS


def index_of_street(base: Path, street: Any, model: Model, names: Iterable[str]) -> Path:
    """An index of the street's first places, as photos of these names."""
    for place, name in enumerate(names):
        photo = base / "photos" / name
        photo.parent.mkdir(exist_ok=True, parents=True)
        photo.write_bytes(street.query(place))
    build_index(open_source(base / "photos"), base / "index", model)
    return base / "index"


class WritableServer:
    """A server of an index with one key that may write, started anew as often as it is asked."""

    def __init__(self, start_server: Callable[..., Any], folder: Path) -> None:
        self._start, self._folder = start_server, folder
        self._keys = folder.parent / "keys"
        self._secret, key = new_key("me", "write")
        # In a list of keys of which the other may not.
        self._keys.write_text(f"{key.line}\n{new_key('reader', 'read')[1].line}\n")
        self.started: list[Any] = []

    def client(self) -> httpx.Client:
        """A client of a new server; the one before is stopped."""
        if self.started:
            self.started[-1].stop()
        server = self._start(self._folder, "--writable", "--keys", str(self._keys))
        self.started.append(server)
        headers = {"Authorization": f"Bearer {self._secret}"}
        return httpx.Client(base_url=server.address, headers=headers, timeout=SECONDS)


@contextmanager
def writable_server(start_server: Callable[..., Any], folder: Path) -> Iterator[WritableServer]:
    """A server that must have been well to its end."""
    server = WritableServer(start_server, folder)
    yield server
    assert server.started[-1].stop() == 0
    assert all("Traceback" not in one.text() for one in server.started)
