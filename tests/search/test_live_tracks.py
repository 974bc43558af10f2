"""Live tracks over HTTP, and what keeps them few."""

import asyncio
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from place_search.indexer import Index, open_index
from place_search.search.engine import Engine
from place_search.search.errors import BusyError, UnknownTrackError
from place_search.search.server import app
from place_search.search.server.content.track_schemas import (
    TrackedFrameReply,
    TrackPathReply,
    TrackReply,
)
from place_search.search.tracks import observer as observing
from place_search.search.tracks import open_tracks
from place_search.search.tracks.observer import Observer
from place_search.search.tracks.open_tracks import EXPIRES_S, OpenTracks
from place_search_client import AsyncClient, Client, ProblemError, Track, TrackInfo
from tests.search.conftest import RunningServer
from tests.waiting import SECONDS


def send(client: httpx.Client, track_id: str, photo: bytes) -> httpx.Response:
    return client.post(f"/v1/tracks/{track_id}/frames", files={"photo": photo})


def test_a_track_tells_where_the_camera_is_now(client: httpx.Client, street: Any) -> None:
    opened = client.post("/v1/tracks")
    assert opened.status_code == 201
    track = TrackReply.model_validate(opened.json())
    assert opened.headers["Location"] == f"/v1/tracks/{track.track_id}"
    assert track.frames == 0
    for number, place in enumerate(range(1, 6)):
        reply = send(client, track.track_id, street.query(place))
        assert reply.status_code == 200
        told = TrackedFrameReply.model_validate(reply.json())
        assert (told.frames, told.frame.frame) == (number + 1, number)
        assert told.frame.place == f"{place:02d}.jpg"
    assert told.frame.position is not None
    assert told.frame.heading is not None
    path = TrackPathReply.model_validate(client.get(f"/v1/tracks/{track.track_id}").json())
    assert [frame.place for frame in path.path] == [f"{place:02d}.jpg" for place in range(1, 6)]
    assert client.delete(f"/v1/tracks/{track.track_id}").status_code == 204
    gone = send(client, track.track_id, street.query(1))
    assert gone.status_code == 404
    assert gone.json()["type"] == "/problems/unknown-track"
    assert client.delete(f"/v1/tracks/{track.track_id}").status_code == 404


def test_a_frame_that_cannot_be_read_changes_nothing(client: httpx.Client, street: Any) -> None:
    track_id = client.post("/v1/tracks").json()["track_id"]
    send(client, track_id, street.query(2))
    assert send(client, track_id, street.query(3)[:2000]).status_code == 422
    assert send(client, track_id, b"").status_code == 400
    assert client.get(f"/v1/tracks/{track_id}").json()["frames"] == 1
    assert client.post(f"/v1/tracks/{track_id}/frames?k=3").status_code == 400
    client.delete(f"/v1/tracks/{track_id}")


def test_an_answer_counts_no_frames_of_later_requests(engine: Engine, street: Any) -> None:
    class Overtaken:
        """A lock that lets another request in as soon as it is free."""

        def __init__(self) -> None:
            self.lock, self.waiting = threading.Lock(), True

        def __enter__(self) -> None:
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()
            if self.waiting:
                self.waiting = False
                track.add(street.query(2))

    track = OpenTracks().open(engine)
    track.lock = cast(threading.Lock, Overtaken())
    answer = track.add(street.query(1))
    assert (answer["frames"], answer["frame"]["frame"]) == (1, 0)
    assert track.about()["frames"] == 2


def test_tracks_that_nobody_asks_for_close_by_themselves(engine: Engine) -> None:
    now = [0.0]
    tracks = OpenTracks(clock=lambda: now[0])
    first, second = tracks.open(engine), tracks.open(engine)
    assert first.track_id != second.track_id
    assert first.live.observer is second.live.observer
    now[0] = EXPIRES_S - 1
    assert tracks.find(second.track_id) is second
    now[0] = EXPIRES_S + 1
    with pytest.raises(UnknownTrackError, match="after 10 minutes without a request"):
        tracks.find(first.track_id)
    assert tracks.find(second.track_id) is second


def test_a_replaced_index_goes_with_its_last_track(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MEMORY_SECONDS", 0)
    now = [0.0]
    served = app.create_app(engine)
    service = served.state.indexes["index"].service
    service.tracks = tracks = OpenTracks(clock=lambda: now[0])
    old = Engine(open_index(engine.index.folder), engine.model)
    tracks.open(old)
    index = weakref.ref(old.index)
    del old
    now[0] = EXPIRES_S + 1  # and nobody asks for a track any more

    async def serve() -> None:
        async with served.router.lifespan_context(served):
            while index() is not None:
                await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(serve(), SECONDS))


def test_tracks_that_open_at_once_share_what_is_known_of_the_index(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    tracks = OpenTracks()
    lock, second = tracks._observing, threading.Event()

    class Counted:
        """The lock; the second thread is known to have come to it."""

        def __enter__(self) -> None:
            if not lock.acquire(blocking=False):
                second.set()
                lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    def counted(index: Index) -> Observer:
        made.append(index)
        assert second.wait(SECONDS)
        return Observer(index)

    monkeypatch.setattr(tracks, "_observing", Counted())
    monkeypatch.setattr(observing, "Observer", counted)
    with ThreadPoolExecutor(2) as pool:
        opened = list(pool.map(tracks.open, [engine, engine]))
    assert made == [engine.index]
    assert opened[0].live.observer is opened[1].live.observer


def test_there_are_only_so_many_tracks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_tracks, "MAX_TRACKS", 2)
    tracks = OpenTracks()
    kept = [tracks.open(engine) for _ in range(2)]
    with pytest.raises(BusyError, match="2 tracks are open already"):
        tracks.open(engine)
    tracks.close(kept[0].track_id)
    assert tracks.open(engine).track_id != kept[0].track_id


def test_tracks_are_shared_between_clients(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_tracks, "MAX_TRACKS", 3)
    tracks = OpenTracks()
    first, second, third = (tracks.open(engine, client="a") for _ in range(3))
    tracks.find(first.track_id)
    mine = tracks.open(engine, client="b")
    with pytest.raises(UnknownTrackError):
        tracks.find(second.track_id)
    with pytest.raises(BusyError, match="3 tracks are open already"):
        tracks.open(engine, client="b")
    assert [tracks.find(kept.track_id) for kept in (first, third, mine)] == [first, third, mine]


def test_the_client_follows_a_track(server: RunningServer, street: Any, tmp_path: Path) -> None:
    (tmp_path / "frame.jpg").write_bytes(street.query(1))
    with Client(server.address) as client:
        with client.track() as track:
            first = track.add(tmp_path / "frame.jpg")
            told = [first, *(track.add(street.query(place)) for place in range(2, 5))]
            assert [frame.place for frame in told] == [f"{place:02d}.jpg" for place in range(1, 5)]
            assert told[-1].position is not None
            assert track.path() == told
        with pytest.raises(ProblemError) as gone:
            track.add(street.query(1))
        assert gone.value.type == "/problems/unknown-track"
        track.close()


def test_an_error_in_the_block_is_the_one_that_comes_out() -> None:
    opened = TrackInfo("t", "i", "m", 0)
    with Client("http://127.0.0.1:1") as client:
        with pytest.raises(ZeroDivisionError), Track(client, opened):
            raise ZeroDivisionError
        with pytest.raises(httpx.ConnectError):
            Track(client, opened).close()


def test_the_client_follows_a_track_with_asyncio(server: RunningServer, street: Any) -> None:
    async def follow() -> None:
        async with AsyncClient(server.address) as client:
            async with await client.track() as track:
                told = [await track.add(street.query(place)) for place in range(1, 4)]
                assert [frame.place for frame in told] == ["01.jpg", "02.jpg", "03.jpg"]
                assert await track.path() == told
            await track.aclose()
            with pytest.raises(ProblemError):
                await track.path()

    asyncio.run(follow())
