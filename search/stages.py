"""The stages of a request's work: their durations, and whether it may change anything yet."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from place_search.search.errors import TimedOutError


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: its name, its beginning by `time.perf_counter`, and its duration in seconds."""

    name: str
    began: float
    seconds: float


class Stages:
    """The finished stages of one request; the clock runs from the creation of this object."""

    def __init__(self) -> None:
        self.finished: list[Stage] = []
        self._began = time.perf_counter()
        self._lock = threading.Lock()
        self._committed = self._given_up = False

    def commit(self) -> None:
        """Declare that the work changes data from now on: its request then waits for its end.

        Raises:
            TimedOutError: the request has timed out; the work must change nothing.
        """
        with self._lock:
            if self._given_up:
                raise TimedOutError("Nobody waits for this work any more.")
            self._committed = True

    def give_up(self) -> bool:
        """Forbid the work to change data; False where it has begun to."""
        with self._lock:
            self._given_up = not self._committed
            return self._given_up

    def begin(self) -> None:
        """Begin the work: the time until now is the stage "queue"."""
        self.finished.append(Stage("queue", self._began, time.perf_counter() - self._began))

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure the duration of a stage, even of one that fails."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.finished.append(Stage(name, began, time.perf_counter() - began))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Commit, and time the `with` block as the stage "change". Raises as `commit` does."""
        self.commit()
        with self.timed("change"):
            yield

    def milliseconds(self) -> dict[str, float]:
        """Milliseconds by the names of the finished stages."""
        sums: dict[str, float] = {}
        for stage in self.finished:
            sums[stage.name] = sums.get(stage.name, 0.0) + stage.seconds * 1000
        return {name: round(value, 3) for name, value in sums.items()}

    def total_ms(self) -> float:
        """Milliseconds since the beginning."""
        return round((time.perf_counter() - self._began) * 1000, 3)
