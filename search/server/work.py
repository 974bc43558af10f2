"""Bounded work off the event loop."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from place_search.search.errors import BusyError, TimedOutError

P = ParamSpec("P")
T = TypeVar("T")


class WorkQueue:
    """Runs up to `workers` jobs at once, lets up to `waiting` more wait, and refuses the rest.

    Who stops awaiting a job gives its place up: at once while it waits, else when it ends.
    """

    def __init__(self, name: str, *, workers: int, waiting: int, seconds: float = 60.0) -> None:
        """`seconds` bounds waiting and work together."""
        self.places = workers + waiting
        self.seconds = seconds
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._free = threading.BoundedSemaphore(self.places)
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def depth(self) -> int:
        """How many jobs run or wait."""
        return self._taken

    async def run(
        self, job: Callable[P, T], *arguments: P.args, **options: P.kwargs
    ) -> tuple[T, float]:
        """Run a job; returns its result and the milliseconds that it waited for a worker.

        Raises:
            BusyError: too many jobs are waiting, or this one waited too long.
            TimedOutError: the job began, but takes too long.
        """
        if not self._free.acquire(blocking=False):
            raise BusyError("The server has too many requests waiting; try again in a second.")
        submitted = time.perf_counter()
        with self._lock:
            self._taken += 1
        try:
            future = self._pool.submit(_timed, submitted, partial(job, *arguments, **options))
        except RuntimeError:  # closed
            self._release()
            raise BusyError("The server is stopping; ask another one.") from None
        future.add_done_callback(lambda _: self._release())
        try:
            async with asyncio.timeout(self.seconds) as limit:
                # Cancelled while it waits, it never begins.
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if not limit.expired():
                raise  # the job's own
            if not future.cancelled():
                raise TimedOutError(
                    f"The server could not answer within {self.seconds:g} s; try a smaller photo."
                ) from None
        raise BusyError("The server is too busy to begin with this request; try again later.")

    def _release(self) -> None:
        with self._lock:
            self._taken -= 1
        self._free.release()

    def close(self) -> None:
        """Drop what waits, and let what runs end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _timed(submitted: float, job: Callable[[], T]) -> tuple[T, float]:
    """Run a job; the milliseconds are those since it was submitted."""
    waited = (time.perf_counter() - submitted) * 1000
    return job(), waited
