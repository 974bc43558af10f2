"""How a long run says how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Is told how far a run is."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` are done in this stage; the first call says where it starts."""


def silent(stage: str, done: int, total: int) -> None:
    """Report progress to nobody."""
