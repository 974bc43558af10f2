"""Fit a model's calibration on searches among labelled photos.

Each collection, the photos of one top-level folder, is searched by its own photos and by those of
the other collections, whose places are not there: as they are, and as views altered by another day
or night. What is usual for a pair of photos is learnt from the same candidates.
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
"""Photos of a collection, and of all others, that it is searched with, and as many views."""
LEAST_PHOTOS = 20
"""Of a collection that is searched: among fewer, nothing is usual."""
MIN_AGREEMENT = 0.3
"""Views of one place whose matches agree less share nothing that geometry could tell."""
WINDOW = 5
RIDGE = 1e-5
"""Of what geometry says, which tells nearly all apart."""
RIDGE_OF_SIMILARITY = 1e-4
"""Similarity alone is never so sure."""


class _Job(NamedTuple):
    """A photo of the list, as it is or as an altered view."""

    row: int
    altered: bool


class _Candidates(NamedTuple):
    similarities: Sequence[float]
    rows: NDArray[np.int64]
    photos: Sequence[Codes]

    def codes(self, row: int) -> Codes:
        """The codes of a candidate."""
        return self.photos[int(self.rows[row])]


class _Seen(NamedTuple):
    """A candidate that was matched in full, beside the similarities of all of its search."""

    similarity: float
    found: Verification
    others: Sequence[float]
    right: bool
    first: bool = False


class _MostSimilar(NamedTuple):
    """The first result of an unverified search, beside the similarities that it looks at."""

    similarity: float
    others: Sequence[float]
    right: bool


class _Learnt(NamedTuple):
    """What the searches of a collection bring."""

    matched: list[_Seen]
    most_similar: list[_MostSimilar]


@dataclass(frozen=True, slots=True)
class _Described:
    """Photos of the list: descriptors (N, D), codes, and the local features of some queries."""

    descriptors: NDArray[np.float32]
    codes: list[Codes]
    collections: Mapping[str, NDArray[np.int64]]
    places: Places
    asked: dict[_Job, tuple[NDArray[np.float32], Query]]


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

    Its figures are those of the searches' first results, each collection judged by a fit on the
    others.

    Raises:
        TrainingError: a list that cannot be read, or one of fewer than two collections.
        PhotoError: a photo cannot be read.
    """
    places = read_labels(file, root, window)
    collections = _collections(places.photos)
    names = [name for name, rows in collections.items() if len(rows) >= LEAST_PHOTOS]
    if len(names) < 2:
        count = "1 collection" if names else "no collection"
        raise TrainingError(
            f"{file} has {count} of {LEAST_PHOTOS} photos or more; a collection "
            "is a top-level folder, and each is searched with the photos of the others: list two."
        )
    described = _describe(model, places, collections, seed, progress)
    seen = {}
    for done, name in enumerate(names, start=1):
        seen[name] = _search(described, name, np.random.default_rng(seed))
        progress("Verifying", done, len(names))
    labels = [candidate.right for learnt in seen.values() for candidate in learnt.matched]
    if min(sum(labels), len(labels) - sum(labels)) < LEAST_PHOTOS:
        raise TrainingError(
            f"The searches of {file} bring {sum(labels)} photos of the query's place and "
            f"{len(labels) - sum(labels)} of others, too few to learn from; list more photos."
        )
    judged: list[tuple[float, bool]] = []
    for name in names:
        fitted = _fit([seen[other] for other in names if other != name], data)
        judged += [
            (_probability(fitted, candidate), candidate.right)
            for candidate in seen[name].matched
            if candidate.first
        ]
    chance, right = np.array(judged).T
    fitted = _fit(list(seen.values()), data)
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
    asked = {}
    embedded = model.stream((job, _prepare(model, places, job, seed)) for job in jobs)
    for done, (job, photo) in enumerate(embedded, start=1):
        if not job.altered:
            descriptors[job.row] = photo.descriptor
            codes.append(encode_grid(photo))
        if job in queries:
            asked[job] = photo.descriptor, Query.of(photo)
        progress("Describing", done, len(jobs))
    return _Described(descriptors, codes, collections, places, asked)


def _collections(photos: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """The rows of each collection."""
    tops = np.array([name.split("/", 1)[0] for name in photos])
    return {str(top): np.flatnonzero(tops == top) for top in np.unique(tops)}


def _prepare(model: Model, places: Places, job: _Job, seed: int) -> NDArray[np.uint8]:
    pixels = model.prepare(model.read(places.path(job.row)))
    if not job.altered:
        return pixels
    height, width = pixels.shape[:2]
    return draw_view(pixels, (width, height), np.random.default_rng((seed, job.row)))


def _search(described: _Described, name: str, random: np.random.Generator) -> _Learnt:
    """What a collection's searches by its own photos and by those of the others bring."""
    learnt = _Learnt([], [])
    inside = described.collections[name]
    asked = {other: _asked_of(described, rows) for other, rows in described.collections.items()}
    for job in asked.pop(name):
        _ask(described, job, inside, learnt, known=True)
    for jobs in asked.values():
        for chosen in random.permutation(len(jobs))[: 2 * UNKNOWN // len(asked)].tolist():
            _ask(described, jobs[chosen], inside, learnt, known=False)
    return learnt


def _asked_of(described: _Described, rows: NDArray[np.int64]) -> list[_Job]:
    """The queries that are photos of these rows."""
    inside = set(rows.tolist())
    return [job for job in described.asked if job.row in inside]


def _ask(
    described: _Described, job: _Job, inside: NDArray[np.int64], learnt: _Learnt, *, known: bool
) -> None:
    """Search a collection, and add what is learnt from it."""
    descriptor, query = described.asked[job]
    searched = inside if job.altered else inside[inside != job.row]
    similarities = described.descriptors[searched] @ descriptor
    nearest = np.argsort(-similarities, kind="stable")[:CANDIDATES]
    candidates = _Candidates(
        similarities[nearest].astype(float).tolist(), searched[nearest], described.codes
    )
    ranking = rank_by_geometry(query, candidates)
    labels = _Labels.of(described.places, job) if known else None
    learnt.matched.extend(_matched(candidates, ranking, labels))
    learnt.most_similar.extend(_most_similar(query, candidates, labels))


def _matched(
    candidates: _Candidates, ranking: Ranking, labels: "_Labels | None"
) -> Iterator[_Seen]:
    """The right candidates, and the first wrong one."""
    wrong_is_there = False
    for rank, candidate in enumerate(ranking.order):
        if (found := ranking.verifications.get(candidate)) is None:
            continue
        right = False if labels is None else labels.right(int(candidates.rows[candidate]), found)
        if right is None or (not right and (wrong_is_there or (rank and labels is None))):
            continue
        wrong_is_there |= not right
        yield _Seen(
            candidates.similarities[candidate], found, candidates.similarities, right, rank == 0
        )
    if labels is not None:
        yield from _without_its_place(candidates, ranking.verifications, labels)


def _without_its_place(
    candidates: _Candidates, found: Mapping[int, Verification], labels: "_Labels"
) -> Iterator[_Seen]:
    """What a query would get first if its place were not there.

    Videos pass places twice, so that only what does not agree is known to show another one.
    """
    elsewhere = [
        (row, similarity)
        for row, similarity in enumerate(candidates.similarities)
        if not labels.near(int(candidates.rows[row]))
    ]
    for row, similarity in elsewhere:
        if row in found and agreement(found[row]) < MIN_AGREEMENT:
            others = [other for _, other in elsewhere]
            yield _Seen(similarity, found[row], others, right=False)
            return


def _most_similar(
    query: Query, candidates: _Candidates, labels: "_Labels | None"
) -> Iterator[_MostSimilar]:
    """What an unverified search gets first, and would get if its place were not there.

    Geometry says which of the photos that the list calls no neighbours show another place.
    """
    similarities = candidates.similarities
    if labels is None:
        yield _MostSimilar(similarities[0], similarities[:BACKGROUND], right=False)
        return
    right = labels.right(int(candidates.rows[0]), _verify(query, candidates, 0))
    if right is not None:
        yield _MostSimilar(similarities[0], similarities[:BACKGROUND], right)
    elsewhere = [row for row, place in enumerate(candidates.rows) if not labels.near(int(place))]
    if elsewhere and agreement(_verify(query, candidates, elsewhere[0])) < MIN_AGREEMENT:
        others = [similarities[row] for row in elsewhere]
        yield _MostSimilar(others[0], others[:BACKGROUND], right=False)


def _verify(query: Query, candidates: _Candidates, row: int) -> Verification:
    return verify(query, candidates.codes(row), candidates.similarities[row])


class _Labels(NamedTuple):
    """What is known of the candidates of a photo whose place is there."""

    positives: NDArray[np.int64]
    not_negatives: NDArray[np.int64]
    is_landmark: bool
    others_are_wrong: bool

    @classmethod
    def of(cls, places: Places, job: _Job) -> "_Labels":
        """Those of a photo of the list; a view shows what its photo does."""
        positives = places.positives[job.row]
        is_landmark = not len(positives)
        return cls(
            np.append(positives, job.row),
            places.not_negatives[job.row],
            is_landmark,
            is_landmark or places.kind == "places",
        )

    def near(self, row: int) -> bool:
        """Whether a candidate may show the query's place, as far as the list says."""
        return row in self.positives or row in self.not_negatives

    def right(self, row: int, found: Verification) -> bool | None:
        """Whether a candidate shows the query's place; None where that is not known.

        Videos may pass a place twice, so of theirs no candidate is surely wrong. Photos of one
        landmark show the same part of it where they agree.
        """
        if row in self.positives:
            return True
        if row in self.not_negatives:
            return True if self.is_landmark and agreement(found) >= MIN_AGREEMENT else None
        return False if self.others_are_wrong else None


def _fit(sets: Sequence[_Learnt], data: str) -> Calibration:
    """Three logistic functions, in which each set and both classes count alike."""
    seen = [candidate for learnt in sets for candidate in learnt.matched]
    sides = np.repeat(np.arange(len(sets)), [len(learnt.matched) for learnt in sets])
    right = np.array([candidate.right for candidate in seen])
    agrees = np.array([agreement(candidate.found) for candidate in seen])
    telling = ~right | (agrees >= MIN_AGREEMENT)
    of_pair = np.column_stack([[candidate.similarity for candidate in seen], agrees])
    of_others = np.array(
        [evidence_among(one.similarity, one.found, Cohort.of(one.others)) for one in seen]
    )
    told, side = right[telling], sides[telling]
    pair, intercept = fit_logistic(of_pair[telling], told, _evenly(told, side), RIDGE)
    among = fit_logistic(of_others[telling], told, _evenly(told, side), RIDGE)
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


def _fit_unverified(sets: Sequence[_Learnt]) -> tuple[Floats, float]:
    seen = [candidate for learnt in sets for candidate in learnt.most_similar]
    sides = np.repeat(np.arange(len(sets)), [len(learnt.most_similar) for learnt in sets])
    right = np.array([candidate.right for candidate in seen])
    evidence = np.array(
        [evidence_unverified(one.similarity, Cohort.of(one.others)) for one in seen]
    )
    return fit_logistic(evidence, right, _evenly(right, sides), RIDGE_OF_SIMILARITY)


def _evenly(right: Labels, sides: NDArray[np.int64]) -> Floats:
    """Weights (N,) by which each set counts alike, and in it right and wrong candidates."""
    weights = np.zeros(len(right))
    for side in np.unique(sides):
        weights[sides == side] = class_weights(right[sides == side])
    return np.asarray(weights / weights.sum())


def _probability(fitted: Calibration, candidate: _Seen) -> float:
    [probability] = candidate_probabilities(
        fitted, [candidate.similarity], [candidate.found], candidate.others
    )
    return probability
