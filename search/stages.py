"""The stages of a request's work: how long each took, and whether it may change anything yet."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from place_search.search.errors import TimedOutError


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its name, when it began by `time.perf_counter`, and the seconds it took."""

    name: str
    began: float
    seconds: float


class Stages:
    """What one request has done so far; the clock runs from when it is made."""

    def __init__(self) -> None:
        self.done: list[Stage] = []
        self._began = time.perf_counter()
        self._lock = threading.Lock()
        self._committed = self._given_up = False

    def commit(self) -> None:
        """Say that the work changes something from here on: now its request waits for its end.

        Raises:
            TimedOutError: nobody waits any more; the work must change nothing.
        """
        with self._lock:
            if self._given_up:
                raise TimedOutError("Nobody waits for this work any more.")
            self._committed = True

    def give_up(self) -> bool:
        """Let the work change nothing; False where it has begun to."""
        with self._lock:
            self._given_up = not self._committed
            return self._given_up

    def begin(self) -> None:
        """The work begins: until now the request has waited, which is the stage "queue"."""
        self.done.append(Stage("queue", self._began, time.perf_counter() - self._began))

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time a stage, also where it fails."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.done.append(Stage(name, began, time.perf_counter() - began))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Commit, and time what follows as the stage "change". Raises as `commit` does."""
        self.commit()
        with self.timed("change"):
            yield

    def milliseconds(self) -> dict[str, float]:
        """Milliseconds by stage, of those that there were."""
        sums: dict[str, float] = {}
        for stage in self.done:
            sums[stage.name] = sums.get(stage.name, 0.0) + stage.seconds * 1000
        return {name: round(value, 3) for name, value in sums.items()}

    def total_ms(self) -> float:
        """Milliseconds since the beginning."""
        return round((time.perf_counter() - self._began) * 1000, 3)
