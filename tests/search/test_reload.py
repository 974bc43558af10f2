"""A new version of the index under load: no failed request, no mixed answer."""

import asyncio
import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
import pytest

from place_search.indexer import Index, build_index, edit_place, open_index, open_source
from place_search.models import Model
from place_search.photos import Decoder
from place_search.search.engine import Engine
from place_search.search.index_calibration import IndexCalibration, write_index_calibration
from place_search.search.server import reload
from place_search.search.server.app import create_app
from place_search.search.server.reload import Reloader, version_on_disk
from place_search.search.server.server import open_engine
from place_search.search.server.settings import ServerSettings
from place_search.search.server.state import ServerState, Shared
from place_search.search.server.writer import Writer
from place_search.search.stages import Stages
from tests.waiting import SECONDS, wait_until


@pytest.fixture(scope="module")
def versions(
    street: Any, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Two indexes of one street: one of its first five places, one of the last six."""
    folder = tmp_path_factory.mktemp("versions")
    found = []
    for name, places in (("a", range(5)), ("b", range(3, 9))):
        photos = folder / f"photos-{name}"
        photos.mkdir()
        for place in places:
            shutil.copy(street.folder / f"{place:02d}.jpg", photos)
        build_index(open_source(photos), folder / name, model)
        found.append(folder / name)
    return found[0], found[1]


def put(version: Path, folder: Path) -> None:
    """Put a version in the place of another as the indexer does: the manifest last, by renaming."""
    index_id = json.loads((version / "manifest.json").read_bytes())["index_id"]
    for file in sorted(version.rglob("*")):
        name = file.relative_to(version)
        if file.is_dir() or name.name == "manifest.json":
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        waiting = target.with_name(f"{target.name}.{index_id}.new")
        shutil.copy(file, waiting)
        waiting.rename(target)
    waiting = folder / "manifest.json.new"
    shutil.copy(version / "manifest.json", waiting)
    waiting.rename(folder / "manifest.json")


def wait_for(client: httpx.Client, meets: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What `/readyz` says once it meets something."""
    said: list[dict[str, Any]] = []

    def met() -> bool:
        said.append(client.get("/readyz").json())
        return meets(said[-1])

    wait_until(met, "/readyz never said so")
    return said[-1]


def names(version: Path) -> tuple[str, set[str]]:
    index: Index = open_index(version)
    return index.index_id, {place.name for place in index.places()}


def test_versions_follow_each_other_under_load(
    start_server: Callable[..., Any], versions: tuple[Path, Path], street: Any, tmp_path: Path
) -> None:
    places = dict(names(version) for version in versions)
    ids = list(places)
    folder = tmp_path / "index"
    shutil.copytree(versions[0], folder)
    server = start_server(folder, "--queue", "64", measured=False)
    process = psutil.Process(server.process.pid)
    stop = threading.Event()
    seen: list[str] = []

    def press(number: int) -> None:
        with httpx.Client(base_url=server.address, timeout=SECONDS) as client:
            while not stop.is_set():
                files = {"photo": ("a", street.query(number))}
                response = client.post("/v1/search", params={"k": 3}, files=files)
                assert response.status_code == 200, response.text
                body = response.json()
                seen.append(body["index_id"])
                for result in body["results"]:
                    assert result["name"] in places[body["index_id"]]
                    assert result["thumbnail_url"].endswith(body["index_id"])

    with (
        httpx.Client(base_url=server.address, timeout=SECONDS) as client,
        ThreadPoolExecutor(3) as pool,
    ):
        pressed = [pool.submit(press, number) for number in range(3, 6)]
        files = 0
        for turn in range(6):
            version = (turn + 1) % 2
            put(versions[version], folder)
            wait_for(client, lambda body, version=version: body["index_id"] == ids[version])  # type: ignore[misc]
            if turn == 1:
                files = process.num_fds()
        stop.set()
        for done in pressed:
            done.result()
        assert set(seen) == set(ids)
        assert process.num_fds() <= files + 8, "old versions are closed"
        assert 'reloads_total{result="served"} 6.0' in client.get("/metrics").text
    server.stop()


def test_twenty_versions_follow_each_other_under_load(
    versions: tuple[Path, Path], street: Any, tmp_path: Path
) -> None:
    """Faster than a server looks, with as many searches as fit between."""
    places = dict(names(version) for version in versions)
    ids = list(places)
    folder = tmp_path / "index"
    shutil.copytree(versions[0], folder)

    def load(served: Engine | None = None) -> Engine:
        return open_engine(folder, ServerSettings(), served=served)

    app = create_app(load, index_folder=folder, poll_seconds=0.01)
    seen: list[str] = []

    async def press(client: httpx.AsyncClient) -> None:
        while True:
            files = {"photo": ("a", street.query(4))}
            body = (await client.post("/v1/search", params={"k": 3}, files=files)).json()
            seen.append(body["index_id"])
            assert {result["name"] for result in body["results"]} <= places[body["index_id"]]

    async def run() -> None:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
        ):
            while (await client.get("/readyz")).status_code == 503:
                await asyncio.sleep(0.01)
            pressing = [asyncio.create_task(press(client)) for _ in range(2)]
            for turn in range(20):
                wanted = (turn + 1) % 2
                await asyncio.to_thread(put, versions[wanted], folder)
                async with asyncio.timeout(20):
                    while seen[-1:] != [ids[wanted]]:
                        assert not any(task.done() for task in pressing), "a search failed"
                        await asyncio.sleep(0.01)
            for task in pressing:
                task.cancel()
            await asyncio.gather(*pressing, return_exceptions=True)

    asyncio.run(run())
    assert sum(a != b for a, b in pairwise(seen)) >= 19


def test_a_broken_version_is_refused_and_said(
    start_server: Callable[..., Any], versions: tuple[Path, Path], street: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    shutil.copytree(versions[0], folder)
    server = start_server(folder)
    with httpx.Client(base_url=server.address, timeout=SECONDS) as client:

        def results() -> Any:
            return client.post("/v1/search", files={"photo": ("a", street.query(4))}).json()

        before = results()
        whole = (folder / "manifest.json").read_bytes()
        for broken in (b"{}", whole.replace(b'"places"', b'"palaces"', 1), whole[:200], None):
            if broken is None:
                (folder / "manifest.json").unlink()
            else:
                (folder / "manifest.new").write_bytes(broken)
                (folder / "manifest.new").rename(folder / "manifest.json")
            refused = wait_for(client, lambda body: "refused" in body)
            assert refused["index_id"] == before["index_id"]
            assert "the log says why" in refused["refused"]
            assert results()["results"] == before["results"]
            (folder / "manifest.new").write_bytes(whole)
            (folder / "manifest.new").rename(folder / "manifest.json")
            wait_for(client, lambda body: "refused" not in body)
        put(versions[1], folder)
        wait_for(client, lambda body: body["index_id"] != before["index_id"])
    server.stop()
    events = [json.loads(line) for line in server.text().splitlines() if line.startswith("{")]
    assert [event["event"] for event in events].count("index refused") == 4
    assert events[-1]["event"] == "index replaced"
    assert events[-1]["was"] == before["index_id"]


@pytest.fixture
def state(versions: tuple[Path, Path], model: Model, tmp_path: Path) -> ServerState:
    """What serves an index of its own."""
    index = open_index(shutil.copytree(versions[0], tmp_path / "index"))
    options = ServerSettings()
    return ServerState(Engine(index, model), options, Shared(options))


def test_a_change_that_is_served_already_is_not_opened_again(
    state: ServerState, model: Model
) -> None:
    folder = state.engine.index.folder
    notes = []

    def load(_: Engine) -> Engine:
        index = open_index(folder)
        notes.append(index.place(0).note)
        return Engine(index, model)

    async def follow() -> None:
        reloader = Reloader(state, folder, load, poll_seconds=0)
        edit_place(folder, 0, {"note": "by the server"})
        state.replace(Engine(open_index(folder), model))
        watching = asyncio.create_task(reloader.run())
        while reloader.seen != version_on_disk(folder):
            await asyncio.sleep(0)
        await asyncio.to_thread(edit_place, folder, 0, {"note": "beside it"})
        while not notes:
            await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(asyncio.wait_for(follow(), SECONDS))
    assert notes == ["beside it"]


def test_a_version_is_opened_once(state: ServerState, model: Model) -> None:
    """The reloader sees a version that a change of the server has made, and is about to open."""
    folder = state.engine.index.folder
    begun, may_end = threading.Event(), threading.Event()
    versions: list[str] = []

    def load(_: Engine) -> Engine:
        index = open_index(folder)
        versions.append(index.place(0).note)
        begun.set()
        assert may_end.wait(SECONDS)
        return Engine(index, model)

    writer = Writer(state, folder, cast(Decoder, None), load)

    async def change() -> None:
        reloader = Reloader(state, folder, load, poll_seconds=0)  # has seen the first version
        edit = partial(writer.edit, 0, {"note": "once"}, None, stages=Stages())
        changing = asyncio.create_task(asyncio.to_thread(edit))
        await asyncio.to_thread(begun.wait, SECONDS)
        watching = asyncio.create_task(reloader.run())
        while reloader.seen != version_on_disk(folder):
            await asyncio.sleep(0)
        may_end.set()
        assert (await changing)[1].note == "once"
        await asyncio.to_thread(edit_place, folder, 0, {"note": "elsewhere"})
        while state.engine.index.place(0).note != "elsewhere":
            await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(asyncio.wait_for(change(), SECONDS))
    assert versions == ["once", "elsewhere"]


def test_two_changes_at_one_time_of_the_disk_are_served(
    state: ServerState, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAT counts times in steps of two seconds, and a disk may use an inode number again."""
    folder = state.engine.index.folder
    notes = iter(["one", "two"])

    def look(folder: Path) -> tuple[tuple[int, ...], ...]:
        for note in notes:
            edit_place(folder, 0, {"note": note})
            return ((1, 2, 3),)
        return ((1, 2, 3),)

    async def follow() -> None:
        def load(_: Engine) -> Engine:
            return Engine(open_index(folder), model)

        reloader = Reloader(state, folder, load, poll_seconds=0)
        monkeypatch.setattr(reload, "version_on_disk", look)
        watching = asyncio.create_task(reloader.run())
        while state.engine.index.place(0).note != "two":
            await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(asyncio.wait_for(follow(), SECONDS))


def test_a_new_calibration_is_served(state: ServerState, model: Model) -> None:
    folder = state.engine.index.folder
    measured = replace(state.engine.calibration, threshold=0.875)

    async def follow() -> None:
        def load(_: Engine) -> Engine:
            return Engine(open_index(folder), model)

        watching = asyncio.create_task(Reloader(state, folder, load, poll_seconds=0).run())
        write_index_calibration(state.engine.index, IndexCalibration(measured, 5, 5))
        while state.engine.calibration != measured:
            await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(asyncio.wait_for(follow(), SECONDS))


def test_an_index_built_again_in_place_is_served(
    start_server: Callable[..., Any], street: Any, model: Model, tmp_path: Path
) -> None:
    photos, folder = tmp_path / "photos", tmp_path / "index"
    photos.mkdir()
    for place in range(3):
        shutil.copy(street.folder / f"{place:02d}.jpg", photos)
    build_index(open_source(photos), folder, model)
    server = start_server(folder)
    with httpx.Client(base_url=server.address, timeout=SECONDS) as client:
        shutil.copy(street.folder / "05.jpg", photos)
        build_index(open_source(photos), folder, model)
        body = wait_for(client, lambda body: body["places"] == 4)
        reply = client.post("/v1/search", files={"photo": ("a", street.query(5))}).json()
    server.stop()
    assert reply["index_id"] == body["index_id"]
    assert reply["results"][0]["name"] == "05.jpg"
