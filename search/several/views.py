"""The views of one panorama as one query. They look elsewhere, so each is searched by itself."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from place_search.core.geodesy import Position
from place_search.indexer import Filter, Hit
from place_search.photos import Photo
from place_search.photos.panorama import OVERLAP
from place_search.photos.photo import Facing
from place_search.search.probability import log_odds, probability_first, sigmoid, sort_key
from place_search.search.several.batch import BatchStandards
from place_search.search.stages import Stages
from place_search.search.verification import Verification

TAKEN_WHOLE = (
    "A panorama is cut only where it is the one photo and has no box, so panorama=true "
    "(--panorama) had no effect."
)


class RankedPlace(NamedTuple):
    """A place that a search found, and its probability, None beyond the places of the answer.

    `verification` is that of the photo that the place agrees with most, `score` the sum over all
    photos of the query. `facing` is the direction of the view that shows the place, None for a
    query that is no panorama.
    """

    hit: Hit
    verification: Verification | None
    probability: float | None
    score: float = 0.0
    facing: Facing | None = None


class Where(NamedTuple):
    """Which places count: those within `radius_m` metres of `near` that fit the `place_filter`."""

    near: Position | None = None
    radius_m: float | None = None
    place_filter: Filter | None = None


class SearchOptions(NamedTuple):
    """The options of a search that hold for each part of its query: `k` places or `spots`.

    `checking` is whether geometry is verified; `notes` collects the remarks for the answer.
    """

    k: int
    spots: bool
    checking: bool
    where: Where
    batch: BatchStandards | None
    stages: Stages
    notes: list[str]


def parts_of(photos: Sequence[Photo]) -> list[Sequence[Photo]]:
    """The parts of a query that are searched apart: views of a panorama, or all photos at once."""
    views = photos[0].views
    return [[view] for view in views] if views else [photos]


def best_of_views(by_view: Sequence[Sequence[RankedPlace]]) -> list[RankedPlace]:
    """The places of all views, each by the view that shows it best, the best place first.

    A photo that is no panorama is one view. Among many views of unknown places one view looks like
    a known place sooner or later, so the odds of each place are divided by the number of views
    that do not overlap.
    """
    ranked = sorted(by_view[0] if len(by_view) == 1 else _best(by_view), key=_sort_key)
    if ranked:
        likely = probability_first([place.probability or 0.0 for place in ranked])
        ranked[0] = ranked[0]._replace(probability=likely)
    return ranked


def _best(by_view: Sequence[Sequence[RankedPlace]]) -> list[RankedPlace]:
    views = max(len(by_view) / OVERLAP, 1.0)
    best: dict[int, RankedPlace] = {}
    for place in sorted((place for view in by_view for place in view), key=_rank):
        best.setdefault(place.hit.place_id, place)
    return [place._replace(probability=_among(place.probability, views)) for place in best.values()]


def _sort_key(place: RankedPlace) -> tuple[int, float]:
    return sort_key(place.verification, place.probability)


def _rank(place: RankedPlace) -> tuple[float, float]:
    score = -1.0 if place.verification is None else place.score
    return -score, -place.hit.similarity


def _among(probability: float | None, views: float) -> float | None:
    if probability is None:
        return None
    return sigmoid(log_odds(probability) - math.log(views))
