"""Spatial verification: do two photos show the same things in the same arrangement?

Local features of the two photos are matched as mutual nearest neighbours. Each pair is also
judged by its neighbours on the grid (neighbourhood consensus; Rocco et al. 2018, as a fixed 3 × 3
sum). An affine map is fitted to the matches by OpenCV's MAGSAC++ (Barath et al. 2020), then a
second one to those left over, since few scenes are one plane; what agrees counts. Of many
candidates all are matched at half the resolution of the grid, where votes for a shift stand in for
the maps, and those that agree best in full.
"""

import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.forking import use_threads
from place_search.core.memory import keep_freed_memory
from place_search.models import (
    BLANK,
    CODE_BITS,
    Codes,
    Embedding,
    Grid,
    decode_codes,
    is_blank,
    project_features,
)
from place_search.photos.opencv import cv2
from place_search.search.matching.mutual import mutual_matches, votes
from place_search.search.matching.views import (
    coarse_places,
    coarse_view,
    full_place,
    full_view,
)

CANDIDATES = 100
"""The number of places that are verified by default, however small `k` is."""
IN_FULL = 10
"""The least number of candidates that are matched at full resolution."""
FULL_SHARE = 5
"""One of `FULL_SHARE` candidates is matched at full resolution, where candidates are many."""
CAN_WIN = 0.25
"""The share of the best candidate's agreement at half the resolution that a candidate beyond the
first `IN_FULL` must have to be matched at full resolution."""
MOST_SIMILAR = 3
"""The number of most similar candidates that are always matched at full resolution: where no
geometry agrees, only similarity is left."""
TOLERANCE = 1.5
"""The largest distance of a match from the fitted map, in cells of the grid."""
MAPS = 2
"""The number of affine maps that are fitted, each to the matches that no earlier map explains."""
BY_CHANCE = 45
"""The largest number of inliers between photos of different places, in 19 of 20 pairs."""
COARSE_BATCH = 10
"""The number of candidates that are matched at half the resolution in one call."""
MIN_MATCHES = 8
BLANK_SIGNS = 2 / math.pi * math.asin(BLANK)
"""The mean cosine `BLANK` for the signs of features, by the arcsine law."""
SCALE_SPREAD = 0.4
"""The |ln scale| of an affine map's vertical scale at which its part of the score falls to 1/e:
photos from the same spot match at scale 1, but for the zoom of a box."""


class Verification(NamedTuple):
    """The geometric agreement of two photos.

    Of `mutual` nearest neighbours, `inliers` agree with one of the affine maps; `score` is what
    candidates are ranked by, higher for more and better agreement, 0 for no more than chance.
    `matches` is (inliers, 4) float32: x, y in the query's `grid`, x, y in the place's, in cells
    with (0, 0) the centre of the first one.
    """

    inliers: int
    mutual: int
    score: float
    matches: NDArray[np.float32]
    grid: Grid = (0, 0)


NOTHING_TO_MATCH = "The photo looks the same all over, so nothing in it can be matched with others."
NOTHING = Verification(0, 0, 0.0, np.empty((0, 4), np.float32))


class Query:
    """A query photo's local features, made ready to be matched with many places."""

    def __init__(
        self,
        local_features: NDArray[np.float32] | None,
        directions: NDArray[np.float32] | None = None,
        black_frame: NDArray[np.bool_] | None = None,
        zoom: float = 1.0,
    ) -> None:
        """Takes (h, w, C) float32, centred; None for a model without local features.

        They are projected to the model's `directions`, (C, bits) float32, if it has any. Features
        of a blank photo are left out, as each is like all others of any blank photo, and so are
        those in a photo's `black_frame`, (h, w) bool. `zoom` is that of an `Embedding`.
        """
        self.zoom = zoom
        self.is_blank = is_blank(local_features)
        if local_features is None or self.is_blank:
            self._set_views(np.zeros((0, 0, CODE_BITS), np.float32))
            return
        projected = project_features(local_features, directions)
        if black_frame is not None:
            projected[black_frame] = 0
        self._set_views(projected)

    @classmethod
    def of(cls, photo: Embedding) -> "Query":
        """The query of a photo that a model has described."""
        return cls(photo.local_features, photo.directions, photo.black_frame, photo.zoom)

    @classmethod
    def of_codes(cls, place: Codes) -> "Query":
        """A place of an index as a query, by its codes."""
        query = cls(None)
        codes, grid = place
        if all(grid):
            signs = decode_codes(codes)
            query.is_blank = _are_blank(signs, grid)
            if not query.is_blank:
                query._set_views(signs.reshape(*grid, -1) / np.float32(signs.shape[1] ** 0.5))
        return query

    def _set_views(self, projected: NDArray[np.float32]) -> None:
        self.full = full_view(projected)
        self.coarse = coarse_view(projected)


def is_blank_place(place: Codes) -> bool:
    """Whether all local features of a place are alike or left out; False where it has none."""
    codes, grid = place
    return all(grid) and _are_blank(decode_codes(codes), grid)


def _are_blank(signs: NDArray[np.float32], grid: Grid) -> bool:
    """Whether the decoded codes of a grid are alike or left out."""
    return not signs.any() or _shows_nothing(signs.sum(axis=0), grid)


def _shows_nothing(sums: NDArray[Any], grid: Grid) -> bool:
    """Whether a place is blank, by the (bits,) sums of the signs of its codes over its grid."""
    return float(np.square(sums / math.prod(grid)).mean()) > BLANK_SIGNS


def verify(query: Query, place: Codes, similarity: float = 1.0) -> Verification:
    """Match a query with one place; the `similarity` of their descriptors enters the score.

    A blank place gets no inliers, as it is like any other blank place.
    """
    if not all(place[1]) or not all(query.full.grid):
        return NOTHING
    codes = full_place(place)
    if _shows_nothing(codes.rows.sum(axis=0, dtype=np.int32), codes.grid):
        return NOTHING
    matches = mutual_matches(query.full, codes)
    both = np.concatenate([matches.query, matches.other], axis=1).astype(np.float32)
    result = _agreement(both, matches.cosines, query.zoom)
    beyond_chance = max(1 - BY_CHANCE / result.inliers, 0.0) if result.inliers else 0.0
    score = result.score * beyond_chance * max(similarity, 0.0)
    return result._replace(score=score, grid=query.full.grid)


class Candidates(NamedTuple):
    """Places to compare with a query, the most similar first.

    `similarities` are the cosines of their descriptors with the query's. `codes` reads the codes of
    a candidate's local features by its row, in several threads at once.
    """

    similarities: Sequence[float]
    codes: Callable[[int], Codes]


class Ranking(NamedTuple):
    """Rows of candidates, ordered best first.

    `verifications` are those of the rows that were matched at full resolution; `late` is the number
    of candidates that could not be verified in time.
    """

    order: list[int]
    verifications: dict[int, Verification]
    late: int


def rank_by_geometry(
    query: Query, candidates: Candidates, k: int = IN_FULL, *, budget_s: float = math.inf
) -> Ranking:
    """Order candidates by how well their geometry agrees with the query's.

    They are matched in parallel: all at half the resolution, then the best `k`, or a fifth, or
    `IN_FULL`, whichever is most, at full resolution. Candidates of equal score stay in the order of
    their similarity. After `budget_s` seconds no match is begun; unmatched candidates come last.
    """
    use_threads()
    matcher = _Matcher(query, candidates, time.perf_counter() + budget_s)
    rows = list(range(len(candidates.similarities)))
    best = max(k, IN_FULL, len(rows) // FULL_SHARE)
    late = 0
    if len(rows) > best:
        parts = [rows[at : at + COARSE_BATCH] for at in range(0, len(rows), COARSE_BATCH)]
        agreements = list(chain.from_iterable(_pool().map(matcher.coarse, parts)))
        rows[MOST_SIMILAR:] = sorted(
            rows[MOST_SIMILAR:], key=lambda row: -_or_minus_one(agreements[row])
        )
        # Candidates far behind an outstanding candidate cannot win at full resolution.
        least = CAN_WIN * max(map(_or_minus_one, agreements))
        least_full = max(k, IN_FULL)
        best = least_full + sum(
            _or_minus_one(agreements[row]) >= least for row in rows[least_full:best]
        )
        late = sum(agreements[row] is None for row in rows[best:])
    verified = matcher.in_full(rows[:best])
    late += min(best, len(rows)) - len(verified)
    first = sorted(
        sorted(rows[:best]), key=lambda row: -verified[row].score if row in verified else 1.0
    )
    return Ranking(first + rows[best:], verified, late)


def extend_ranking(
    query: Query, candidates: Candidates, rows: Sequence[int], ranking: Ranking, deadline: float
) -> Ranking:
    """A ranking with the verification of further `rows`, in the same order.

    `deadline` is a time of `time.perf_counter`.
    """
    rows = [row for row in rows if row not in ranking.verifications]
    added = _Matcher(query, candidates, deadline).in_full(rows)
    late = ranking.late + len(rows) - len(added)
    return ranking._replace(verifications={**ranking.verifications, **added}, late=late)


class _Matcher(NamedTuple):
    """Matches candidates with a query until the deadline, a time of `time.perf_counter`."""

    query: Query
    candidates: Candidates
    deadline: float

    def coarse(self, rows: Sequence[int]) -> list[float | None]:
        """The agreement of candidates at half the resolution; None for all after the deadline."""
        if time.perf_counter() > self.deadline:
            return [None] * len(rows)
        agreements: list[float | None] = [0.0] * len(rows)
        if not all(self.query.coarse.grid):
            return agreements
        by_grid: dict[Grid, list[tuple[int, NDArray[np.uint8]]]] = {}
        for at, row in enumerate(rows):
            codes, grid = self.candidates.codes(row)
            if all(grid):
                by_grid.setdefault(grid, []).append((at, codes))
        for grid, places in by_grid.items():
            views = coarse_places([codes for _, codes in places], grid)
            counted = votes(mutual_matches(self.query.coarse, views), self.query.coarse.grid)
            for (at, _), count in zip(places, counted.tolist(), strict=True):
                agreements[at] = count * self.candidates.similarities[rows[at]]
        return agreements

    def in_full(self, rows: Sequence[int]) -> dict[int, Verification]:
        """The verifications of candidates by row, in parallel; none after the deadline."""
        matched = zip(rows, _pool().map(self.full, rows), strict=True)
        return {row: verification for row, verification in matched if verification is not None}

    def full(self, row: int) -> Verification | None:
        """The verification of a candidate, None after the deadline."""
        if time.perf_counter() > self.deadline:
            return None
        return verify(self.query, self.candidates.codes(row), self.candidates.similarities[row])


def _or_minus_one(agreement: float | None) -> float:
    return -1.0 if agreement is None else agreement


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    # One pool for all searches: more threads than cores would only take turns.
    keep_freed_memory()
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="verify")


def _agreement(
    matches: NDArray[np.float32], weights: NDArray[np.float32], zoom: float
) -> Verification:
    """Fit maps one after the other, each to the matches that no earlier map explains."""
    agreeing: list[NDArray[np.float32]] = []
    mutual = len(matches)
    score = 0.0
    for _ in range(MAPS):
        fit = _fit(matches)
        if fit is None:
            break
        inliers, scale = fit
        agreeing.append(matches[inliers])
        score += float(weights[inliers].sum()) * math.exp(
            -abs(math.log(scale * zoom)) / SCALE_SPREAD
        )
        matches, weights = matches[~inliers], weights[~inliers]
    if not agreeing:
        return NOTHING._replace(mutual=mutual)
    return Verification(sum(map(len, agreeing)), mutual, score, np.concatenate(agreeing))


def _fit(matches: NDArray[np.float32]) -> tuple[NDArray[np.bool_], float] | None:
    """The matches that agree with one affine map, and its vertical scale; None for too few."""
    if len(matches) < MIN_MATCHES:
        return None
    affine, inside = cv2.estimateAffine2D(
        np.ascontiguousarray(matches[:, :2]),
        np.ascontiguousarray(matches[:, 2:]),
        method=cv2.USAC_MAGSAC,
        ransacReprojThreshold=TOLERANCE,
        maxIters=500,
        confidence=0.999,
    )
    if affine is None or not np.isfinite(affine).all():
        return None
    inliers = inside[:, 0].astype(bool)
    if np.count_nonzero(inliers) < MIN_MATCHES:
        return None
    # A step to the side foreshortens a facade in width, not in height.
    heights = matches[inliers][:, (1, 3)].std(axis=0)
    return (inliers, float(heights[1] / heights[0])) if heights.all() else None
