"""Do two photos show the same place?"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from place_search.models import Calibration, Model, encode_grid
from place_search.photos import Photo
from place_search.search.results import CompareResult
from place_search.search.stages import Stages
from place_search.search.verification import Query, Verification, verify

UNCALIBRATED_NOTE = (
    "The model '{id}' has no calibration, so there is no probability and no verdict; make one "
    "with `place-search calibrate`."
)


def compare_photos(
    model: Model,
    one: bytes | Path,
    other: bytes | Path,
    *,
    decode: Callable[[bytes | Path], Photo] | None = None,
    stages: Stages | None = None,
) -> CompareResult:
    """Compare two photos by descriptor and geometry.

    Raises:
        PhotoError: a photo that cannot be read.
    """
    stages = stages or Stages()
    photos, embeddings = [], []
    for source in (one, other):
        with stages.timed("decode"):
            photos.append((decode or model.read)(source))
    for photo in photos:
        with stages.timed("embed"):
            embeddings.append(model.embed(photo))
    a, b = embeddings
    similarity = min(float(a.descriptor @ b.descriptor), 1.0)
    with stages.timed("verify"):
        codes = encode_grid(b.local_features)
        query = Query(a.local_features)
        found = verify(query, codes, similarity)
    photo_notes = [
        f"{which} photo: {note}"
        for which, photo in zip(("First", "Second"), photos, strict=True)
        for note in photo.notes
    ]
    notes = list(photo_notes)
    calibration = model.card.calibration
    probability = None
    if calibration is None:
        notes.append(UNCALIBRATED_NOTE.format(id=model.card.id))
    else:
        probability = same_place_probability(calibration, similarity, found)
    scales = [
        (photo.width / max(grid[1], 1), photo.height / max(grid[0], 1))
        for photo, grid in zip(photos, (query.full.grid, codes[1]), strict=True)
    ]
    matches = (found.matches + 0.5) * np.array([*scales[0], *scales[1]], dtype=np.float32)
    return CompareResult(
        similarity=round(similarity, 6),
        probability=None if probability is None else round(probability, 6),
        threshold=None if calibration is None else round(calibration.threshold, 6),
        result=_verdict(calibration, probability),
        inliers=found.inliers,
        matches=tuple(map(tuple, matches.astype(float).round(1).tolist())),
        model=model.card.id,
        notes=tuple(notes),
        photo_notes=tuple(photo_notes),
    )


def evidence(similarity: float, found: Verification) -> NDArray[np.float64]:
    """The (3,) numbers that a calibration weighs."""
    return np.array([similarity, math.log1p(found.inliers), math.sqrt(found.inliers)])


def same_place_probability(
    calibration: Calibration, similarity: float, found: Verification
) -> float:
    """The probability that two photos show the same place, by a model's calibration."""
    weights = np.array(calibration.weights)
    odds = float(weights @ evidence(similarity, found)) + calibration.intercept
    return 1 / (1 + math.exp(-min(max(odds, -700.0), 700.0)))


def _verdict(
    calibration: Calibration | None, probability: float | None
) -> Literal["same", "different"] | None:
    if calibration is None or probability is None:
        return None
    return "same" if probability >= calibration.threshold else "different"
