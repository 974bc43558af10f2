"""Starting, loading, shedding load and stopping."""

import asyncio
import io
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.responses import StreamingResponse

from place_search.core.errors import PlaceSearchError
from place_search.models import Model, ModelError, find_model
from place_search.search.engine import Engine
from place_search.search.errors import ServerError
from place_search.search.server.app import create_app
from place_search.search.server.server import open_engine, serve
from place_search.search.server.settings import ServerSettings
from tests.waiting import SECONDS

PROGRAM = (sys.executable, "-m", "place_search")


def fails(*arguments: str | Path) -> str:
    """Run the program, which must fail with one sentence; returns that."""
    done = subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.rstrip().endswith(".")
    return done.stderr


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_cleanly(
    start_server: Callable[..., Any], index_folder: Path, signum: signal.Signals
) -> None:
    # These tests may run under `nohup`.
    server = start_server(index_folder, within=["env", "--default-signal=HUP"])
    # A browser keeps its connection open.
    with httpx.Client(base_url=server.address) as client:
        assert client.get("/livez").status_code == 200
        assert server.stop(signum) == 0
    assert "12 places, ready at http://127.0.0.1:" in server.text()
    assert "Traceback" not in server.text()
    assert "rror" not in server.text()


def test_under_nohup_a_closed_terminal_is_ignored(
    start_server: Callable[..., Any], index_folder: Path
) -> None:
    server = start_server(index_folder, within=["nohup"])
    status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
    ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
    assert ignored & 1 << signal.SIGHUP - 1
    assert server.stop() == 0


def test_a_crash_leaves_no_core_file(start_server: Callable[..., Any], index_folder: Path) -> None:
    allowing = ("sh", "-c", 'ulimit -c $(ulimit -H -c) && exec "$@"', "sh")
    server = start_server(index_folder, within=allowing)
    limits = Path(f"/proc/{server.process.pid}/limits").read_text("ascii")
    (cores,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert cores.split()[4] == "0"


def test_it_stops_while_it_loads(index_folder: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [*PROGRAM, "serve", str(index_folder), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    while process.poll() is None:
        try:
            httpx.get(f"{address}/livez", timeout=SECONDS)
            break
        except httpx.ConnectError:
            continue
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    assert "Traceback" not in output


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_busy_port_is_named(index_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        sentence = fails("serve", index_folder, "--port", str(port))
        missing = fails("serve", index_folder / "none", "--port", str(port))
    assert f"Port {port}" in sentence
    assert "--port" in sentence
    assert "none" in missing
    assert "--port" not in missing


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "::2"])
def test_an_address_that_is_not_ours_is_named(index_folder: Path, host: str) -> None:
    with pytest.raises(ServerError, match="check --host"):
        serve(index_folder, ServerSettings(host=host, port=0))


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none") in fails("serve", tmp_path / "none", "--port", "0")


def test_a_folder_of_photos_is_no_index(street: Any) -> None:
    assert str(street.folder) in fails("serve", street.folder, "--port", "0")


def test_what_cannot_be_opened_is_said_before_it_serves(
    index_folder: Path, tmp_path: Path, model: Model
) -> None:
    assert model.folder is not None
    copies = iter(range(20))

    def sentence(spoil: Callable[[Path, Path], object]) -> str:
        base = tmp_path / str(next(copies))
        shutil.copytree(index_folder, base / "index")
        shutil.copytree(model.folder or "", base / "model")
        spoil(base / "index", base / "model")
        with pytest.raises(PlaceSearchError) as told:
            open_engine(base / "index", ServerSettings(model=base / "model"))
        said = str(told.value)
        assert said.endswith(".")
        assert "\n" not in said
        return said.replace(str(base), "")

    def unreadable(path: Path) -> None:
        path.unlink()
        path.mkdir()

    assert "/index does not exist" in sentence(lambda index, model: shutil.rmtree(index))
    assert "/index/manifest.json cannot be read" in sentence(
        lambda index, model: unreadable(index / "manifest.json")
    )
    assert "/index/manifest.json is damaged" in sentence(
        lambda index, model: (index / "manifest.json").write_text("{")
    )
    for name in ("descriptors.h5", "descriptors/00000.h5"):
        told = sentence(lambda index, model, name=name: (index / name).write_bytes(b"x"))  # type: ignore[misc]
        assert f"/index/{name} is missing or damaged" in told
        assert f"/index/{name}" in sentence(
            lambda index, model, name=name: (index / name).unlink()  # type: ignore[misc]
        )
    assert "There is no model" in sentence(lambda index, model: shutil.rmtree(model))
    for spoil in (Path.unlink, unreadable, lambda path: path.write_bytes(b"x")):
        told = sentence(lambda index, model, spoil=spoil: spoil(model / "f32.onnx"))  # type: ignore[misc]
        assert "/model/f32.onnx is missing or altered" in told
    with pytest.raises(PlaceSearchError, match=r"manifest\.json is a file; name the folder"):
        open_engine(index_folder / "manifest.json", ServerSettings())


@pytest.mark.parametrize("site", ["a.example", "https://a.example/", "https://a b", "file:///x"])
def test_names_that_nobody_asks_by_are_refused(site: str) -> None:
    with pytest.raises(ServerError, match="--cors"):
        ServerSettings(cors=[site])
    with pytest.raises(ServerError, match="--allowed-hosts"):
        ServerSettings(allowed_hosts=[f"https://{site}"])


def test_an_index_of_another_model_is_refused(index_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(find_model("lite0-netvlad-1024"), other)
    card = other / "card.toml"
    changed = card.read_text("utf-8").replace('resize = "area"', 'resize = "exact"')
    assert changed != card.read_text("utf-8")
    card.write_text(changed, "utf-8")
    sentence = fails("serve", index_folder, "--port", "0", "--model", other)
    assert "made with model" in sentence


def test_until_it_is_loaded_it_is_alive_but_not_ready(engine: Engine) -> None:
    go_on = threading.Event()

    def load() -> Engine:
        go_on.wait(SECONDS)
        return engine

    async def ask() -> None:
        app = create_app(load)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            assert (await client.get("/livez")).status_code == 200
            waiting = [
                await client.get("/readyz"),
                await client.get("/v1/index"),
                await client.get("/v1/places/0"),
                await client.get("/v1/places/0/thumbnail"),
                await client.post("/v1/search", files={"photo": b"x"}),
            ]
            for response in waiting:
                assert response.status_code == 503
                assert response.json()["type"] == "/problems/not-ready"
                assert response.headers["content-type"] == "application/problem+json"
                assert int(response.headers["retry-after"]) >= 1
            go_on.set()
            while (response := await client.get("/readyz")).status_code == 503:
                await asyncio.sleep(0.01)
            assert response.json()["status"] == "ready"

    asyncio.run(ask())


def test_others_are_answered_while_the_schema_is_made(engine: Engine) -> None:
    others_answered = threading.Event()

    async def ask() -> None:
        app = create_app(engine)
        make = app.openapi

        def make_late() -> dict[str, Any]:
            assert others_answered.wait(SECONDS)
            return make()

        app.openapi = make_late  # type: ignore[method-assign]
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            schema = asyncio.create_task(client.get("/openapi.json"))
            await asyncio.sleep(0)  # it begins
            assert (await client.get("/livez")).status_code == 200
            others_answered.set()
            assert (await schema).status_code == 200

    asyncio.run(ask())


def test_what_fails_to_load_is_kept_for_the_server_to_raise() -> None:
    def load() -> Engine:
        raise ModelError("There is no such model.")

    async def run() -> None:
        loaded = asyncio.Event()
        app = create_app(load, on_loaded=lambda _: loaded.set())
        async with app.router.lifespan_context(app):
            await asyncio.wait_for(loaded.wait(), SECONDS)
        assert isinstance(app.state.indexes["index"].service.failure, ModelError)

    asyncio.run(run())


def test_an_unexpected_error_is_a_problem_without_its_innards(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(engine)

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError("secret")

    @app.get("/unforeseen")
    def unforeseen() -> None:
        raise PlaceSearchError("secret")

    @app.get("/half")
    def half() -> StreamingResponse:
        def parts() -> Iterator[bytes]:
            yield b"half"
            raise ZeroDivisionError("secret")

        return StreamingResponse(parts())

    async def ask() -> tuple[httpx.Response, str]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            response = await client.get("/broken")
            assert (await client.get("/unforeseen")).json() == response.json()
            with pytest.raises(ZeroDivisionError):
                await client.get("/half")  # a server closes the connection then
            return response, (await client.get("/metrics")).text

    response, metrics = asyncio.run(ask())
    told = [json.loads(record.message) for record in caplog.records if "failed" in record.message]
    assert [line["route"] for line in told] == ["/broken", "/unforeseen", "/half"]
    assert told[0]["request_id"] == response.headers["x-request-id"]
    assert "ZeroDivisionError: secret" in told[0]["traceback"]
    assert 'place_search_problems_total{type="internal"} 3.0' in metrics
    assert 'route="/broken",status="500"' in metrics
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.json()["type"] == "/problems/internal"
    assert "secret" not in response.text


def slow_photo() -> bytes:
    """16 megapixels as a PNG, which take a good while to decode."""
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(np.tile(noise, (10, 10, 1))).save(out, "PNG", compress_level=1)
    return out.getvalue()


def test_more_searches_than_it_can_queue_are_shed(
    start_server: Callable[..., Any], index_folder: Path, street: Any
) -> None:
    server = start_server(index_folder, "--workers", "1", "--queue", "1", "--max-body-mb", "64")
    photo = slow_photo()

    def ask(_: int) -> httpx.Response:
        files = {"photo": ("slow.png", photo)}
        return httpx.post(f"{server.address}v1/search", files=files, timeout=SECONDS)

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(ask, range(8)))
    statuses = [response.status_code for response in responses]
    assert set(statuses) == {200, 429}
    for response in responses:
        if response.status_code == 429:
            assert response.json()["type"] == "/problems/busy"
            assert int(response.headers["retry-after"]) >= 1
    waits = [r.json()["timings_ms"]["queue"] for r in responses if r.status_code == 200]
    assert max(waits) > 10
    calm = httpx.post(
        f"{server.address}v1/search", files={"photo": street.query(3)}, timeout=SECONDS
    )
    assert calm.json()["results"][0]["name"] == "03.jpg"


def test_the_serving_path_imports_no_torch(index_folder: Path, street: Any) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from place_search.search.server.app import create_app\n"
        "from place_search.search.server.settings import ServerSettings\n"
        "from place_search.search.server.server import open_engine\n"
        "engine = open_engine(Path(sys.argv[1]), ServerSettings())\n"
        "create_app(engine)\n"
        "assert engine.search(Path(sys.argv[2]), k=1).results[0].name == '03.jpg'\n"
        "heavy = {'torch', 'ray', 'matplotlib', 'scipy', 'opentelemetry.sdk'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(index_folder), str(street.folder / "03.jpg")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
