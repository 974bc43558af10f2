"""A model's NetVLAD layer, read and computed without torch."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from place_search.models.errors import VocabularyError

WEIGHTS_NAME = "weights.safetensors"


class Vocabulary(NamedTuple):
    """The layer of NetVLAD (Arandjelović et al., CVPR 2016, eq. 3 and 4).

    `directions` and `centroids` are (K, C) float32, `bias` (K,) float32, zero in NetVLAD v1;
    `cell_mean` (C,) float32 is the mean that the model subtracts from its local features.
    """

    directions: NDArray[np.float32]
    bias: NDArray[np.float32]
    centroids: NDArray[np.float32]
    cell_mean: NDArray[np.float32]

    def assign(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """The cluster with the largest share of each feature: (h, w, C) centred to (h, w)."""
        return np.asarray(np.argmax(self._scores(features), axis=-1), dtype=np.int64)

    def sums(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The sums of residuals by cluster, (K, C), of (h, w, C) centred features; of norm 1."""
        rows = (features + self.cell_mean).reshape(-1, features.shape[-1])
        scores = self._scores(features).reshape(len(rows), -1)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        residuals = shares.T @ rows - shares.sum(axis=0)[:, None] * self.centroids
        residuals /= np.maximum(np.linalg.norm(residuals, axis=1, keepdims=True), 1e-12)
        return np.asarray(residuals / np.linalg.norm(residuals), np.float32)

    def _scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = (features + self.cell_mean) @ self.directions.T + self.bias
        return np.asarray(scores, np.float32)


def read_vocabulary(folder: Path | None) -> Vocabulary:
    """The vocabulary of a model folder.

    Raises:
        VocabularyError: the folder keeps no weights, or the model does not pool with NetVLAD.
    """
    try:
        if folder is None:
            raise FileNotFoundError
        with safe_open(folder / WEIGHTS_NAME, framework="numpy") as weights:
            directions = weights.get_tensor("pool.assignment.weight")
            clusters, channels = directions.shape[:2]
            names = set(weights.keys())
            bias = (
                weights.get_tensor("pool.assignment.bias")
                if "pool.assignment.bias" in names
                else np.zeros(clusters)
            )
            centroids = weights.get_tensor("pool.centroids")
            mean = weights.get_tensor("cell_mean")
    except (OSError, SafetensorError):
        model = "This model" if folder is None else f"{folder.name}"
        raise VocabularyError(
            f"{model} holds no NetVLAD vocabulary that could be shown; serve an index of a NetVLAD "
            "model."
        ) from None
    return Vocabulary(
        directions.reshape(clusters, channels).astype(np.float32),
        bias.astype(np.float32),
        centroids.astype(np.float32),
        mean.astype(np.float32),
    )
