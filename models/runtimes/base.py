"""What a runtime does: pixels in, descriptor and cells out."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key")
Mode: TypeAlias = Literal["latency", "throughput"]
"""What counts: one photo's time, or many photos' rate."""


class Embedding(NamedTuple):
    """What a model says of one photo.

    `descriptor` is (D,) float32 of L2 norm 1; `cells` is (h, w, C) float32, centred on the mean
    cell of the model's fitting photos, row 0 at the top of the photo.
    """

    descriptor: NDArray[np.float32]
    cells: NDArray[np.float32]


class Runtime(Protocol):
    """Runs one model's graph on one kind of hardware. Thread-safe."""

    name: str

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embed one photo: (h, w, 3) uint8 RGB at the size the card asks for."""
        ...

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """Embed many photos, several at once; results come in the order of `photos`."""
        ...
