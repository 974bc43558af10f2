"""The interface of runtimes, which turn pixels into descriptors and local features."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from place_search.models.errors import ModelError

Key = TypeVar("Key")
Mode: TypeAlias = Literal["latency", "throughput"]
"""The aim of a runtime: a short time for a photo, or a high rate of photos."""


class Embedding(NamedTuple):
    """A model's output for a photo.

    `descriptor` is (D,) float32 of L2 norm 1; `local_features` is (h, w, C) float32, centred on
    the mean of the model's fitting photos, row 0 at the top of the photo; None for a model without
    them. `directions` (C, bits) float32 are the model's own for codes of local features, if any.
    `black_frame` (h, w) bool masks features in a black frame, which would match those of any other
    black frame. `zoom` is `Preprocessing.box_zoom` for the features of a box, else 1.
    """

    descriptor: NDArray[np.float32]
    local_features: NDArray[np.float32] | None = None
    directions: NDArray[np.float32] | None = None
    black_frame: NDArray[np.bool_] | None = None
    zoom: float = 1.0

    @property
    def is_usable(self) -> bool:
        """Whether the descriptor is finite, and not zeros alone, which are equally far from all."""
        return bool(np.isfinite(self.descriptor).all() and self.descriptor.any())

    def with_local_features_of(self, other: "Embedding") -> "Embedding":
        """The embedding with the local features that another model gives of the same photo."""
        return other._replace(descriptor=self.descriptor)

    def require_local_features(self) -> NDArray[np.float32]:
        """The local features. Raises `ModelError` where the model gives none."""
        if self.local_features is None:
            raise ModelError("The model gives no local features; choose one that does.")
        return self.local_features


class Runtime(Protocol):
    """Runs a model's graph on a kind of hardware. Thread-safe."""

    name: str

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embed one photo: (h, w, 3) uint8 RGB at the size the card asks for."""

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """Embed many photos, several at once; results come in the order of `photos`."""
