"""Servers in a thread of this process, and gates that hold their work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from tests.waiting import SECONDS, wait_until


class Gate:
    """Holds threads until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.reached = threading.Event()

    def open(self) -> None:
        """Let everyone through, from now on."""
        self._open.set()

    def wait(self) -> None:
        """Wait until the gate is open."""
        self.reached.set()
        assert self._open.wait(timeout=SECONDS), "the gate was never opened"


@contextmanager
def running(app: FastAPI, gate: Gate) -> Iterator[str]:
    """Serves an application; gives its address. The gate is opened at the end."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, lifespan="on", ws="none", log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, "the server did not start")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        gate.open()
        server.should_exit = True
        thread.join(timeout=SECONDS)
