"""How a long run says how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Is told how far a run is."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` are done in this stage; the first call says where it starts."""


def silent(stage: str, done: int, total: int) -> None:
    """Report progress to nobody."""


def renamed(progress: Progress, name: str) -> Progress:
    """Progress of a part of a run, whose stages have all the name of the part."""
    return lambda stage, done, total: progress(name, done, total)
