"""Bounded work off the event loop."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from search.errors import BusyError

T = TypeVar("T")


class WorkQueue:
    """Runs up to `workers` jobs at once, lets up to `waiting` more wait, and refuses the rest."""

    def __init__(self, name: str, *, workers: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._places = threading.BoundedSemaphore(workers + waiting)

    async def run(self, job: Callable[[], T]) -> tuple[T, float]:
        """Run a job; returns its result and the milliseconds that it waited for a worker.

        Raises:
            BusyError: too many jobs are waiting.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError("The server has too many requests waiting; try again in a second.")
        submitted = time.perf_counter()

        def timed() -> tuple[T, float]:
            waited = (time.perf_counter() - submitted) * 1000
            return job(), waited

        future = self._pool.submit(timed)
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what waits, and let what runs end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
