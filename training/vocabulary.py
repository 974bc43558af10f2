"""Fits NetVLAD's vocabulary: samples local features, clusters them, initialises the layer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.network import Network
from place_search.photos import PhotoError, Preprocessing
from place_search.photos.decoding import MAX_PIXELS, decode_photo
from place_search.photos.preprocessing import resize_photo
from place_search.training.errors import TrainingError

FEATURES_A_PHOTO = 300
MIN_FEATURES_A_CENTROID = 39
"""The least number of features per centroid: with fewer, k-means fits the sample, not the world."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Clusters of L2-normalised local features.

    `centroids` is (K, C) float32; `mean` (C,) float32 is the mean local feature; `separation` is
    the argument of `NetVLAD.initialise`; `photos` and `samples` count the clustered data.
    """

    centroids: NDArray[np.float32]
    mean: NDArray[np.float32]
    separation: float
    photos: int
    samples: int


def sample_local_features(
    network: Network,
    photos: Iterable[Path],
    preprocessing: Preprocessing,
    *,
    seed: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[tuple[Path, NDArray[np.float32]]]:
    """Each readable photo with up to `FEATURES_A_PHOTO` random local features, (n, C) float32."""
    random = np.random.default_rng(seed)
    for path in photos:
        try:
            photo = decode_photo(path, target_size=preprocessing.size, max_pixels=max_pixels)
        except PhotoError:
            continue
        pixels = torch.tensor(resize_photo(photo, preprocessing))
        with torch.inference_mode():
            local = network.extract(pixels[None])[0].flatten(1).T.numpy()
        rows = random.choice(len(local), min(FEATURES_A_PHOTO, len(local)), replace=False)
        yield path, local[rows]


def fit_vocabulary(
    samples_a_photo: Iterable[NDArray[np.float32]],
    clusters: int,
    *,
    version: int = 1,
    seed: int = 1,
) -> Vocabulary:
    """Cluster local features by k-means into `clusters` centroids, for NetVLAD v1 or v2.

    Raises:
        TrainingError: too few photos for the number of clusters.
    """
    parts = list(samples_a_photo)
    needed = clusters * MIN_FEATURES_A_CENTROID
    count = sum(len(part) for part in parts)
    if count < needed:
        raise TrainingError(
            f"{len(parts)} photos gave {count} local features, too few for {clusters} clusters, "
            f"which need {needed}: give more photos or fewer --clusters."
        )
    samples = np.concatenate(parts)
    kmeans = faiss.Kmeans(
        samples.shape[1], clusters, niter=100, nredo=3, seed=seed, max_points_per_centroid=count
    )
    kmeans.train(samples)
    centroids = np.array(kmeans.centroids, dtype=np.float32)
    mean = samples.mean(axis=0, dtype=np.float64).astype(np.float32)
    separation = _separation(samples, centroids, version)
    return Vocabulary(centroids, mean, separation, photos=len(parts), samples=count)


def _separation(
    samples: NDArray[np.float32], centroids: NDArray[np.float32], version: int
) -> float:
    if version == 2:
        # −½ ‖x − c‖², without the term ½ ‖x‖² that is the same for all centroids.
        scores = samples @ centroids.T - 0.5 * (centroids**2).sum(axis=1)
        return 2 * _lead(scores)
    directions = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    return _lead(samples @ directions.T)


def _lead(scores: NDArray[np.float32]) -> float:
    """The mean over rows of the highest score minus the second highest."""
    highest = np.sort(scores, axis=1)[:, -2:]
    return float((highest[:, 1] - highest[:, 0]).mean(dtype=np.float64))


def apply_vocabulary(network: Network, vocabulary: Vocabulary) -> None:
    """Set a network's NetVLAD layer and its mean local feature."""
    netvlad_of(network).initialise(torch.from_numpy(vocabulary.centroids), vocabulary.separation)
    network.cell_mean.copy_(torch.from_numpy(vocabulary.mean))
