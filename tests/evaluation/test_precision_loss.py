"""What a model loses in int8 is measured on the model that is used."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.precision_loss import _CachingRuntime, _with_cache
from place_search.models import Embedding, open_model
from place_search.models.runtimes.base import Key


def test_the_measured_model_codes_local_features_as_the_opened_one(tmp_path: Path) -> None:
    opened = open_model("lite0-netvlad-1024", max_pixels=1_000_000)
    measured = _with_cache(opened, tmp_path, "descriptors")
    assert measured.directions is opened.directions is not None
    assert (measured.code_bytes, measured.max_pixels) == (7, 1_000_000)


class _Shapes:
    """A runtime that gives the shape of the pixels as the descriptor."""

    name = "shapes"

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        return Embedding(np.array(pixels.shape, np.float32))

    def stream(self, photos: Iterable[tuple[Key, Any]]) -> Iterator[tuple[Key, Embedding]]:
        return ((key, self.embed(pixels)) for key, pixels in photos)


def test_photos_of_equal_bytes_and_two_shapes_are_two(tmp_path: Path) -> None:
    runtime = _CachingRuntime(_Shapes(), tmp_path)
    for shape in ((48, 64, 3), (64, 48, 3)) * 2:
        assert runtime.embed(np.zeros(shape, np.uint8)).descriptor.tolist() == list(shape)
    assert len(list(tmp_path.iterdir())) == 2
