"""Fit a whitening on views of photos: what differs between views of one place is made small.

Within-class covariance normalisation (Hatch, Kajarekar & Stolcke, Interspeech 2006) with each photo
as a class of its own, its members drawn by `photos.altered_views`. Whitening in full makes much of
directions that few photos support, so both steps stop short of it.
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
"""As it is, two by night, one by another day, one of low resolution."""
KEPT = 4096
"""Principal directions that the covariances are compared in; the others are mostly noise."""
WITHIN_POWER = 0.125
"""Directions are divided by the variance between views of one photo to this power."""
SPREAD_POWER = 0.15
"""And then by the variance that is left to this one; ½ would be a whitening in full."""
FLOOR = 0.1
"""Added to the variances between views, as a share of their mean: few photos say little of some."""
SPOTS = 50
"""Local features that are taken of each view."""
CODE_DIRECTIONS = 56
"""Bits of a local feature's code."""
CODE_POWER = 0.25
"""The directions of codes are divided by their variance to this power; ½ would be a whitening."""


class DescribedViews(NamedTuple):
    """What a model says of views of P photos or parts of photos.

    `descriptors` are (P, `VIEWS`, D) float16; `local_features` are some of each view, of norm 1,
    (n, C) float16, None where the model gives none.
    """

    descriptors: NDArray[np.float16]
    local_features: NDArray[np.float16] | None


def views_of(photos: Sequence[ViewedPhoto]) -> int:
    """How many views are drawn of photos and their crops."""
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
    spots = []
    views = ((row, view) for row, view in enumerate(_draw_all(photos, model, seed)))
    for row, embedding in model.stream(views):
        described[row] = embedding.descriptor
        if embedding.local_features is not None:
            spots.append(_some(embedding.local_features, (seed, row)))
        progress("Describing", row + 1, count)
    local = np.concatenate(spots) if spots else None
    return DescribedViews(described.reshape(-1, VIEWS, model.card.dims), local)


def _some(features: NDArray[np.float32], seed: tuple[int, int]) -> NDArray[np.float16]:
    """`SPOTS` of (h, w, C) local features, of norm 1."""
    rows = features.reshape(-1, features.shape[2])
    chosen = rows[np.random.default_rng(seed).integers(len(rows), size=SPOTS)]
    norms = np.linalg.norm(chosen, axis=1, keepdims=True)
    some: NDArray[np.float16] = (chosen / np.maximum(norms, 1e-9)).astype(np.float16)
    return some


def fit_directions(
    local_features: NDArray[np.float16] | None, *, seed: int = 0
) -> NDArray[np.float32] | None:
    """The directions whose signs code a local feature, (C, `CODE_DIRECTIONS`), of (n, C) of them.

    They are the principal ones, of more equal variance and then turned at random, so that each bit
    says as much as any other (where ITQ begins; Gong & Lazebnik, CVPR 2011). None for features that
    are too narrow to have so many.
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
    strongest `KEPT` eigenvectors B of S: M = B U (w + floor)^-`WITHIN_POWER` for W = U w Uᵀ; then
    the strongest `dims` eigenvectors of Mᵀ S M, each divided by λ^`SPREAD_POWER`.

    Raises:
        TrainingError: too few samples, or fewer dimensions than asked for.
    """
    photos, views, width = descriptors.shape
    samples = photos * views
    if dims > min(width, KEPT):
        raise TrainingError(
            f"The descriptors have {width} dimensions, so they cannot be whitened to {dims} by "
            f"views; choose --dims {min(width, KEPT)} or fewer."
        )
    require_samples(samples, "views", dims)
    rows = descriptors.reshape(-1, width).astype(np.float32)
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows -= mean
    values, basis = _principal(rows, min(KEPT, width, samples - 1))
    total = float(np.square(rows).sum(dtype=np.float64)) / samples
    inside = (rows @ basis.astype(np.float32)).astype(np.float64)
    del rows
    apart = inside.reshape(photos, views, -1)
    apart = (apart - apart.mean(axis=1, keepdims=True)).reshape(inside.shape)
    within = apart.T @ apart / (photos * (views - 1))
    within_values, directions = _strongest(within, len(within))
    floor = FLOOR * float(within_values.mean())
    calmed = directions * (within_values + floor) ** -WITHIN_POWER
    left, chosen = _strongest((calmed.T * values) @ calmed, dims)
    matrix = (basis @ (calmed @ (chosen * left**-SPREAD_POWER))).T
    # Rows are of length 1 on average, whatever the descriptors' own scale.
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
    """The views of each photo and of its crops, `VIEWS` at a time, as the model takes them."""
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
