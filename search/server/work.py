"""Bounded work off the event loop, shared fairly between clients."""

import asyncio
import math
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from place_search.search.errors import BusyError, TimedOutError

T = TypeVar("T")

SLOW_SECONDS = 1.0
"""The seconds of a client's last job above which its jobs run one at a time: jobs that long would
wait for each other anyway."""
CLIENTS_REMEMBERED = 1000
LONGEST_WAIT = 60
"""The most seconds after which a refused client is asked to come again."""
_NEWEST = 0.1
"""The weight of the last job in the mean time of recent jobs."""


def _always() -> bool:
    """The `give_up` of a job that changes nothing: it can be given up at any time."""
    return True


class WorkQueue:
    """Runs up to `workers` jobs of a client at once, lets `waiting` more wait, refuses the rest.

    A free worker takes a job of the client with the fewest running jobs. `spare` further workers
    serve other clients while one client keeps `workers` busy. When all places of the queue are
    taken, the client with the most places loses a waiting job to a client with fewer.

    A job whose caller stops awaiting it leaves the queue: at once while it waits, else when it
    ends.
    """

    def __init__(
        self,
        name: str,
        *,
        workers: int,
        waiting: int,
        spare: int = 0,
        seconds: float = 60.0,
        patience: float = 60.0,
    ) -> None:
        """`seconds` bounds waiting and work together, `patience` waiting alone."""
        self.places = workers + waiting
        self.seconds = seconds
        self._patience = patience
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers + spare, thread_name_prefix=name)
        self._lock = threading.RLock()
        self._job_seconds: float | None = None
        """The mean time of recent jobs."""
        self._waiting: dict[str, deque[_Job]] = {}
        self._running: Counter[str] = Counter()
        self._places_of: Counter[str] = Counter()
        self._slow: OrderedDict[str, None] = OrderedDict()

    @property
    def depth(self) -> int:
        """The number of jobs that run or wait."""
        return self._places_of.total()

    async def run(
        self, job: Callable[[], T], *, client: str = "", give_up: Callable[[], bool] = _always
    ) -> tuple[T, float]:
        """Run a job of a client; returns its result and the milliseconds that it waited.

        `give_up` tells a running job that nobody waits for it any more. Where it returns False the
        job changes something already, and its end is awaited however long it takes.

        Raises:
            BusyError: too many jobs are waiting, or this job waited too long.
            TimedOutError: the job began, but takes too long.
        """
        submitted = self._submit(client, job)
        future = submitted.future
        timer = asyncio.get_running_loop().call_later(self._patience, self._give_up, submitted)
        try:
            async with asyncio.timeout(self.seconds) as limit:
                # A job that is cancelled while it waits never begins.
                result: tuple[T, float] = await asyncio.wrap_future(future)
                return result
        except TimeoutError:
            if not limit.expired():
                raise  # the job's own
            if not future.cancelled():
                if not give_up():
                    return await asyncio.wrap_future(future)
                raise TimedOutError(
                    f"The server could not answer within {self.seconds:g} s; try a smaller photo."
                ) from None
        except asyncio.CancelledError:
            give_up()
            raise
        finally:
            timer.cancel()
        raise self._late_error()

    def _give_up(self, job: "_Job") -> None:
        """Refuse a job that still waits."""
        with self._lock:
            if job.waits:
                job.future.set_exception(self._late_error())

    def _submit(self, client: str, call: Callable[[], Any]) -> "_Job":
        job = _Job(client, call, self)
        with self._lock:
            if self.depth >= self.places:
                self._make_room(client)
            self._places_of[client] += 1
            self._waiting.setdefault(client, deque()).append(job)
        try:
            self._pool.submit(self._work)
        except RuntimeError:  # closed
            job.future.cancel()
            raise BusyError("The server is stopping; ask another one.") from None
        return job

    def _make_room(self, client: str) -> None:
        """Refuse the newest waiting job of the client with the most places, or the new job."""
        waiting = [job for jobs in self._waiting.values() for job in jobs if job.waits]
        newest = max(waiting, key=self._weight, default=None)
        if newest is None or self._places_of[newest.client] <= self._places_of[client] + 1:
            raise self._refused_error()
        newest.future.set_exception(self._refused_error())

    def _late_error(self) -> BusyError:
        seconds = self._wait_seconds()
        return BusyError(
            f"The server is too busy to begin with this request; try again in {seconds} s.", seconds
        )

    def _refused_error(self) -> BusyError:
        seconds = self._wait_seconds()
        return BusyError(
            f"The server has too many requests waiting; try again in {seconds} s.", seconds
        )

    def _wait_seconds(self) -> int:
        """The seconds after which the jobs that are here now should be done, at least 1."""
        seconds = self.depth * (self._job_seconds or 0.0) / self._workers
        return min(max(math.ceil(seconds), 1), LONGEST_WAIT)

    def _weight(self, job: "_Job") -> tuple[int, float]:
        return self._places_of[job.client], job.submitted

    def _work(self) -> None:
        """Do jobs until none may run."""
        while (job := self._next()) is not None:
            began = time.perf_counter()
            try:
                job.do(began)
            finally:
                self._end(job.client, time.perf_counter() - began)

    def _next(self) -> "_Job | None":
        with self._lock:
            for client in sorted(self._waiting, key=self._running.__getitem__):
                if self._running[client] >= self._max_running(client):
                    continue
                jobs = self._waiting[client]
                while jobs:
                    job = jobs.popleft()
                    if job.future.set_running_or_notify_cancel():
                        self._running[client] += 1
                        # Among clients with equally many running jobs, this client is now last.
                        self._waiting[client] = self._waiting.pop(client)
                        return job
                del self._waiting[client]
        return None

    def _max_running(self, client: str) -> int:
        """The number of jobs of a client that may run at once."""
        return 1 if client in self._slow else self._workers

    def _end(self, client: str, seconds: float) -> None:
        with self._lock:
            recent = seconds if self._job_seconds is None else self._job_seconds
            self._job_seconds = recent + _NEWEST * (seconds - recent)
            self._running[client] -= 1
            if not self._running[client]:
                del self._running[client]
            if seconds > SLOW_SECONDS:
                self._slow[client] = None
                if len(self._slow) > CLIENTS_REMEMBERED:
                    self._slow.popitem(last=False)
            elif client in self._slow:
                del self._slow[client]
                with suppress(RuntimeError):  # closed
                    self._pool.submit(self._work)  # more of its jobs may run again

    def release(self, job: "_Job") -> None:
        """Give up a job's place in the queue, and the job itself where it has not begun."""
        with self._lock:
            self._places_of[job.client] -= 1
            if not self._places_of[job.client]:
                del self._places_of[job.client]
            waiting = self._waiting.get(job.client, ())
            if waiting and job in waiting:
                waiting.remove(job)
                if not waiting:
                    del self._waiting[job.client]

    def close(self) -> None:
        """Drop the waiting jobs, and let the running jobs end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            waiting = [job for jobs in self._waiting.values() for job in jobs]
            self._waiting.clear()
        for job in waiting:
            job.future.cancel()


class _Job:
    """A call of a client, which has a place in a queue until its future is done."""

    def __init__(self, client: str, call: Callable[[], Any], queue: WorkQueue) -> None:
        self.client = client
        self.future: Future[tuple[Any, float]] = Future()
        self.future.add_done_callback(self._release)
        self._call = call
        self._queue = queue
        self.submitted = time.perf_counter()

    @property
    def waits(self) -> bool:
        """Whether the job has neither begun nor been given up."""
        return not (self.future.running() or self.future.done())

    def do(self, began: float) -> None:
        """Run the call; the future gets its result and the milliseconds that the job waited."""
        try:
            result = self._call()
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result((result, (began - self.submitted) * 1000))

    def _release(self, _future: "Future[Any]") -> None:
        self._queue.release(self)
