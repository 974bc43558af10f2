"""Calibrate a model on an index's own photos, without labels.

The included calibration knows how probable the same place is at each similarity and agreement of
the included model. Another model's similarities, or those of unusual photos, lie elsewhere. How
alike unrelated photos are, and how much that varies, is read from places of the index; how much
more alike two views of one place are, from altered copies of some photos. They are put where the
included model has them, and its weights are scaled accordingly (cf. the normalisation of scores by
those of a cohort in speaker recognition).
"""

import math
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.core.ahead import work_ahead
from place_search.core.geodesy import Position, distances_m
from place_search.core.progress import Progress, silent
from place_search.indexer import Index
from place_search.models import Calibration, Embedding, Model, included_calibration
from place_search.models.model import Views
from place_search.photos import Photo, PhotoError
from place_search.photos.altered_views import draw_view
from place_search.search.calibrating.logistic import figures_of
from place_search.search.errors import CalibrationError
from place_search.search.index_calibration import IndexCalibration
from place_search.search.probability import (
    BACKGROUND,
    agreement,
    candidate_probabilities,
    pair_probability,
)
from place_search.search.verification import NOTHING, Query, Verification, verify

COPIES = (24, 100)
"""The least and the most altered copies: drawing and describing them takes time. Of few places each
gives several."""
PLACES_PER_COPY = 64
OTHERS = 4
"""Other places that each copy is compared with."""
NIGHT = 0.25
"""The share of copies that are drawn by night."""
FAR_M = 100.0
"""Places further apart than this are surely different ones."""
FAR_SHARE = 0.05
"""Photos that follow each other show one place more often than those further apart by this share of
an index."""
DRAWN = 5
"""Places are drawn for each that is compared; those that are surely others come first."""
REPEATED = 0.5
"""Other places that agree with a copy by this share of what its own place does may be its own."""
UNSEEN = 10
"""Places that count as seen before those of an index; their similarities vary by UNSEEN_SPREAD."""
UNSEEN_SPREAD = 0.25

Read: TypeAlias = Callable[[Path | bytes], Photo]
"""Decodes a photo for a model, as `Model.read` does."""


class Level(NamedTuple):
    """Where a measure lies between unrelated photos, and how far above two views of one place.

    `spread` is the standard deviation between unrelated photos.
    """

    unrelated: float
    gap: float
    spread: float


class Scale(NamedTuple):
    """What puts a model's measure on the included model's scale: factor · measure + shift."""

    factor: float
    shift: float

    @classmethod
    def onto(cls, measured: Level, reference: Level) -> "Scale":
        """The scale that moves the measured level to that of reference.

        Where unrelated photos vary so much that some would look like one place, two views of one
        place come to lie lower.
        """
        factor = min(reference.gap / measured.gap, reference.spread / measured.spread)
        return cls(factor, reference.unrelated - factor * measured.unrelated)


# Of the included model over eight sets of photos, measured in the same way: medians, and the spread
# where photos are of all kinds.
SIMILARITY = Level(0.15, 0.49, 0.12)
AGREEMENT = Level(0.14, 0.75, 0.09)


class _Pair(NamedTuple):
    """A copy and a place; `unaltered` is the similarity of the copy's original with that place.

    `found` is None where there are no local features. `beside` are the similarities of the places
    that a search for the copy brings first.
    """

    same: bool
    similarity: float
    unaltered: float
    found: Verification | None
    beside: Sequence[float]


def calibrate_index(
    index: Index, model: Model, *, read: Read | None = None, progress: Progress = silent
) -> IndexCalibration:
    """Measure a calibration on altered copies of photos of an index, which `read` decodes.

    Photos that are gone, or others by now, are replaced by their thumbnails.

    Raises:
        ModelMismatchError: another model made the index.
        CalibrationError: its places are too few, or too much alike, to say anything.
    """
    index.check_model(model)
    rows = _sample(index)
    pairs = []
    with closing(_altered(index, model, rows, read or model.read)) as altered:
        for done, (row, made) in enumerate(model.stream_all(altered), start=1):
            pairs += _compare(index, row, done, made)
            progress("Calibrating", done, len(rows))
    measured = _fit(pairs, len(index))
    if measured is None:
        raise CalibrationError(
            f"{index.folder} has too few places, or too many photos of one, to say how alike "
            "photos of different places are, so nothing was measured; add other places first."
        )
    photos = dict.fromkeys(index.content(row).hex() for row in rows.tolist())
    return IndexCalibration(
        measured,
        places=len(index),
        copies=len(rows),
        photos=tuple(photos),
        model_had_none=model.card.calibration is None,
    )


def _sample(index: Index) -> NDArray[np.intp]:
    """Rows of the places whose photos are altered, evenly over the index, some several times."""
    least, most = COPIES
    count = min(max(len(index) // PLACES_PER_COPY, least), most)
    return np.linspace(0, len(index) - 1, count).round().astype(np.intp)


def _altered(
    index: Index, model: Model, rows: NDArray[np.intp], read: Read
) -> Generator[tuple[int, Views], None, None]:
    """Each row with an altered copy of its photo, as the model takes it."""

    def draw(copy: int, row: int) -> tuple[int, Views]:
        # Each of the networks sees the same alteration.
        views = model.prepare_all(_photo(index, row, read))
        return row, tuple(_alter(pixels, np.random.default_rng(copy)) for pixels in views)

    cores = os.cpu_count() or 1
    return work_ahead(
        lambda numbered: draw(*numbered),
        enumerate(rows.tolist()),
        threads=cores,
        ahead=2 * cores,
        name="alter",
    )


def _photo(index: Index, row: int, read: Read) -> Photo:
    """The photo of a row, or its thumbnail where that is gone or another one by now."""
    place = index.place(int(index.place_ids[row]))
    with suppress(PhotoError, OSError):
        if index.is_made_from(row, place.path, by_content=True):
            return read(place.path)
    return read(index.thumbnail(place.place_id))


def _alter(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    return draw_view(pixels, (width, height), random, night=NIGHT)


def _compare(index: Index, row: int, copy: int, made: Embedding) -> list[_Pair]:
    """A copy with its own place and with others, drawn anew for each copy."""
    compared = np.array([row, *other_rows(index, row, copy)])
    descriptors = index.descriptors().take(compared)
    query = Query.of(made) if index.has_local_features else None
    first = [] if query else index.search(made.descriptor, BACKGROUND)
    beside = [hit.similarity for hit in first]
    return [
        _Pair(
            other == row,
            float(place @ made.descriptor),
            float(place @ descriptors[0]),
            None if query is None else verify(query, index.codes(int(index.place_ids[other]))),
            beside,
        )
        for other, place in zip(compared, descriptors, strict=True)
    ]


def other_rows(index: Index, row: int, copy: int) -> NDArray[np.intp]:
    """Rows of other places, drawn anew for each copy: those that are surely others if there are."""
    random = np.random.default_rng((row, copy))
    drawn = random.choice(len(index), min(DRAWN * OTHERS + 1, len(index)), replace=False)
    drawn = drawn[drawn != row][: DRAWN * OTHERS]
    is_far = np.abs(drawn - row) > FAR_SHARE * len(index)
    here, there = index.positions[row], index.positions[drawn]
    if np.isfinite(here).all():
        metres = distances_m(there, Position(*here.tolist()))
        is_far = np.where(np.isfinite(metres), metres > FAR_M, is_far)
    return np.asarray(drawn[np.argsort(~is_far, kind="stable")][:OTHERS])


def _fit(pairs: Sequence[_Pair], places: int) -> Calibration | None:
    """The calibration; None where nearly all pairs show one place, and say nothing of others."""
    same = [pair for pair in pairs if pair.same]
    unrelated = _unrelated(pairs, same)
    if len(unrelated) < len(same):
        return None
    measured = _measured(same, unrelated, places)
    told = [*same, *unrelated]
    probabilities = np.array([_probability(measured, pair) for pair in told])
    truly = np.array([pair.same for pair in told])
    return replace(
        measured,
        data=f"{len(same)} altered copies of the index's own photos",
        same_pairs=len(same),
        different_pairs=len(unrelated),
        **figures_of(probabilities, truly, measured.threshold)._asdict(),
    )


def _unrelated(pairs: Sequence[_Pair], same: Sequence[_Pair]) -> list[_Pair]:
    """Copies beside other places, without those that may show the copy's own place too.

    Where no geometry agrees, there are none unless copies are more similar to their own places.
    """
    others = [pair for pair in pairs if not pair.same]
    usual = float(np.median(_agreements(same) or [0.0]))
    if usual:
        return [pair for pair in others if agreement(pair.found or NOTHING) < REPEATED * usual]
    one, other = ([pair.similarity for pair in some] for some in (same, others))
    return others if others and _rise(other, one) > _error(one) else []


def _agreements(pairs: Sequence[_Pair]) -> list[float]:
    return [agreement(pair.found) for pair in pairs if pair.found is not None]


def _probability(measured: Calibration, pair: _Pair) -> float:
    """As a comparison tells it, or a search by similarity alone."""
    if pair.found is not None:
        return pair_probability(measured, pair.similarity, pair.found)
    return candidate_probabilities(measured, [pair.similarity], [None], pair.beside)[0]


def _measured(same: Sequence[_Pair], unrelated: Sequence[_Pair], places: int) -> Calibration:
    by_agreement = Scale(1.0, 0.0)
    agreed = _agreements(same)
    if any(agreed):
        by_chance = _agreements(unrelated)
        spread = max(float(np.std(by_chance)), 1e-3)
        level = Level(float(np.median(by_chance)), _gap(by_chance, agreed), spread)
        by_agreement = Scale.onto(level, AGREEMENT)
    # A copy is less like anything than its original, which queries resemble more.
    usual = [pair.unaltered for pair in unrelated]
    gap = _gap([pair.similarity for pair in unrelated], [pair.similarity for pair in same])
    level = Level(float(np.median(usual)), gap, _spread(usual, places))
    by_similarity = Scale.onto(level, SIMILARITY)
    return scaled(included_calibration(), by_similarity, by_agreement)


def _gap(unrelated: Sequence[float], same: Sequence[float]) -> float:
    """How far the medians lie apart; below its error it would be noise."""
    return max(_rise(unrelated, same), _error(same), 1e-3)


def _rise(unrelated: Sequence[float], same: Sequence[float]) -> float:
    return float(np.median(same)) - float(np.median(unrelated))


def _error(same: Sequence[float]) -> float:
    """Twice the standard error of a mean."""
    return 2 * float(np.std(same)) / math.sqrt(len(same))


def _spread(unrelated: Sequence[float], places: int) -> float:
    """How much similarities vary: of few places as if others had been seen that vary much."""
    seen = places * float(np.var(unrelated)) + UNSEEN * UNSEEN_SPREAD**2
    return math.sqrt(seen / (places + UNSEEN))


def scaled(base: Calibration, of_similarity: Scale, of_agreement: Scale) -> Calibration:
    """The calibration that says of a model's measures what `base` says of the scaled ones."""
    similarity, inliers, root, agreed = base.weights
    among_agreed, among_contrast, among = base.among
    alike, contrast, unverified = base.unverified
    return replace(
        base,
        weights=(similarity * of_similarity.factor, inliers, root, agreed * of_agreement.factor),
        intercept=base.intercept + similarity * of_similarity.shift + agreed * of_agreement.shift,
        among=(
            among_agreed * of_agreement.factor,
            among_contrast * of_similarity.factor,
            among + among_agreed * of_agreement.shift,
        ),
        unverified=(
            alike * of_similarity.factor,
            contrast * of_similarity.factor,
            unverified + alike * of_similarity.shift,
        ),
    )
