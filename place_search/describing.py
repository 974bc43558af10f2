"""Descriptors of photos, without an index."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.models import Model


def describe_photos(
    photos: Sequence[Path | bytes],
    model: Model,
    *,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.float32]:
    """The descriptors of photos, one row a photo in their order: (N, D) float32, L2 norm 1.

    Raises:
        PhotoError: a photo cannot be read.
    """

    def prepared() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for row, photo in enumerate(photos):
            yield row, model.prepare(model.read(photo))

    descriptors = np.empty((len(photos), model.card.dims), dtype=np.float32)
    for row, embedding in model.stream(prepared()):
        descriptors[row] = embedding.descriptor
        advance(row + 1, len(photos))
    return descriptors
