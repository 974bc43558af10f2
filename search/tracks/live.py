"""A track that grows frame by frame, as a camera sends them."""

import numpy as np
from numpy.typing import NDArray

from place_search.search.tracks.evidence import SILENCE, Evidence
from place_search.search.tracks.markov import MarkovModel, State
from place_search.search.tracks.motion import SPEEDS
from place_search.search.tracks.observer import Lens, Observer
from place_search.search.tracks.smoothing import Break, Seen, advance, shares_of
from place_search.search.tracks.standardize import Statistics

_LAST_UPDATE = 4096
"""Frames from which on neither statistics nor speeds are brought up to date any more."""

Vectors = NDArray[np.float32]


class LiveTrack:
    """Where a camera is, by the frames so far. Its size does not grow. Not thread-safe.

    Statistics and speeds are those of the frames so far; they are brought up to date whenever the
    number of frames has doubled.
    """

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.count = 0
        """Frames so far."""
        self.state: State | None = None
        self._statistics = Statistics(observer.index.dims)
        self._seen = np.zeros(len(SPEEDS))
        self._lens: Lens = observer.lens(self._statistics)
        self._model = MarkovModel(observer.routes)
        self._before: Vectors | None = None

    def add(self, descriptor: Vectors | None, before: Break = Break.NONE) -> State:
        """Take a frame by its (D,) descriptor, None for one that cannot be read.

        `before` is the break since the last one.
        """
        if descriptor is not None and self.count < _LAST_UPDATE:
            self._statistics.add(descriptor[None])
        if before is Break.NONE and not self.observer.routes.is_ordered:
            before = Break.CUT
        self.state = advance(self._model, self.state, Seen(self._look(descriptor, before), before))
        self.count += 1
        self._seen += self.state.speeds
        if self.count <= _LAST_UPDATE and self.count & (self.count - 1) == 0:
            self._lens = self.observer.lens(self._statistics)
            self._before = (
                None if descriptor is None else self._lens.frames.apply(descriptor[None])[0]
            )
            self._model = MarkovModel(self.observer.routes, shares_of(self._seen))
        return self.state

    def _look(self, descriptor: Vectors | None, before: Break) -> Evidence:
        if descriptor is None:
            return SILENCE
        last = None if before is Break.FRESH else self._before
        known = None if before is Break.FRESH else self.state
        evidence, self._before = self.observer.observe(
            self._lens, descriptor, last, known, number=self.count
        )
        return evidence
