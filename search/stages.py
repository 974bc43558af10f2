"""The stages of a request's work: which there were, and how long each took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


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

    def milliseconds(self) -> dict[str, float]:
        """Milliseconds by stage, of those that there were."""
        sums: dict[str, float] = {}
        for stage in self.done:
            sums[stage.name] = sums.get(stage.name, 0.0) + stage.seconds * 1000
        return {name: round(value, 3) for name, value in sums.items()}

    def total_ms(self) -> float:
        """Milliseconds since the beginning."""
        return round((time.perf_counter() - self._began) * 1000, 3)
