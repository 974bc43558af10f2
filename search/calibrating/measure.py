"""Calibrate a model on an index's own photos, without labels.

The included calibration gives the probability of the same place at each similarity and agreement of
the included model. Another model's similarities, or those of unusual photos, lie elsewhere. The
mean and spread of similarity between unrelated photos are measured on places of the index; the gain
between two views of one place on altered copies of some photos. A linear scale maps both to those
of the included model, whose weights are scaled accordingly (cf. the normalisation of scores by
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
"""The least and the largest number of altered copies: drawing and describing them takes time. Where
places are few, each gives several copies."""
PLACES_PER_COPY = 64
OTHERS = 4
"""The number of other places that each copy is compared with."""
NIGHT = 0.25
"""The share of copies that are drawn by night."""
FAR_M = 100.0
"""The distance from which on two places are surely different."""
FAR_SHARE = 0.05
"""The distance in rows, as a share of the index, from which on two photos without positions count
as different places: neighbours in a sequence often show one place."""
DRAWN = 5
"""The number of places drawn for each place that is compared: distant places are preferred."""
REPEATED = 0.5
"""The agreement with a copy, as a share of that of its own place, from which on another place may
be the copy's own."""
IMAGINED_PLACES = 10
"""The number of imagined places, with similarities of the spread `IMAGINED_SPREAD`, that are added
to those of an index."""
IMAGINED_SPREAD = 0.25

Read: TypeAlias = Callable[[Path | bytes], Photo]
"""Decodes a photo for a model, as `Model.read` does."""


class Level(NamedTuple):
    """The median of a measure for `unrelated` photos, and its `gap` to two views of one place.

    `spread` is the standard deviation for unrelated photos.
    """

    unrelated: float
    gap: float
    spread: float


class Scale(NamedTuple):
    """The map of a model's measure to the included model's scale: factor · measure + shift."""

    factor: float
    shift: float

    @classmethod
    def onto(cls, measured: Level, reference: Level) -> "Scale":
        """The scale that maps the measured level to the `reference`.

        Where unrelated photos vary so much that some would look like one place, the spread limits
        the factor, and two views of one place map to a lower value.
        """
        factor = min(reference.gap / measured.gap, reference.spread / measured.spread)
        return cls(factor, reference.unrelated - factor * measured.unrelated)


# The levels of the included model, measured in the same way: medians over eight sets of photos, and
# the spread of a set with photos of all kinds.
SIMILARITY = Level(0.15, 0.49, 0.12)
AGREEMENT = Level(0.14, 0.75, 0.09)


class _Pair(NamedTuple):
    """A copy and a place; `unaltered` is the similarity of the copy's original with that place.

    `verification` is None where there are no local features. `search_similarities` are those of
    the first places that a search for the copy finds.
    """

    same: bool
    similarity: float
    unaltered: float
    verification: Verification | None
    search_similarities: Sequence[float]


def calibrate_index(
    index: Index, model: Model, *, read: Read | None = None, progress: Progress = silent
) -> IndexCalibration:
    """Measure a calibration on altered copies of photos of an index, which `read` decodes.

    Photos that are missing or have changed are replaced by their thumbnails.

    Raises:
        ModelMismatchError: another model made the index.
        CalibrationError: the places are too few or too much alike.
    """
    index.check_model(model)
    rows = _sample(index)
    pairs = []
    with closing(_altered(index, model, rows, read or model.read)) as altered:
        for number, (row, embedding) in enumerate(model.stream_all(altered), start=1):
            pairs += _compare(index, row, number, embedding)
            progress("Calibrating", number, len(rows))
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
    """Each row with an altered copy of its photo, prepared for the model."""

    def draw(copy: int, row: int) -> tuple[int, Views]:
        # The same alteration for each of the model's networks.
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
    """The photo of a row, or its thumbnail where the photo is missing or has changed."""
    place = index.place(int(index.place_ids[row]))
    with suppress(PhotoError, OSError):
        if index.is_made_from(row, place.path, by_content=True):
            return read(place.path)
    return read(index.thumbnail(place.place_id))


def _alter(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    return draw_view(pixels, (width, height), random, night=NIGHT)


def _compare(index: Index, row: int, copy: int, embedding: Embedding) -> list[_Pair]:
    """The pairs of a copy with its own place and with others, drawn anew for each copy."""
    compared = np.array([row, *other_rows(index, row, copy)])
    descriptors = index.descriptors().take(compared)
    query = Query.of(embedding) if index.has_local_features else None
    hits = [] if query else index.search(embedding.descriptor, BACKGROUND)
    search_similarities = [hit.similarity for hit in hits]
    return [
        _Pair(
            other == row,
            float(place @ embedding.descriptor),
            float(place @ descriptors[0]),
            None if query is None else verify(query, index.codes(int(index.place_ids[other]))),
            search_similarities,
        )
        for other, place in zip(compared, descriptors, strict=True)
    ]


def other_rows(index: Index, row: int, copy: int) -> NDArray[np.intp]:
    """Up to `OTHERS` rows of other places, drawn anew for each copy, distant places first."""
    random = np.random.default_rng((row, copy))
    drawn = random.choice(len(index), min(DRAWN * OTHERS + 1, len(index)), replace=False)
    drawn = drawn[drawn != row][: DRAWN * OTHERS]
    is_far = np.abs(drawn - row) > FAR_SHARE * len(index)
    position = index.positions[row]
    if np.isfinite(position).all():
        metres = distances_m(index.positions[drawn], Position(*position.tolist()))
        is_far = np.where(np.isfinite(metres), metres > FAR_M, is_far)
    return np.asarray(drawn[np.argsort(~is_far, kind="stable")][:OTHERS])


def _fit(pairs: Sequence[_Pair], places: int) -> Calibration | None:
    """The calibration; None where nearly all pairs may show one place."""
    same = [pair for pair in pairs if pair.same]
    unrelated = _unrelated(pairs, same)
    if len(unrelated) < len(same):
        return None
    measured = _measured(same, unrelated, places)
    labelled = [*same, *unrelated]
    probabilities = np.array([_probability(measured, pair) for pair in labelled])
    truth = np.array([pair.same for pair in labelled])
    return replace(
        measured,
        data=f"{len(same)} altered copies of the index's own photos",
        same_pairs=len(same),
        different_pairs=len(unrelated),
        **figures_of(probabilities, truth, measured.threshold)._asdict(),
    )


def _unrelated(pairs: Sequence[_Pair], same: Sequence[_Pair]) -> list[_Pair]:
    """The pairs of copies with other places, without those that may show the copy's own place.

    Where no geometry agrees, the list is empty unless copies are more similar to their own places.
    """
    others = [pair for pair in pairs if not pair.same]
    usual = float(np.median(_agreements(same) or [0.0]))
    if usual:
        return [
            pair for pair in others if agreement(pair.verification or NOTHING) < REPEATED * usual
        ]
    of_same, of_others = ([pair.similarity for pair in group] for group in (same, others))
    return others if others and _rise(of_others, of_same) > _error(of_same) else []


def _agreements(pairs: Sequence[_Pair]) -> list[float]:
    return [agreement(pair.verification) for pair in pairs if pair.verification is not None]


def _probability(measured: Calibration, pair: _Pair) -> float:
    """The probability that a comparison gives, or a search by similarity alone."""
    if pair.verification is not None:
        return pair_probability(measured, pair.similarity, pair.verification)
    similarities = [pair.similarity]
    return candidate_probabilities(measured, similarities, [None], pair.search_similarities)[0]


def _measured(same: Sequence[_Pair], unrelated: Sequence[_Pair], places: int) -> Calibration:
    by_agreement = Scale(1.0, 0.0)
    agreed = _agreements(same)
    if any(agreed):
        by_chance = _agreements(unrelated)
        spread = max(float(np.std(by_chance)), 1e-3)
        level = Level(float(np.median(by_chance)), _gap(by_chance, agreed), spread)
        by_agreement = Scale.onto(level, AGREEMENT)
    # An altered copy is less similar to any place than its original, which is more like a query.
    usual = [pair.unaltered for pair in unrelated]
    gap = _gap([pair.similarity for pair in unrelated], [pair.similarity for pair in same])
    level = Level(float(np.median(usual)), gap, _spread(usual, places))
    by_similarity = Scale.onto(level, SIMILARITY)
    return scaled(included_calibration(), by_similarity, by_agreement)


def _gap(unrelated: Sequence[float], same: Sequence[float]) -> float:
    """The distance of the medians, at least its error, below which it would be noise."""
    return max(_rise(unrelated, same), _error(same), 1e-3)


def _rise(unrelated: Sequence[float], same: Sequence[float]) -> float:
    return float(np.median(same)) - float(np.median(unrelated))


def _error(same: Sequence[float]) -> float:
    """Twice the standard error of a mean."""
    return 2 * float(np.std(same)) / math.sqrt(len(same))


def _spread(unrelated: Sequence[float], places: int) -> float:
    """The spread of similarities, with `IMAGINED_PLACES` imagined places that vary much added."""
    squares = places * float(np.var(unrelated)) + IMAGINED_PLACES * IMAGINED_SPREAD**2
    return math.sqrt(squares / (places + IMAGINED_PLACES))


def scaled(base: Calibration, of_similarity: Scale, of_agreement: Scale) -> Calibration:
    """The calibration whose probability of a measure is that of `base` for the scaled measure."""
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
