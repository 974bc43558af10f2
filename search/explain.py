"""The steps from a photo to its descriptor, as numbers that can be drawn."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from place_search.models.netvlad_vocabulary import Vocabulary, read_vocabulary
from place_search.photos import Photo
from place_search.photos.photo import Size
from place_search.search.stages import Stages

if TYPE_CHECKING:
    from place_search.models import Model

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Explanation:
    """The steps of a NetVLAD model from a photo to its descriptor.

    `photo` and `seen` are (width, height) in pixels, of the upright photo and of the network's
    input; `assignment` (h, w) is the cluster with the largest share in each local feature;
    `sums` (K, C) are the residuals summed up by each cluster, and `descriptor` (D,) the sums as one
    vector, or fewer numbers where the model whitens it.
    """

    model: str
    photo: Size
    seen: Size
    assignment: NDArray[np.int64]
    sums: NDArray[np.float32]
    descriptor: NDArray[np.float32]

    def to_dict(self) -> dict[str, Any]:
        """The answer of POST /v1/explain."""
        rows, columns = self.assignment.shape
        clusters, channels = self.sums.shape
        norms = np.linalg.norm(self.sums, axis=1)
        return {
            "model": self.model,
            "photo": dict(zip(("width", "height"), self.photo, strict=True)),
            "seen": dict(zip(("width", "height"), self.seen, strict=True)),
            "grid": {"columns": columns, "rows": rows},
            "clusters": clusters,
            "channels": channels,
            "dims": self.descriptor.size,
            "assignment": self.assignment.tolist(),
            "cluster_norms": np.round(norms.astype(float), DIGITS).tolist(),
            "sums": np.round(self.sums.astype(float), DIGITS).tolist(),
            "descriptor": np.round(self.descriptor.astype(float), DIGITS).tolist(),
        }


def explain(model: "Model", photo: Photo, stages: Stages | None = None) -> Explanation:
    """Embed a decoded photo, and assign each cell to a cluster.

    Raises:
        VocabularyError: the model has no NetVLAD vocabulary.
    """
    vocabulary = _vocabulary(model.folder)
    width, height = model.card.preprocessing.size(photo.width, photo.height)
    with (stages or Stages()).timed("embed"):
        embedding = model.alone().embed(photo)
    descriptor, features = embedding.descriptor, embedding.require_local_features()
    return Explanation(
        model=model.card.id,
        photo=(photo.width, photo.height),
        seen=(width, height),
        assignment=vocabulary.assign(features),
        sums=vocabulary.sums(features),
        descriptor=descriptor,
    )


@lru_cache(maxsize=2)
def _vocabulary(folder: Path | None) -> Vocabulary:
    return read_vocabulary(folder)
