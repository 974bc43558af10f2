"""A real Milvus server, from the package `milvus`, for tests marked `milvus_server`."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE = 180.0
"""Seconds; a server that was killed refuses clients for about 90."""

_PREPARE = """
import sys, milvus
config = milvus.MilvusServerConfig(data_dir=sys.argv[1])
config.resolve()
milvus._initialize_data_files(sys.argv[1])
print(config.get("proxy_port"), config.resolve_port(19091)[0])
"""


class MilvusServer:
    """The server's process, its folder and its address."""

    def __init__(self, folder: Path) -> None:
        # In a process of its own: the package leaves sockets open.
        prepared = subprocess.run(
            [sys.executable, "-c", _PREPARE, str(folder)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        port, self._health = (int(word) for word in prepared.stdout.split())
        self._folder = folder
        self.uri = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; see `wait`."""
        environment = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self._health),
            "MILVUS_RUN_DIR": str(self._folder / "run"),
            "LD_LIBRARY_PATH": str(self._folder / "bin"),
        }
        with (self._folder / "out.log").open("ab") as out:
            self.process = subprocess.Popen(
                [self._folder / "bin" / "milvus", "run", "standalone"],
                cwd=self._folder,
                env=environment,
                stdout=out,
                stderr=out,
            )

    def wait(self) -> None:
        """Wait until it is healthy."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            assert self.process is not None
            assert self.process.poll() is None, "the Milvus server has ended"
            try:
                url = f"http://127.0.0.1:{self._health}/healthz"
                with urllib.request.urlopen(url, timeout=5) as reply:
                    if b"OK" in reply.read():
                        return
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError("the Milvus server does not start")

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def milvus_server() -> Iterator[MilvusServer]:
    """A running server."""
    folder = Path(tempfile.mkdtemp(prefix="milvus-"))
    server = MilvusServer(folder)
    server.start()
    try:
        server.wait()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
