"""The states of a whole track: filtered forward, then smoothed backward where all frames exist.

Also the states in a window around each frame, for evaluations by a number of neighbours.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from place_search.search.tracks.evidence import Evidence
from place_search.search.tracks.markov import LISTED_PLACES, MarkovModel, State
from place_search.search.tracks.motion import SPEEDS
from place_search.search.tracks.routes import Routes

BLOCK = 256
"""The number of frames that are smoothed at once."""
AHEAD = 64
"""The number of frames after a block that its smoothing uses: later frames hardly change it."""
_LEAST_SHARE = 0.1
"""The share of the speeds' probability that is uniform, however the other speeds were learnt."""
_PRIOR_COUNT = 1e-3
"""The count of each speed before the first frame."""
_ROUNDS = 2
"""The number of rounds in which speeds are learnt."""


class SequenceBreak(IntEnum):
    """The kind of break between a frame and the frame before."""

    NONE = 0
    NEW_SEQUENCE = 1
    """Another sequence of the same folder: the camera may be anywhere near."""
    NEW_FOLDER = 2
    """Another folder: a new track begins."""


def sequence_breaks(frames: Routes) -> tuple[NDArray[np.int64], list[SequenceBreak]]:
    """The order of frames by their names, and the break before each in that order."""
    order = np.argsort(frames.coordinate)
    cuts = np.diff(frames.sequence[order]) != 0
    fresh = np.diff(frames.folder[order]) != 0
    kinds = np.where(
        fresh,
        SequenceBreak.NEW_FOLDER,
        np.where(cuts, SequenceBreak.NEW_SEQUENCE, SequenceBreak.NONE),
    )
    return order, [SequenceBreak.NEW_FOLDER, *(SequenceBreak(kind) for kind in kinds.tolist())]


class ObservedFrame(Protocol):
    """A frame with its evidence, as the filter uses it."""

    @property
    def break_before(self) -> SequenceBreak:
        """The break between this frame and the frame before."""

    def evidence(self, state: State | None) -> Evidence:
        """The evidence of the frame; `state` is the state before it, None for the first."""


@dataclass(frozen=True, slots=True)
class PrecomputedFrame:
    """A frame whose evidence was computed before, whatever the state."""

    fixed_evidence: Evidence
    break_before: SequenceBreak = SequenceBreak.NONE

    def evidence(self, state: State | None) -> Evidence:
        """The fixed evidence of the frame."""
        return self.fixed_evidence


def advance(model: MarkovModel, state: State | None, frame: ObservedFrame) -> State:
    """The state after one more frame, or after the first."""
    if state is None or frame.break_before is SequenceBreak.NEW_FOLDER:
        return model.start(frame.evidence(None))
    cut = frame.break_before is SequenceBreak.NEW_SEQUENCE
    return model.step(state, frame.evidence(state), cut=cut)


def smoothed(model: MarkovModel, frames: Iterable[ObservedFrame]) -> Iterator[State]:
    """The states of frames given all frames before, and the next `AHEAD` frames or more.

    Forward-backward in blocks: memory does not grow with the track.
    """
    states: list[State] = []
    breaks: list[SequenceBreak] = []
    for frame in frames:
        states.append(advance(model, states[-1] if states else None, frame))
        breaks.append(frame.break_before)
        if len(states) == BLOCK + AHEAD:
            yield from _smoothed_block(model, states, breaks)[:BLOCK]
            del states[:BLOCK], breaks[:BLOCK]
    yield from _smoothed_block(model, states, breaks)


def _smoothed_block(
    model: MarkovModel, states: Sequence[State], breaks: Sequence[SequenceBreak]
) -> list[State]:
    backwards: list[State] = []
    message: State | None = None
    later: State | None = None
    for at in range(len(states) - 1, -1, -1):
        state = states[at]
        if message is None or later is None or breaks[at + 1] is SequenceBreak.NEW_FOLDER:
            message = model.last_message(state)
        else:
            cut = breaks[at + 1] is SequenceBreak.NEW_SEQUENCE
            if not len(state.coordinates):
                state = model.leading_to(backwards[-1], state, cut=cut)
            message = model.message(later, message, state, cut=cut)
        backwards.append(model.combine(state, message))
        later = state
    return backwards[::-1]


def shares_of(speed_counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probabilities of the speeds, (M,), by how often each was observed; none is 0."""
    counts = speed_counts + _PRIOR_COUNT
    learnt = (1 - _LEAST_SHARE) * counts / counts.sum() + _LEAST_SHARE / len(SPEEDS)
    return np.asarray(learnt, np.float64)


def learn_speeds(
    routes: Routes,
    frames: Callable[[], Iterable[ObservedFrame]],
    *,
    listed_places: int = LISTED_PLACES,
) -> MarkovModel:
    """The model of a track with speeds that fit its frames; `frames` is called once a round.

    Each round of expectation-maximisation (Baum-Welch) gives a model that fits the frames better.
    """
    model = MarkovModel(routes, listed_places=listed_places)
    for _ in range(_ROUNDS):
        speed_counts = np.zeros(len(SPEEDS))
        for state in smoothed(model, frames()):
            speed_counts += state.speeds
        model = MarkovModel(routes, shares_of(speed_counts), listed_places=listed_places)
    return model


def in_windows(
    model: MarkovModel, frames: Sequence[ObservedFrame], before: int, after: int
) -> Iterator[State]:
    """The state of each frame given up to `before` frames before it and `after` frames after it."""
    for at in range(len(frames)):
        first = last = at
        while first > max(at - before, 0) and (
            frames[first].break_before is not SequenceBreak.NEW_FOLDER
        ):
            first -= 1
        while last < min(at + after, len(frames) - 1) and (
            frames[last + 1].break_before is not SequenceBreak.NEW_FOLDER
        ):
            last += 1
        states = [model.start(frames[first].evidence(None))]
        for frame in frames[first + 1 : last + 1]:
            states.append(advance(model, states[-1], frame))
        breaks = [frame.break_before for frame in frames[at : last + 1]]
        yield _smoothed_block(model, states[at - first :], breaks)[0]
