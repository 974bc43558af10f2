"""Work whose request has timed out changes nothing, and clients do not send it again."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from place_search.indexer import Index, open_index
from place_search.models import Model
from place_search.photos import Decoder
from place_search.search.engine import Engine
from place_search.search.errors import TimedOutError
from place_search.search.server.app import create_app
from place_search.search.server.settings import ServerSettings
from place_search.search.server.work import WorkQueue
from place_search.search.stages import Stages
from place_search_client import AsyncClient, Client, ProblemError
from tests.held import Gate, running
from tests.search.writable import index_of_street
from tests.waiting import SECONDS, until, wait_until

SOON = 0.2
"""Seconds that the requests here may take."""


@pytest.mark.slow
def test_a_frame_that_timed_out_is_not_of_the_track(
    index: Index, model: Model, street: Any
) -> None:
    gate, frames = Gate(), []

    def decode(photo: Any, **_: Any) -> Any:
        frames.append(photo)
        gate.wait()
        return model.read(photo)

    app = create_app(Engine(index, model, decode=decode), ServerSettings())
    service = app.state.indexes["index"].service
    with running(app, gate) as address, Client(address) as client, client.track() as track:
        service.searches.seconds = SOON
        with pytest.raises(ProblemError) as late:
            track.add(street.query(1))
        assert (late.value.status, late.value.type) == (503, "/problems/timed-out")
        assert len(frames) == 1

        async def send() -> None:
            async with AsyncClient(address) as other:
                await other.search(street.query(1))

        with pytest.raises(ProblemError, match="could not answer within"):
            asyncio.run(send())
        assert len(frames) == 2
        gate.open()
        wait_until(lambda: not service.searches.depth, "the work does not end")
        assert track.path() == []
        service.searches.seconds = SECONDS
        assert track.add(street.query(1)).frame == 0


@pytest.mark.slow
def test_a_place_whose_request_timed_out_is_not_added(
    street: Any, model: Model, tmp_path: Path
) -> None:
    gate = Gate()

    class SlowDecoder(Decoder):
        def photo(self, *arguments: Any, **options: Any) -> Any:
            gate.wait()
            return super().photo(*arguments, **options)

    folder = index_of_street(tmp_path, street, model, ["0.jpg", "1.jpg"])

    def load(_: Engine | None = None) -> Engine:
        return Engine(open_index(folder), model)

    app = create_app(
        load, ServerSettings(writable=True), decoder=SlowDecoder(workers=1), index_folder=folder
    )
    service = app.state.indexes["index"].service
    service.changes.seconds = SOON
    with running(app, gate) as address, httpx.Client(base_url=address, timeout=SECONDS) as client:
        wait_until(lambda: service.loaded, "the index is not loaded")
        files, key = {"photo": street.query(5)}, {"Idempotency-Key": "one"}
        late = client.post("/v1/places", files=files, headers=key)
        assert (late.status_code, late.json()["type"]) == (503, "/problems/timed-out")
        gate.open()
        wait_until(lambda: not service.changes.depth, "the work does not end")
        assert open_index(folder).count == 2
        service.changes.seconds = SECONDS
        assert client.post("/v1/places", files=files, headers=key).status_code == 201
        assert open_index(folder).count == 3


@pytest.mark.parametrize("leaves", [True, False])
def test_work_that_has_begun_to_change_something_is_awaited(leaves: bool) -> None:
    async def run() -> None:
        queue, gate, stages = WorkQueue("t", workers=1, waiting=1, seconds=0.05), Gate(), Stages()

        def change() -> str:
            with stages.changing():
                gate.wait()
                return "changed"

        asked = asyncio.create_task(queue.run(change, give_up=stages.give_up))
        await until(gate.reached.is_set, "it does not begin")
        assert not stages.give_up()
        if leaves:
            asked.cancel()
            await asyncio.wait([asked])
            assert asked.cancelled()
        else:
            limit = time.monotonic() + 2 * queue.seconds
            await until(lambda: time.monotonic() > limit, "time stands still")
            assert not asked.done()
        gate.open()
        if not leaves:
            assert (await asked)[0] == "changed"
        await until(lambda: not queue.depth, "it does not end")
        assert stages.finished
        queue.close()

    asyncio.run(run())


def test_who_leaves_before_a_change_leaves_nothing_changed() -> None:
    async def run() -> None:
        queue, gate, stages = WorkQueue("t", workers=1, waiting=1), Gate(), Stages()
        refused = []

        def change() -> None:
            gate.wait()
            try:
                stages.commit()
            except TimedOutError as error:
                refused.append(error)

        asked = asyncio.create_task(queue.run(change, give_up=stages.give_up))
        await until(gate.reached.is_set, "it does not begin")
        asked.cancel()
        await asyncio.wait([asked])
        gate.open()
        await until(lambda: not queue.depth, "it does not end")
        assert refused
        queue.close()

    asyncio.run(run())
