"""The evidence of an index for one frame: its similarities to the places that may be right."""

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
"""The number of most similar places that are compared with a frame."""
CANDIDATES_OF_FILES = 256
"""The number of most similar places for a frame of a file, where nobody waits for the answer."""
CANDIDATES_IF_SURE = 16
"""The number of most similar places where the track is sure of its place already."""
EXPECTED = 24
"""The number of places on the expected route that are compared, with their two neighbours."""
SURE = 0.9
"""The probability of neighbouring places from which on a track is sure of its place."""
SEARCHED_EVERY = 12
"""The number of frames after which a track that is sure of its place searches the index again."""
_SAMPLE, _USUAL = 1024, 256

Vectors = NDArray[np.float32]


class Lens(NamedTuple):
    """The standards of a track's frames and of the places, by which they are compared.

    `usual` (n, D) are standardised places spread over the index.
    """

    frames: Standard
    places: Standard
    usual: Vectors


class Observer:
    """Compares frames of tracks with the places of an index. Thread-safe."""

    def __init__(self, index: Index, *, candidates: int = CANDIDATES) -> None:
        """Find the index's sequences, and the statistics of its descriptors.

        Where a track is not sure, each frame is compared with its `candidates` most similar places.
        """
        self.index = index
        self._candidates = candidates
        self.routes = find_routes(
            index.source_names(),  # a walk keeps its order where people rename its places
            geocentric(index.positions) if index.has_positions else None,
            sequences=index.sequences(),
            capture_times=index.taken,
        )
        sample = spread_rows(index.count, _SAMPLE)
        self._descriptors = index.descriptors()
        described = self._descriptors.take(sample)
        self.statistics = Statistics(index.dims)
        self.statistics.add(described)
        self._usual = described[spread_rows(len(sample), _USUAL)]

    def lens(self, track: Statistics) -> Lens:
        """The standards for a track with the statistics of its frames."""
        frames, places = standards(track, self.statistics)
        return Lens(frames, places, places.apply(self._usual))

    def observe(
        self,
        lens: Lens,
        descriptor: Vectors,
        previous: Vectors | None,
        state: State | None = None,
        *,
        number: int = 0,
    ) -> Evidence:
        """The evidence of a frame by its (D,) descriptor.

        `previous` is the descriptor of the frame before, `state` the state after it.
        The index is searched at each frame of a track that is not sure, and at each that does not
        show the places of the track, as when the camera was carried elsewhere; else every
        `SEARCHED_EVERY` frames, by their `number`.
        """
        [frame] = lens.frames.apply(descriptor[None])
        similarity = 0.0
        if previous is not None:
            similarity = float(np.vecdot(lens.frames.apply(previous[None])[0], frame))
        rows = _expected(self.routes.row, state)
        candidates = self._candidates
        # A frame that shows the places of its track needs no search of the index.
        if _is_sure(state):
            evidence = self._compare(lens, frame, rows, similarity)
            if _shows_places(evidence, state):
                candidates = 0 if number % SEARCHED_EVERY else CANDIDATES_IF_SURE
        if candidates:
            rows = np.union1d(rows, self._similar_rows(lens, frame, candidates))
            evidence = self._compare(lens, frame, rows, similarity)
        if evidence.still and not _shows_places(evidence, state):
            evidence = evidence._replace(still=0.0)
        if previous is not None:
            # Standardising takes from frames of one spot what they show, and leaves noise, in which
            # they differ, but which is no evidence of a place.
            changed = float(np.square(descriptor - previous).sum())
            evidence = evidence._replace(weight=min(evidence.weight, changed))
        return evidence

    def _similar_rows(self, lens: Lens, frame: Vectors, count: int) -> NDArray[np.int64]:
        """The rows of the places that are most similar to a standardised frame."""
        # A cosine with a standardised place is that of this vector with the place itself, but for
        # the places' own lengths: near enough to choose candidates by.
        hits = self.index.search(frame / lens.places.scale, count)
        ids = np.array([hit.place_id for hit in hits], np.int64)
        return np.searchsorted(self.index.place_ids, ids)

    def _compare(
        self, lens: Lens, frame: Vectors, rows: NDArray[np.int64], previous_similarity: float
    ) -> Evidence:
        """The evidence of a standardised frame for the places of some rows."""
        similarities = lens.places.cosines(self._descriptors.take(rows), frame)
        # Not a matrix product, as in `cosines`.
        usual = np.vecdot(lens.usual, frame)
        return evidence_of(self.routes.coordinate[rows], similarities, usual, previous_similarity)


def _expected(row: NDArray[np.int64], state: State | None) -> NDArray[np.int64]:
    """The rows of the most probable places and of their neighbours on the route."""
    if state is None or not len(state.coordinates):
        return np.empty(0, np.int64)
    likely = np.argsort(-state.places)[:EXPECTED]
    around = (state.coordinates[likely][:, None] + np.arange(-1, 2)).ravel()
    rows = row[around]
    return np.unique(rows[rows >= 0])


def _shows_places(evidence: Evidence, state: State | None) -> bool:
    """Whether a frame more probably shows the places of a state than none of them.

    A black frame, or a card of text, is like the frame before even when the camera moves.
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
