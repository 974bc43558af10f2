"""Fit a model's calibration on searches among labelled photos.

Each collection, the photos of one top-level folder, is searched with its own photos and with those
of the other collections, whose places it lacks: unaltered, and as views by another day or night.
The calibration of pairs is fitted on the same candidates.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.models import Calibration, Codes, Model, encode_grid
from place_search.models.calibration import THRESHOLD
from place_search.models.model import Views
from place_search.photos.altered_views import draw_view
from place_search.search.calibrating.logistic import (
    Floats,
    Labels,
    class_weights,
    figures_of,
    fit_logistic,
)
from place_search.search.probability import (
    BACKGROUND,
    Cohort,
    agreement,
    candidate_probabilities,
    evidence_among,
    evidence_unverified,
)
from place_search.search.verification import (
    CANDIDATES,
    Candidates,
    Query,
    Ranking,
    Verification,
    rank_by_geometry,
    verify,
)
from place_search.training.data.label_lists import read_labels
from place_search.training.data.places import Places
from place_search.training.errors import TrainingError

KNOWN, UNKNOWN = 150, 100
"""Queries of a collection from its own photos, and from all others; as many of altered views."""
MIN_PHOTOS = 20
"""The least number of photos of a searched collection: fewer give no usual similarity."""
MIN_AGREEMENT = 0.3
"""The least agreement of matches for which views of one place count as sharing anything."""
WINDOW = 5
RIDGE = 1e-5
"""The ridge of fits on geometry, which separates nearly all pairs."""
RIDGE_OF_SIMILARITY = 1e-4
"""The ridge of fits on similarity alone, which separates fewer."""


class _Job(NamedTuple):
    """A photo of the list, unaltered or as an altered view."""

    row: int
    altered: bool


class _Matched(NamedTuple):
    """A candidate that was matched in full, with the similarities of all candidates."""

    similarity: float
    geometry: Verification
    background: Sequence[float]
    right: bool
    first: bool = False


class _MostSimilar(NamedTuple):
    """The first result of an unverified search, with the highest similarities of the search."""

    similarity: float
    background: Sequence[float]
    right: bool


class _Outcomes(NamedTuple):
    """The candidates from the searches of a collection, to fit on."""

    matched: list[_Matched]
    most_similar: list[_MostSimilar]


@dataclass(frozen=True, slots=True)
class _Described:
    """Photos of the list: descriptors (N, D), codes, and the local features of some queries."""

    descriptors: NDArray[np.float32]
    codes: list[Codes]
    collections: Mapping[str, NDArray[np.int64]]
    places: Places
    queries: dict[_Job, tuple[NDArray[np.float32], Query]]


def calibrate_on_searches(
    model: Model,
    file: Path,
    root: Path,
    *,
    data: str,
    window: int = WINDOW,
    seed: int = 0,
    progress: Progress = silent,
) -> Calibration:
    """Fit a calibration on a CSV of photos with places, or videos and frames (`read_labels`).

    Its figures are measured on the searches' first results, each collection by a fit on the other
    collections.

    Raises:
        TrainingError: a list that cannot be read, or one of fewer than two collections.
        PhotoError: a photo cannot be read.
    """
    places = read_labels(file, root, window)
    collections = _collections(places.photos)
    names = [name for name, rows in collections.items() if len(rows) >= MIN_PHOTOS]
    if len(names) < 2:
        count = "1 collection" if names else "no collection"
        raise TrainingError(
            f"{file} has {count} of {MIN_PHOTOS} photos or more; a collection "
            "is a top-level folder, and each is searched with the photos of the others: list two."
        )
    described = _describe(model, places, collections, seed, progress)
    outcomes = {}
    for number, name in enumerate(names, start=1):
        outcomes[name] = _search(described, name, np.random.default_rng(seed))
        progress("Verifying", number, len(names))
    labels = [candidate.right for searches in outcomes.values() for candidate in searches.matched]
    if min(sum(labels), len(labels) - sum(labels)) < MIN_PHOTOS:
        raise TrainingError(
            f"The searches of {file} bring {sum(labels)} photos of the query's place and "
            f"{len(labels) - sum(labels)} of others, too few to learn from; list more photos."
        )
    first_results: list[tuple[float, bool]] = []
    for name in names:
        fitted = _fit([outcomes[other_name] for other_name in names if other_name != name], data)
        first_results += [
            (_probability(fitted, candidate), candidate.right)
            for candidate in outcomes[name].matched
            if candidate.first
        ]
    chance, right = np.array(first_results).T
    fitted = _fit(list(outcomes.values()), data)
    return replace(fitted, **figures_of(chance, right > 0, fitted.threshold)._asdict())


def _describe(
    model: Model,
    places: Places,
    collections: Mapping[str, NDArray[np.int64]],
    seed: int,
    progress: Progress,
) -> _Described:
    random = np.random.default_rng(seed)
    queries = {
        _Job(row, altered)
        for altered in (False, True)
        for rows in collections.values()
        for row in random.permutation(rows)[:KNOWN].tolist()
    }
    jobs = [_Job(row, altered=False) for row in range(len(places.photos))]
    jobs += sorted(job for job in queries if job.altered)
    descriptors = np.empty((len(places.photos), model.card.dims), np.float32)
    codes: list[Codes] = []
    query_data = {}
    embedded = model.stream_all((job, _prepare(model, places, job, seed)) for job in jobs)
    for count, (job, photo) in enumerate(embedded, start=1):
        if not job.altered:
            descriptors[job.row] = photo.descriptor
            codes.append(encode_grid(photo))
        if job in queries:
            query_data[job] = photo.descriptor, Query.of(photo)
        progress("Describing", count, len(jobs))
    return _Described(descriptors, codes, collections, places, query_data)


def _collections(photos: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """The rows of each collection."""
    tops = np.array([name.split("/", 1)[0] for name in photos])
    return {str(top): np.flatnonzero(tops == top) for top in np.unique(tops)}


def _prepare(model: Model, places: Places, job: _Job, seed: int) -> Views:
    views = model.prepare_all(model.read(places.path(job.row)))
    if not job.altered:
        return views
    # The same alteration for each of the model's networks.
    seeded = [(pixels, np.random.default_rng((seed, job.row))) for pixels in views]
    return tuple(draw_view(pixels, pixels.shape[1::-1], random) for pixels, random in seeded)


def _search(described: _Described, name: str, random: np.random.Generator) -> _Outcomes:
    """Search a collection with its own photos and with those of the other collections."""
    outcomes = _Outcomes([], [])
    collections = described.collections
    own_rows = collections[name]
    jobs_of = {
        top: [job for job in described.queries if job.row in rows]
        for top, rows in collections.items()
    }
    for job in jobs_of.pop(name):
        _search_for(described, job, own_rows, outcomes, is_known=True)
    for jobs in jobs_of.values():
        for number in random.permutation(len(jobs))[: 2 * UNKNOWN // len(jobs_of)].tolist():
            _search_for(described, jobs[number], own_rows, outcomes, is_known=False)
    return outcomes


def _search_for(
    described: _Described, job: _Job, rows: NDArray[np.int64], results: _Outcomes, *, is_known: bool
) -> None:
    """Search a collection with a query, and add the candidates to `results`."""
    descriptor, query = described.queries[job]
    searched = rows if job.altered else rows[rows != job.row]
    similarities = described.descriptors[searched] @ descriptor
    nearest = np.argsort(-similarities, kind="stable")[:CANDIDATES]
    photos = searched[nearest].tolist()
    candidates = Candidates(
        similarities[nearest].astype(float).tolist(), lambda row: described.codes[photos[row]]
    )
    ranking = rank_by_geometry(query, candidates)
    labels = _Labels.of(described.places, job) if is_known else None
    results.matched.extend(_matched(candidates, photos, ranking, labels))
    results.most_similar.extend(_most_similar(query, candidates, photos, labels))


def _matched(
    candidates: Candidates, photos: Sequence[int], ranking: Ranking, labels: "_Labels | None"
) -> Iterator[_Matched]:
    """The right candidates, and the first wrong candidate."""
    has_wrong = False
    for rank, candidate in enumerate(ranking.order):
        if (geometry := ranking.verifications.get(candidate)) is None:
            continue
        right = False if labels is None else labels.right(photos[candidate], geometry)
        if right is None or (not right and (has_wrong or (rank and labels is None))):
            continue
        has_wrong |= not right
        background = candidates.similarities
        yield _Matched(background[candidate], geometry, background, right, rank == 0)
    if labels is not None:
        yield from _without_its_place(candidates, photos, ranking.verifications, labels)


def _without_its_place(
    candidates: Candidates,
    photos: Sequence[int],
    geometries: Mapping[int, Verification],
    labels: "_Labels",
) -> Iterator[_Matched]:
    """The first candidate that a query would get if its place were not in the collection.

    Videos may pass a place twice, so that only a candidate that does not agree is surely wrong.
    """
    elsewhere = [
        (row, similarity)
        for row, similarity in enumerate(candidates.similarities)
        if not labels.may_be_near(photos[row])
    ]
    for row, similarity in elsewhere:
        if row in geometries and agreement(geometries[row]) < MIN_AGREEMENT:
            similarities = [value for _, value in elsewhere]
            yield _Matched(similarity, geometries[row], similarities, right=False)
            return


def _most_similar(
    query: Query, candidates: Candidates, photos: Sequence[int], labels: "_Labels | None"
) -> Iterator[_MostSimilar]:
    """The first candidate of an unverified search, and the first without the query's place.

    Geometry decides which of the photos that are no neighbours in the list show another place.
    """
    similarities = candidates.similarities
    if labels is None:
        yield _MostSimilar(similarities[0], similarities[:BACKGROUND], right=False)
        return
    right = labels.right(photos[0], _verify(query, candidates, 0))
    if right is not None:
        yield _MostSimilar(similarities[0], similarities[:BACKGROUND], right)
    elsewhere = [row for row, photo in enumerate(photos) if not labels.may_be_near(photo)]
    if elsewhere and agreement(_verify(query, candidates, elsewhere[0])) < MIN_AGREEMENT:
        remaining = [similarities[row] for row in elsewhere]
        yield _MostSimilar(remaining[0], remaining[:BACKGROUND], right=False)


def _verify(query: Query, candidates: Candidates, row: int) -> Verification:
    return verify(query, candidates.codes(row), candidates.similarities[row])


class _Labels(NamedTuple):
    """The labels of the candidates of a photo whose place is in the collection."""

    positives: NDArray[np.int64]
    not_negatives: NDArray[np.int64]
    is_landmark: bool
    others_are_wrong: bool

    @classmethod
    def of(cls, places: Places, job: _Job) -> "_Labels":
        """The labels of a photo of the list; an altered view has those of its photo."""
        positives = places.positives[job.row]
        is_landmark = not len(positives)
        return cls(
            np.append(positives, job.row),
            places.not_negatives[job.row],
            is_landmark,
            is_landmark or places.kind == "places",
        )

    def may_be_near(self, row: int) -> bool:
        """Whether a candidate may show the query's place, according to the list."""
        return row in self.positives or row in self.not_negatives

    def right(self, row: int, geometry: Verification) -> bool | None:
        """Whether a candidate shows the query's place; None if unknown.

        Videos may pass a place twice, so that none of their candidates is surely wrong. Photos of
        one landmark show the same part of it where they agree.
        """
        if row in self.positives:
            return True
        if row in self.not_negatives:
            return True if self.is_landmark and agreement(geometry) >= MIN_AGREEMENT else None
        return False if self.others_are_wrong else None


def _fit(sets: Sequence[_Outcomes], data: str) -> Calibration:
    """Fit three logistic functions; each set and both classes have equal weight."""
    candidates = [candidate for outcomes in sets for candidate in outcomes.matched]
    sides = np.repeat(np.arange(len(sets)), [len(outcomes.matched) for outcomes in sets])
    right = np.array([candidate.right for candidate in candidates])
    agrees = np.array([agreement(candidate.geometry) for candidate in candidates])
    is_telling = ~right | (agrees >= MIN_AGREEMENT)
    of_pair = np.column_stack([[candidate.similarity for candidate in candidates], agrees])
    of_others = np.array(
        [evidence_among(c.similarity, c.geometry, Cohort.of(c.background)) for c in candidates]
    )
    labels, side = right[is_telling], sides[is_telling]
    pair, intercept = fit_logistic(of_pair[is_telling], labels, _evenly(labels, side), RIDGE)
    among = fit_logistic(of_others[is_telling], labels, _evenly(labels, side), RIDGE)
    unverified = _fit_unverified(sets)
    return Calibration(
        intercept=intercept,
        weights=(float(pair[0]), 0.0, 0.0, float(pair[1])),
        threshold=THRESHOLD,
        data=data,
        same_pairs=int(right.sum()),
        different_pairs=int((~right).sum()),
        precision=math.nan,
        recall=math.nan,
        auc=math.nan,
        calibration_error=math.nan,
        among=(*map(float, among[0]), among[1]),
        unverified=(*map(float, unverified[0]), unverified[1]),
    )


def _fit_unverified(sets: Sequence[_Outcomes]) -> tuple[Floats, float]:
    candidates = [candidate for outcomes in sets for candidate in outcomes.most_similar]
    sides = np.repeat(np.arange(len(sets)), [len(outcomes.most_similar) for outcomes in sets])
    right = np.array([candidate.right for candidate in candidates])
    evidence = np.array(
        [evidence_unverified(c.similarity, Cohort.of(c.background)) for c in candidates]
    )
    return fit_logistic(evidence, right, _evenly(right, sides), RIDGE_OF_SIMILARITY)


def _evenly(right: Labels, sides: NDArray[np.int64]) -> Floats:
    """Weights (N,) that are equal for each set, and in it for right and wrong candidates."""
    weights = np.zeros(len(right))
    for side in np.unique(sides):
        weights[sides == side] = class_weights(right[sides == side])
    return np.asarray(weights / weights.sum())


def _probability(fitted: Calibration, candidate: _Matched) -> float:
    [probability] = candidate_probabilities(
        fitted, [candidate.similarity], [candidate.geometry], candidate.background
    )
    return probability
