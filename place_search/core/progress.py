"""Progress of long runs."""

from typing import Protocol


class Progress(Protocol):
    """A function that is called as a run progresses."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` items of a stage are done; the first call gives the starting count."""


def silent(stage: str, done: int, total: int) -> None:
    """Ignore progress."""


def unheard(sentence: str) -> None:
    """Ignore a sentence on a run."""


def renamed(progress: Progress, name: str) -> Progress:
    """Progress of a part of a run, with `name` in place of the names of its stages."""
    return lambda stage, done, total: progress(name, done, total)
