"""The server's memory has a limit, which its figures show."""

import subprocess
from pathlib import Path

import httpx
import psutil

from tests.search.conftest import PROGRAM, StartServer, Street, jpeg
from tests.waiting import SECONDS

SHAPES = 8
SLACK_BYTES = 60 << 20
"""What compiling takes for a moment, and a decoder."""


def figures(client: httpx.Client) -> dict[str, float]:
    rows = [
        row
        for row in client.get("/metrics").text.splitlines()
        if "memory" in row or "graphs" in row
    ]
    return {
        name.removeprefix("place_search_"): float(value)
        for name, value in (row.rsplit(" ", 1) for row in rows if not row.startswith("#"))
    }


def test_photos_of_many_shapes_stay_below_the_limit(
    start_server: StartServer, index_folder: Path, street: Street
) -> None:
    server = start_server(index_folder, measured=False)
    with httpx.Client(base_url=server.address, timeout=SECONDS) as client:
        ready = figures(client)
    server.stop()
    held = ready['memory_bytes{by="server"}'] + ready['memory_bytes{by="decoders"}']
    assert ready["memory_limit_bytes"] > held + (64 << 20)
    assert ready["graphs"] == 1

    limit_mb = int(held) // 2**20 + 90
    server = start_server(index_folder, "--memory", str(limit_mb), measured=False)
    with httpx.Client(base_url=server.address, timeout=SECONDS) as client:
        assert figures(client)["memory_limit_bytes"] == limit_mb << 20
        for shape in range(SHAPES):
            photo = jpeg(street.photo(0).resize((300 + 60 * shape, 400)))
            assert client.post("/v1/search", files={"photo": photo}).status_code == 200
            after = figures(client)
            assert private_memory(server.process.pid) <= (limit_mb << 20) + SLACK_BYTES
    assert after["graphs_compiled_total"] > after["graphs"] > 0


def private_memory(pid: int) -> int:
    server = psutil.Process(pid)
    return sum(
        process.memory_full_info().uss for process in (server, *server.children(recursive=True))
    )


def test_a_limit_below_what_the_server_takes_is_refused(index_folder: Path) -> None:
    command = [*PROGRAM, "serve", str(index_folder), "--port", "0", "--memory", "64"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "so 64 are too few; give --memory at least" in done.stderr
    assert "Traceback" not in done.stderr
