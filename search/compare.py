"""Do two photos show the same place?"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from place_search.indexer import Index
from place_search.models import Model, encode_grid, is_blank
from place_search.photos import Photo, PhotoBox
from place_search.search.index_calibration import ChosenCalibration, calibration_for
from place_search.search.probability import (
    candidate_probabilities,
    pair_probability,
    rounded_probability,
)
from place_search.search.results import CompareResult
from place_search.search.several.fusion import of_photo
from place_search.search.stages import Stages
from place_search.search.verification import NOTHING_TO_MATCH, Query, verify

BY_SIMILARITY = "The model gives no local features, so only similarity was compared."


def compare_photos(
    model: Model,
    first: bytes | Path,
    second: bytes | Path,
    *,
    box: PhotoBox | None = None,
    index: Index | None = None,
    chosen: ChosenCalibration | None = None,
    decode: Callable[..., Photo] | None = None,
    stages: Stages | None = None,
) -> CompareResult:
    """Compare two photos by descriptor and geometry: the first as a query, the second as a place.

    With a `box` only that part of the first photo is compared; matches are still in pixels of both
    whole photos. With an `index`, which the model made, the probability is by its calibration, or
    the one `chosen` for it before, and parts that many of its photos share are left out.

    Raises:
        PhotoError: a photo that cannot be read, or a box that does not fit it.
        ModelMismatchError: another model made the index.
        IndexFormatError: the index's calibration is damaged, or a newer version wrote it.
    """
    if index is not None:
        index.check_model(model)
    calibration, calibration_notes = chosen or calibration_for(index, model)
    stages = stages or Stages()
    photos, embeddings = [], []
    for number, (source, part) in enumerate(((first, box), (second, None)), start=1):
        with stages.timed("decode"), of_photo(number, 2):
            photos.append((decode or model.read)(source, box=part))
    for number, photo in enumerate(photos, start=1):
        with stages.timed("embed"), of_photo(number, 2):
            embeddings.append(model.embed(photo))
    a, b = embeddings
    similarity = min(float(a.descriptor @ b.descriptor), 1.0)
    with stages.timed("verify"):
        query, codes = Query.of(a), encode_grid(b)
        if index is not None:
            codes = index.shared_parts.left_out(codes)
        verification = verify(query, codes, similarity)
    blank = query.is_blank, is_blank(b.local_features)
    photo_notes = [
        f"Photo {number}: {note}"
        for number, photo, shows_nothing in zip((1, 2), photos, blank, strict=True)
        for note in (*photo.notes, *([NOTHING_TO_MATCH] if shows_nothing else []))
    ]
    notes = [*photo_notes, *calibration_notes]
    if a.local_features is None:  # no inliers are then no evidence against
        notes.append(BY_SIMILARITY)
        alone = candidate_probabilities(calibration, [similarity], [None], [similarity])
        probability = alone[0]
    else:
        probability = pair_probability(calibration, similarity, verification)
    matches = np.concatenate(
        [
            (cells + 0.5) * (seen.width / max(grid[1], 1), seen.height / max(grid[0], 1))
            + (seen.x, seen.y)
            for cells, grid, seen in (
                (verification.matches[:, :2], query.full.grid, photos[0].shown_part),
                (verification.matches[:, 2:], codes[1], photos[1].shown_part),
            )
        ],
        axis=1,
    )
    return CompareResult(
        similarity=round(similarity, 6),
        probability=rounded_probability(probability),
        threshold=round(calibration.threshold, 6),
        result="same" if probability >= calibration.threshold else "different",
        inliers=verification.inliers,
        matches=tuple(map(tuple, matches.astype(float).round(1).tolist())),
        model=model.card.id,
        notes=tuple(notes),
        photo_notes=tuple(photo_notes),
    )
