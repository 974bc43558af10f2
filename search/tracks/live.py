"""A track that grows frame by frame, as a camera sends them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from place_search.search.tracks.evidence import SILENCE, Evidence
from place_search.search.tracks.markov import MarkovModel, State
from place_search.search.tracks.motion import SPEEDS
from place_search.search.tracks.observer import Lens, Observer
from place_search.search.tracks.smoothing import PrecomputedFrame, SequenceBreak, advance, shares_of
from place_search.search.tracks.standardize import Statistics

_LAST_UPDATE = 4096
"""The number of frames after which neither statistics nor speeds are updated."""

Vectors = NDArray[np.float32]


class LiveTrack:
    """The track of a camera by its frames so far, in constant memory. Not thread-safe.

    Statistics and speeds are those of the frames so far; they are updated whenever the number of
    frames has doubled.
    """

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.count = 0
        """The number of frames so far."""
        self.state: State | None = None
        self._statistics = Statistics(observer.index.dims)
        self._speed_counts = np.zeros(len(SPEEDS))
        self._lens: Lens = observer.lens(self._statistics)
        self._model = MarkovModel(observer.routes)
        self._previous: Vectors | None = None

    def add(
        self, descriptor: ArrayLike | None, break_before: SequenceBreak = SequenceBreak.NONE
    ) -> State:
        """Add a frame by its (D,) descriptor of any length, None for a frame that cannot be read.

        `break_before` is the break since the last frame.

        Raises:
            ModelMismatchError: a descriptor of another width, or not finite; the track stays.
        """
        unit = None if descriptor is None else self.observer.index.unit_descriptor(descriptor)
        if unit is not None and self.count < _LAST_UPDATE:
            self._statistics.add(unit[None])
        if break_before is SequenceBreak.NONE and not self.observer.routes.is_ordered:
            break_before = SequenceBreak.NEW_SEQUENCE
        evidence = self._evidence(unit, break_before)
        self.state = advance(self._model, self.state, PrecomputedFrame(evidence, break_before))
        self.count += 1
        self._speed_counts += self.state.speeds
        if self.count <= _LAST_UPDATE and self.count & (self.count - 1) == 0:
            self._lens = self.observer.lens(self._statistics)
            self._model = MarkovModel(self.observer.routes, shares_of(self._speed_counts))
        return self.state

    def _evidence(self, descriptor: Vectors | None, break_before: SequenceBreak) -> Evidence:
        if descriptor is None:
            return SILENCE
        begins = break_before is SequenceBreak.NEW_FOLDER
        previous, state = (None, None) if begins else (self._previous, self.state)
        self._previous = descriptor
        return self.observer.observe(self._lens, descriptor, previous, state, number=self.count)
