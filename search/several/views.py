"""The views of one panorama as one query: each looks elsewhere, so each is searched by itself."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from place_search.core.geodesy import Position
from place_search.indexer import Filter, Hit
from place_search.photos import Photo
from place_search.photos.panorama import OVERLAP
from place_search.photos.photo import Facing
from place_search.search.probability import log_odds, probability_first, sigmoid, standing
from place_search.search.several.batch import BatchStandards
from place_search.search.stages import Stages
from place_search.search.verification import Verification

TAKEN_WHOLE = (
    "A panorama is cut only where it is the one photo and has no box, so panorama=true "
    "(--panorama) had no effect."
)


class Found(NamedTuple):
    """A place that a search found: how probable it is, None beyond those that are told of.

    `verification` is that of the photo that it agrees with most, `score` the sum over all photos of
    the query. `facing` is where the view looks that shows it, None for a query that is no panorama.
    """

    hit: Hit
    verification: Verification | None
    probability: float | None
    score: float = 0.0
    facing: Facing | None = None


class Asked(NamedTuple):
    """What is asked of each part of a query: `k` places or `spots`; what is odd goes to `notes`."""

    k: int
    spots: bool
    checking: bool
    near: Position | None
    radius_m: float | None
    wanted: Filter | None
    batch: BatchStandards | None
    stages: Stages
    notes: list[str]


def parts_of(photos: Sequence[Photo]) -> list[Sequence[Photo]]:
    """What is searched by itself: each view of a panorama, or photos of one spot together."""
    views = photos[0].views
    return [[view] for view in views] if views else [photos]


def best_of_views(by_view: Sequence[Sequence[Found]]) -> list[Found]:
    """The places of all views, each by the view that shows it best, the best place first.

    A photo that is no panorama is one view. Of many photos of unknown places one looks like a known
    one sooner or later, so the odds of each are divided by the number of views that have nothing in
    common.
    """
    ranked = sorted(by_view[0] if len(by_view) == 1 else _best(by_view), key=_standing)
    if ranked:
        likely = probability_first([one.probability or 0.0 for one in ranked])
        ranked[0] = ranked[0]._replace(probability=likely)
    return ranked


def _best(by_view: Sequence[Sequence[Found]]) -> list[Found]:
    views = max(len(by_view) / OVERLAP, 1.0)
    best: dict[int, Found] = {}
    for found in sorted((one for view in by_view for one in view), key=_rank):
        best.setdefault(found.hit.place_id, found)
    return [found._replace(probability=_among(found.probability, views)) for found in best.values()]


def _standing(found: Found) -> tuple[int, float]:
    return standing(found.verification, found.probability)


def _rank(found: Found) -> tuple[float, float]:
    score = -1.0 if found.verification is None else found.score
    return -score, -found.hit.similarity


def _among(probability: float | None, views: float) -> float | None:
    if probability is None:
        return None
    return sigmoid(log_odds(probability) - math.log(views))
