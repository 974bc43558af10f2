"""Fit NetVLAD's vocabulary: sample cells, cluster them, set the layer from the clusters."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.network import Network
from place_search.photos import PhotoError, Preprocessing
from place_search.photos.decoding import decode_photo
from place_search.photos.preprocessing import resize_photo
from place_search.training.errors import TrainingError

CELLS_A_PHOTO = 300
# Below this many cells a centroid, k-means describes the sample rather than the world.
MIN_CELLS_A_CENTROID = 39


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Clusters of L2-normalised cells.

    `centroids` is (K, C) float32; `cell_mean` (C,) float32 is the mean cell; `separation` is what
    `NetVLAD.initialise` takes; `photos` and `cells` say how much was seen.
    """

    centroids: NDArray[np.float32]
    cell_mean: NDArray[np.float32]
    separation: float
    photos: int
    cells: int


def sample_cells(
    network: Network,
    photos: Iterable[Path],
    preprocessing: Preprocessing,
    *,
    seed: int = 0,
    skipped: Callable[[Path, PhotoError], None],
) -> Iterator[NDArray[np.float32]]:
    """For each readable photo, up to `CELLS_A_PHOTO` random cells, (n, C) float32."""
    random = np.random.default_rng(seed)
    for path in photos:
        try:
            photo = decode_photo(path, needed=preprocessing.size)
        except PhotoError as error:
            skipped(path, error)
            continue
        pixels = torch.tensor(resize_photo(photo, preprocessing))
        with torch.inference_mode():
            cells = network.cells(pixels[None])[0].flatten(1).T.numpy()
        chosen = random.choice(len(cells), min(CELLS_A_PHOTO, len(cells)), replace=False)
        yield cells[chosen]


def fit_vocabulary(
    samples: Iterable[NDArray[np.float32]], clusters: int, *, version: int = 1, seed: int = 1
) -> Vocabulary:
    """Cluster cells by k-means into `clusters` centroids, for NetVLAD v1 or v2.

    Raises:
        TrainingError: too few photos for so many clusters.
    """
    parts = list(samples)
    needed = clusters * MIN_CELLS_A_CENTROID
    found = sum(len(part) for part in parts)
    if found < needed:
        raise TrainingError(
            f"{len(parts)} photos gave {found} cells, too few for {clusters} clusters, which need "
            f"{needed}: give more photos or fewer --clusters."
        )
    cells = np.concatenate(parts)
    kmeans = faiss.Kmeans(
        cells.shape[1], clusters, niter=100, nredo=3, seed=seed, max_points_per_centroid=len(cells)
    )
    kmeans.train(cells)
    centroids = np.array(kmeans.centroids, dtype=np.float32)
    return Vocabulary(
        centroids=centroids,
        cell_mean=cells.mean(axis=0, dtype=np.float64).astype(np.float32),
        separation=_separation(cells, centroids, version),
        photos=len(parts),
        cells=len(cells),
    )


def _separation(cells: NDArray[np.float32], centroids: NDArray[np.float32], version: int) -> float:
    if version == 2:
        # Half of ‖x − c‖² less what is the same for all centroids, with the sign turned.
        scores = cells @ centroids.T - 0.5 * (centroids**2).sum(axis=1)
        return 2 * _lead(scores)
    directions = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    return _lead(cells @ directions.T)


def _lead(scores: NDArray[np.float32]) -> float:
    """The mean over rows of the highest score minus the second highest."""
    highest = np.sort(scores, axis=1)[:, -2:]
    return float((highest[:, 1] - highest[:, 0]).mean(dtype=np.float64))


def apply_vocabulary(network: Network, vocabulary: Vocabulary) -> None:
    """Set a network's NetVLAD layer and its mean cell."""
    netvlad_of(network).initialise(torch.from_numpy(vocabulary.centroids), vocabulary.separation)
    network.cell_mean.copy_(torch.from_numpy(vocabulary.cell_mean))
