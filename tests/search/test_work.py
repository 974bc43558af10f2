"""The queue: who waits, who is refused, who gives up."""

import asyncio
import gc
import threading
import time
import weakref
from functools import partial
from types import SimpleNamespace

import pytest
from starlette.types import Message, Receive, Scope, Send

from place_search.search.engine import Engine
from place_search.search.errors import BusyError, TimedOutError
from place_search.search.server import work
from place_search.search.server.app import create_app
from place_search.search.server.middleware.disconnects import Disconnects
from place_search.search.server.settings import ServerSettings
from place_search.search.server.work import WorkQueue
from tests.search.asking import asker
from tests.waiting import SECONDS, until


def test_it_takes_as_many_as_it_may_and_refuses_the_rest() -> None:
    async def run() -> None:
        queue = WorkQueue("t", workers=1, waiting=1)
        go_on = threading.Event()
        running = [asyncio.create_task(queue.run(lambda: go_on.wait(SECONDS))) for _ in range(2)]
        await until(lambda: queue.depth == 2, "they do not come")
        assert queue.places == 2
        held = time.monotonic()
        with pytest.raises(BusyError):
            await queue.run(lambda: True)
        await until(lambda: time.monotonic() > held + 0.04, "time stands still")
        go_on.set()
        waits = [waited for _, waited in await asyncio.gather(*running)]
        assert waits[1] > 30 > waits[0]
        await until(lambda: queue.depth == 0, "a place stays taken")
        queue.close()

    asyncio.run(run())


def test_clients_take_turns_whoever_came_first() -> None:
    async def run() -> None:
        queue = WorkQueue("t", workers=1, waiting=9)
        go_on = threading.Event()
        order: list[str] = []
        first = asyncio.create_task(queue.run(lambda: go_on.wait(SECONDS), client="a"))
        tasks = [
            asyncio.create_task(queue.run(partial(order.append, client), client=client))
            for client in ("a", "a", "a", "b", "c")
        ]
        await until(lambda: queue.depth == 6, "they do not come")
        go_on.set()
        await asyncio.gather(first, *tasks)
        assert set(order[:3]) == {"a", "b", "c"}
        assert order[3:] == ["a", "a"]
        queue.close()

    asyncio.run(run())


def test_a_client_that_keeps_all_workers_leaves_the_spare_one() -> None:
    async def run() -> None:
        queue = WorkQueue("t", workers=2, waiting=9, spare=1)
        go_on = threading.Event()
        hogs = [
            asyncio.create_task(queue.run(lambda: go_on.wait(SECONDS), client="hog"))
            for _ in range(5)
        ]
        await until(lambda: queue.depth == 5, "they do not come")
        result, _ = await queue.run(lambda: 7, client="other")
        assert result == 7
        assert queue.depth == 5
        go_on.set()
        await asyncio.gather(*hogs)
        queue.close()

    asyncio.run(run())


def test_a_job_that_nobody_awaits_holds_nothing() -> None:
    """Not even while its client's only worker is busy."""

    class Call:
        def __call__(self) -> None:
            pytest.fail("nobody awaits it")

    async def run() -> None:
        queue = WorkQueue("t", workers=1, waiting=2)
        go_on = threading.Event()
        first = asyncio.create_task(queue.run(lambda: go_on.wait(SECONDS), client="a"))
        await until(lambda: queue.depth == 1, "it does not come")
        call = Call()
        watched = weakref.ref(call)
        task = asyncio.create_task(queue.run(call, client="a"))
        del call
        await until(lambda: queue.depth == 2, "it does not come")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task

        def is_gone() -> bool:
            gc.collect()
            return watched() is None

        await until(is_gone, "the queue holds it")
        go_on.set()
        await first
        queue.close()

    asyncio.run(run())


def test_who_has_the_most_places_gives_one_to_others() -> None:
    async def run() -> None:
        queue = WorkQueue("t", workers=1, waiting=3)
        go_on = threading.Event()
        hogs = [
            asyncio.create_task(queue.run(lambda: go_on.wait(SECONDS), client="hog"))
            for _ in range(4)
        ]
        await until(lambda: queue.depth == 4, "they do not come")
        with pytest.raises(BusyError):
            await queue.run(lambda: 7, client="hog")
        other = asyncio.create_task(queue.run(lambda: 7, client="other"))
        done, _ = await asyncio.wait(hogs, return_when=asyncio.FIRST_COMPLETED)
        assert [type(task.exception()) for task in done] == [BusyError]
        go_on.set()
        assert (await other)[0] == 7
        queue.close()

    asyncio.run(run())


def test_whose_jobs_are_slow_runs_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "SLOW_SECONDS", 0.0)

    async def run() -> None:
        queue = WorkQueue("t", workers=3, waiting=9)
        running: list[int] = [0]
        most: list[int] = []
        lock = threading.Lock()

        def job() -> None:
            with lock:
                running[0] += 1
                most.append(running[0])
            threading.Event().wait(0.002)
            with lock:
                running[0] -= 1

        await queue.run(job, client="slow")
        # The answer is there a moment before the queue has taken note.
        await until(lambda: "slow" in queue._slow, "nobody is slow")
        most.clear()
        await asyncio.gather(*(queue.run(job, client="slow") for _ in range(6)))
        assert max(most) == 1
        queue.close()

    asyncio.run(run())


def test_who_gives_up_waiting_frees_the_place_at_once() -> None:
    async def run() -> None:
        queue = WorkQueue("t", workers=1, waiting=1)
        go_on = threading.Event()
        done = []
        running = asyncio.create_task(queue.run(lambda: go_on.wait(SECONDS)))
        await until(lambda: queue.depth == 1, "it does not run")
        waiting = asyncio.create_task(queue.run(lambda: done.append(1)))
        await until(lambda: queue.depth == 2, "it does not wait")
        waiting.cancel()
        await asyncio.wait([waiting])
        assert queue.depth == 1
        running.cancel()
        await asyncio.wait([running])
        assert queue.depth == 1, "what runs has its place until it ends"
        go_on.set()
        await until(lambda: not queue.depth, "a place stays taken")
        assert not done
        queue.close()

    asyncio.run(run())


def test_time_is_bounded_waiting_and_working() -> None:
    async def run() -> None:
        queue = WorkQueue("t", workers=1, waiting=1, seconds=0.1)
        go_on = threading.Event()
        answers = await asyncio.gather(
            queue.run(lambda: go_on.wait(SECONDS)),
            queue.run(lambda: go_on.wait(SECONDS)),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [TimedOutError, BusyError]
        assert queue.depth == 1
        go_on.set()
        await until(lambda: not queue.depth, "a place stays taken")
        result, _ = await queue.run(lambda: 7)
        assert result == 7
        queue.close()
        with pytest.raises(BusyError, match="stopping"):
            await queue.run(lambda: 7)

    asyncio.run(run())


def test_who_waits_too_long_is_refused_and_who_works_is_not() -> None:
    async def run() -> None:
        queue = WorkQueue("t", workers=1, waiting=1, patience=0.1)
        go_on = threading.Event()
        works = asyncio.create_task(queue.run(lambda: go_on.wait(SECONDS)))
        await asyncio.sleep(0)  # submits it
        with pytest.raises(BusyError, match="too busy to begin"):
            await queue.run(lambda: True)
        assert (works.done(), queue.depth) == (False, 1)
        go_on.set()
        assert (await works)[0] is True
        queue.close()

    asyncio.run(run())


def test_who_is_refused_is_told_when_those_before_should_be_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(work, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def eight_seconds() -> None:
        now[0] += 8

    async def run() -> None:
        queue = WorkQueue("t", workers=2, waiting=1)
        await queue.run(eight_seconds, client="a")
        await until(lambda: not queue.depth, "a place stays taken")
        go_on = threading.Event()
        jobs = [
            asyncio.create_task(queue.run(lambda: go_on.wait(SECONDS), client=client))
            for client in "abc"
        ]
        await until(lambda: queue.depth == 3, "they do not come")
        with pytest.raises(BusyError, match="try again in 12 s") as told:
            await queue.run(lambda: True, client="a")
        assert told.value.seconds == 12  # three jobs of 8 s by two workers
        now[0] += 1000
        go_on.set()
        await asyncio.gather(*jobs)
        queue.close()

    asyncio.run(run())


def test_the_answer_to_a_refused_request_says_when_and_ends_the_connection(engine: Engine) -> None:
    app = create_app(engine)

    @app.get("/full")
    def full() -> None:
        raise BusyError("Full.", 7)

    answer = asker(app)("GET", "/full")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.headers["connection"] == "close"


def test_what_a_job_raises_comes_out() -> None:
    async def run() -> None:
        queue = WorkQueue("t", workers=1, waiting=0, seconds=5)

        def fail() -> None:
            raise TimeoutError("its own")

        with pytest.raises(TimeoutError, match="its own"):
            await queue.run(fail)
        queue.close()

    asyncio.run(run())


def test_pictures_may_wait_even_where_searches_may_not(engine: Engine) -> None:
    app = create_app(engine, ServerSettings(queue=0, workers=1))
    service = app.state.indexes["index"].service
    assert service.searches.places == 1
    assert service.images.places > 60
    started = time.monotonic()
    service.close()
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("path", ["places?q=a", "places?bbox=0,0,1,1", "places", "groups"])
def test_lists_wait_in_a_queue_as_pictures_do(
    engine: Engine, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(engine)
    ask = asker(app)
    assert ask("GET", f"/v1/{path}").status_code == 200
    monkeypatch.setattr(app.state.indexes["index"].service.images, "places", 0)
    assert ask("GET", f"/v1/{path}").status_code == 429


@pytest.mark.parametrize("leaves", [True, False])
def test_only_who_leaves_before_the_answer_is_given_up(leaves: bool) -> None:
    left, seen = asyncio.Event(), asyncio.Event()
    finished: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if leaves:
                left.set()
                await asyncio.Event().wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x"})
            left.set()
            await seen.wait()
            for _ in range(10):  # turns of the loop in which it could be given up
                await asyncio.sleep(0)
            finished.append("tidied up")
        except asyncio.CancelledError:
            finished.append("cancelled")
            raise

    async def receive() -> Message:
        await left.wait()
        seen.set()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        return None

    asyncio.run(Disconnects(app)({"type": "http", "headers": []}, receive, send))
    assert finished == ["cancelled" if leaves else "tidied up"]
