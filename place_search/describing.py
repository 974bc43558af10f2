"""Descriptors of photos, without an index."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.models import Model


def describe_photos(
    photos: Sequence[Path | bytes], model: Model, *, progress: Progress = silent
) -> NDArray[np.float32]:
    """The descriptors of photos, one row a photo in their order: (N, D) float32, L2 norm 1.

    Raises:
        PhotoError: a photo cannot be read.
    """
    descriptors = np.empty((len(photos), model.card.dims), dtype=np.float32)
    for row, embedding in model.stream(_prepared(photos, model)):
        descriptors[row] = embedding.descriptor
        progress("Describing", row + 1, len(photos))
    return descriptors


def _prepared(
    photos: Sequence[Path | bytes], model: Model
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for row, photo in enumerate(photos):
        yield row, model.prepare(model.read(photo))
