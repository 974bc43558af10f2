"""What an index says of one frame: its similarities to the places that may be the right ones."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import geocentric
from place_search.core.rows import spread_rows
from place_search.indexer import Index
from place_search.search.tracks.evidence import Evidence, evidence_of
from place_search.search.tracks.markov import State
from place_search.search.tracks.routes import find_routes
from place_search.search.tracks.standardize import Standard, Statistics, standards

CANDIDATES = 64
"""Places that are compared because they are the most similar ones."""
CANDIDATES_OF_FILES = 256
"""As many where nobody waits for the answer."""
CHECKED = 16
"""As many where the track is sure of its place already."""
EXPECTED = 24
"""Places that are compared because the track leads there; with those beside them."""
SURE = 0.9
SEARCHED_EVERY = 12
"""A track that is sure of its place asks the whole index at every so many frames only."""
_SAMPLE, _USUAL = 1024, 256

Vectors = NDArray[np.float32]


class Lens(NamedTuple):
    """How a track's frames are compared with places: the standards of both.

    `usual` (n, D) are standardised places spread over the index.
    """

    frames: Standard
    places: Standard
    usual: Vectors


class Observer:
    """The places of an index as tracks see them. Thread-safe."""

    def __init__(self, index: Index, *, candidates: int = CANDIDATES) -> None:
        """Find the index's sequences, and the statistics of its descriptors.

        Where a track is not sure, each frame is compared with its `candidates` most similar places.
        """
        self.index = index
        self._candidates = candidates
        placed = np.isfinite(index.positions).any()
        self.routes = find_routes(
            index.source_names(),  # a walk keeps its order where people rename its places
            geocentric(index.positions) if placed else None,
            sequences=index.sequences(),
            taken=index.taken,
        )
        sample = spread_rows(index.count, _SAMPLE)
        self._descriptors = index.descriptors()
        described = self._descriptors.take(sample)
        self.statistics = Statistics(index.dims)
        self.statistics.add(described)
        self._usual = described[spread_rows(len(sample), _USUAL)]

    def lens(self, track: Statistics) -> Lens:
        """The standards for frames of these statistics."""
        frames, places = standards(track, self.statistics)
        return Lens(frames, places, places.apply(self._usual))

    def observe(
        self,
        lens: Lens,
        descriptor: Vectors,
        before: Vectors | None,
        state: State | None = None,
        *,
        number: int = 0,
    ) -> tuple[Evidence, Vectors]:
        """The evidence of a frame by its (D,) descriptor, and the descriptor standardised.

        `before` is that of the frame before, `state` what was known then. The index is searched
        at every few frames, by their `number`; a track that is not sure has it searched each time.
        """
        [frame] = lens.frames.apply(descriptor[None])
        expected = _expected(self.routes.row, state)
        rows = expected
        sure = _is_sure(state)
        if number % SEARCHED_EVERY == 0 or not sure:
            # A cosine with a standardised place is that of this vector with the place itself, but
            # for the places' own lengths: near enough to choose candidates by.
            found = self.index.search(
                frame / lens.places.scale, CHECKED if sure else self._candidates
            )
            ids = np.array([hit.place_id for hit in found], np.int64)
            rows = np.union1d(expected, np.searchsorted(self.index.place_ids, ids))
        similarities = lens.places.cosines(self._descriptors.take(rows), frame)
        # Not a matrix product, as in `cosines`.
        usual = np.vecdot(lens.usual, frame)
        like_before = 0.0 if before is None else float(np.vecdot(before, frame))
        evidence = evidence_of(self.routes.coordinate[rows], similarities, usual, like_before)
        if evidence.still and not _shows_places(evidence, state):
            evidence = evidence._replace(still=0.0)
        return evidence, frame


def _expected(row: NDArray[np.int64], state: State | None) -> NDArray[np.int64]:
    """The rows of the most probable places and of those beside them."""
    if state is None or not len(state.coordinates):
        return np.empty(0, np.int64)
    likely = np.argsort(-state.places)[:EXPECTED]
    around = (state.coordinates[likely][:, None] + np.arange(-1, 2)).ravel()
    rows = row[around]
    return np.unique(rows[rows >= 0])


def _shows_places(evidence: Evidence, state: State | None) -> bool:
    """Whether a frame more probably shows the places of a state than none of them.

    What is black, or a card of text, is like the frame before whatever the camera does.
    """
    if state is None:
        return False
    _, listed, compared = np.intersect1d(
        state.coordinates, evidence.coordinates, assume_unique=True, return_indices=True
    )
    places = state.places[listed]
    return float(places @ np.exp(evidence.odds[compared])) > float(places.sum())


def _is_sure(state: State | None) -> bool:
    """Whether a few neighbouring places have nearly all of the probability."""
    if state is None or not len(state.coordinates):
        return False
    best = state.coordinates[int(state.places.argmax())]
    near = np.abs(state.coordinates - best) <= EXPECTED // 4
    return float(state.places[near].sum()) >= SURE
