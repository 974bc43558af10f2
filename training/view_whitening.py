"""Fits a whitening on views of photos: it reduces directions that differ between views of a place.

Within-class covariance normalisation (Hatch, Kajarekar & Stolcke, Interspeech 2006) with each photo
as a class of its own, its members drawn by `photos.altered_views`. A full whitening would amplify
directions that few photos support, so both steps use smaller powers.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, svd

from place_search.core.progress import Progress, silent
from place_search.models import Model
from place_search.photos.altered_views import (
    Pixels,
    change_day,
    lower_resolution,
    make_night,
    move,
)
from place_search.training.data.viewed_photos import ViewedPhoto, photo_parts
from place_search.training.errors import TrainingError
from place_search.training.whitening import WhiteningFit, require_samples

VIEWS = 5
"""Views of a photo: unaltered, two by night, one by another day, one of low resolution."""
PRINCIPAL = 4096
"""The number of principal directions that are used; the others are mostly noise."""
WITHIN_POWER = 0.125
"""The power of the variance between views of one photo that directions are divided by."""
SPREAD_POWER = 0.15
"""The power of the remaining variance that directions are divided by; ½ would whiten in full."""
FLOOR = 0.1
"""A share of the mean variance between views that is added to each variance, since few photos give
a poor estimate of some."""
FEATURES_A_VIEW = 50
"""The number of local features sampled from each view."""
CODE_DIRECTIONS = 56
"""Bits of a local feature's code."""
CODE_POWER = 0.25
"""The power of their variance that the directions of codes are divided by; ½ would whiten."""


class DescribedViews(NamedTuple):
    """A model's output for views of P photos or parts of photos.

    `descriptors` are (P, `VIEWS`, D) float16; `local_features` are a sample from each view, of norm
    1, (n, C) float16, None where the model gives none.
    """

    descriptors: NDArray[np.float16]
    local_features: NDArray[np.float16] | None


def views_of(photos: Sequence[ViewedPhoto]) -> int:
    """The number of views of photos and their crops."""
    return sum(1 + photo.crops for photo in photos) * VIEWS


def describe_views(
    photos: Sequence[ViewedPhoto], model: Model, *, seed: int = 0, progress: Progress = silent
) -> DescribedViews:
    """Describe views of photos and of parts of them.

    Raises:
        PhotoError: a photo is missing or cannot be read.
    """
    count = views_of(photos)
    described = np.empty((count, model.card.dims), np.float16)
    samples = []
    views = ((row, view) for row, view in enumerate(_draw_all(photos, model, seed)))
    for row, embedding in model.stream(views):
        described[row] = embedding.descriptor
        if embedding.local_features is not None:
            samples.append(_sample(embedding.local_features, (seed, row)))
        progress("Describing", row + 1, count)
    local = np.concatenate(samples) if samples else None
    return DescribedViews(described.reshape(-1, VIEWS, model.card.dims), local)


def _sample(features: NDArray[np.float32], seed: tuple[int, int]) -> NDArray[np.float16]:
    """`FEATURES_A_VIEW` of (h, w, C) local features, of norm 1."""
    rows = features.reshape(-1, features.shape[2])
    sample = rows[np.random.default_rng(seed).integers(len(rows), size=FEATURES_A_VIEW)]
    norms = np.linalg.norm(sample, axis=1, keepdims=True)
    normalised: NDArray[np.float16] = (sample / np.maximum(norms, 1e-9)).astype(np.float16)
    return normalised


def fit_directions(
    local_features: NDArray[np.float16] | None, *, seed: int = 0
) -> NDArray[np.float32] | None:
    """The directions whose signs code a local feature, (C, `CODE_DIRECTIONS`), from (n, C) samples.

    They are the principal directions, scaled to more equal variance and rotated at random, so that
    all bits are equally informative (the start of ITQ; Gong & Lazebnik, CVPR 2011). None for
    features of too few channels.
    """
    if local_features is None or local_features.shape[1] <= CODE_DIRECTIONS:
        return None
    rows = local_features.astype(np.float32)
    values, directions = _strongest(rows.T @ rows / np.float32(len(rows)), CODE_DIRECTIONS)
    normal = np.random.default_rng(seed).standard_normal((CODE_DIRECTIONS, CODE_DIRECTIONS))
    turn, _ = np.linalg.qr(normal)
    return np.ascontiguousarray(directions * values**-CODE_POWER @ turn, np.float32)


def fit_view_whitening(descriptors: NDArray[np.float16], dims: int) -> WhiteningFit:
    """Fit on (P, V, D) descriptors of V views of each of P photos or parts of photos.

    With the covariance S of all, and W of the deviations from each photo's mean, both in the
    strongest `PRINCIPAL` eigenvectors B of S: M = B U (w + floor)^-`WITHIN_POWER` for W = U w Uᵀ;
    then the strongest `dims` eigenvectors of Mᵀ S M, each divided by λ^`SPREAD_POWER`.

    Raises:
        TrainingError: too few samples, or descriptors of fewer than `dims` dimensions.
    """
    photos, views, width = descriptors.shape
    samples = photos * views
    if dims > min(width, PRINCIPAL):
        raise TrainingError(
            f"The descriptors have {width} dimensions, so they cannot be whitened to {dims} by "
            f"views; choose --dims {min(width, PRINCIPAL)} or fewer."
        )
    require_samples(samples, "views", dims)
    rows = descriptors.reshape(-1, width).astype(np.float32)
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows -= mean
    values, basis = _principal(rows, min(PRINCIPAL, width, samples - 1))
    total = float(np.square(rows).sum(dtype=np.float64)) / samples
    projected = (rows @ basis.astype(np.float32)).astype(np.float64)
    del rows
    of_photos = projected.reshape(photos, views, -1)
    deviations = (of_photos - of_photos.mean(axis=1, keepdims=True)).reshape(photos * views, -1)
    within_covariance = deviations.T @ deviations / (photos * (views - 1))
    within_values, directions = _strongest(within_covariance, len(within_covariance))
    floor = FLOOR * float(within_values.mean())
    scaled = directions * (within_values + floor) ** -WITHIN_POWER
    remaining_values, remaining_vectors = _strongest((scaled.T * values) @ scaled, dims)
    matrix = (basis @ (scaled @ (remaining_vectors * remaining_values**-SPREAD_POWER))).T
    # Scale rows to a mean length of 1, whatever the descriptors' own scale.
    matrix /= np.linalg.norm(matrix, axis=1).mean()
    return WhiteningFit(
        matrix=np.ascontiguousarray(matrix, np.float32),
        offset=(-matrix @ mean.astype(np.float64)).astype(np.float32),
        samples=samples,
        variance_kept=float(values.sum()) / total,
    )


def _principal(
    rows: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenvalues of the covariance of centred rows, and their eigenvectors."""
    if len(rows) >= rows.shape[1]:
        return _strongest(rows.T @ rows / np.float32(len(rows)), count)
    _, singular, directions = svd(rows.astype(np.float64), full_matrices=False, check_finite=False)
    return np.square(singular[:count]) / len(rows), directions[:count].T


def _strongest(
    covariance: NDArray[np.floating], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenvalues, falling, and their eigenvectors (D, count), of fixed signs."""
    side = len(covariance)
    values, vectors = eigh(
        covariance.astype(np.float64), subset_by_index=(side - count, side - 1), check_finite=False
    )
    values, vectors = np.maximum(values[::-1], 1e-12), vectors[:, ::-1]
    return values, vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(count)])


def _draw_all(photos: Sequence[ViewedPhoto], model: Model, seed: int) -> Iterator[Pixels]:
    """The views of each photo and of its crops, `VIEWS` at a time, prepared for the model."""
    for number, photo in enumerate(photos):
        random = np.random.default_rng((seed, number))
        for part in photo_parts(photo, random, max_pixels=model.max_pixels):
            yield from _draw(model.prepare(part), random)


def _draw(pixels: Pixels, random: np.random.Generator) -> Iterator[Pixels]:
    """The `VIEWS` views of one photo at its size."""
    height, width = pixels.shape[:2]
    size = width, height
    yield pixels
    yield make_night(move(pixels, size, random), random)
    yield make_night(pixels, random)
    yield change_day(move(pixels, size, random), random)
    yield lower_resolution(move(pixels, size, random, least=0.8), random)
