"""Tracks from beginning to end: forward as frames come, and back again where all are there.

Also a window around each frame, for evaluations by a number of neighbours.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from place_search.search.tracks.evidence import Evidence
from place_search.search.tracks.markov import KEPT, MarkovModel, State
from place_search.search.tracks.motion import SPEEDS
from place_search.search.tracks.routes import Routes

BLOCK = 256
"""Frames whose places are settled at a time."""
AHEAD = 64
"""Frames after a block that are looked at: what comes later hardly changes it."""
_LEAST_SHARE = 0.1
"""The share of a track that may have any speed, whatever was learnt."""
_SEEN_BEFORE = 1e-3
"""How often each speed counts as seen before the first frame."""
_ROUNDS = 2


class Break(IntEnum):
    """What lies between a frame and the one before."""

    NONE = 0
    CUT = 1
    """Another sequence of the same folder: the camera may be anywhere near."""
    FRESH = 2
    """Another folder: nothing is known."""


def breaks_between(frames: Routes) -> tuple[NDArray[np.int64], list[Break]]:
    """The order of frames by their names, and the break before each in that order."""
    order = np.argsort(frames.coordinate)
    cuts = np.diff(frames.sequence[order]) != 0
    fresh = np.diff(frames.folder[order]) != 0
    kinds = np.where(fresh, Break.FRESH, np.where(cuts, Break.CUT, Break.NONE))
    return order, [Break.FRESH, *(Break(kind) for kind in kinds.tolist())]


class Observed(Protocol):
    """A frame as the filter meets it."""

    @property
    def before(self) -> Break:
        """What lies between this frame and the one before."""

    def evidence(self, state: State | None) -> Evidence:
        """What the frame says; `state` is what was known before it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame whose evidence is there already."""

    said: Evidence
    before: Break = Break.NONE

    def evidence(self, state: State | None) -> Evidence:
        """What the frame says, whatever is known."""
        return self.said


def advance(model: MarkovModel, state: State | None, frame: Observed) -> State:
    """The state after one more frame, or after the first."""
    if state is None or frame.before is Break.FRESH:
        return model.start(frame.evidence(None))
    return model.step(state, frame.evidence(state), cut=frame.before is Break.CUT)


def smoothed(model: MarkovModel, frames: Iterable[Observed]) -> Iterator[State]:
    """The states of frames given all that come before and those that soon come after.

    Forward-backward in blocks: memory does not grow with the track.
    """
    states: list[State] = []
    breaks: list[Break] = []
    for frame in frames:
        states.append(advance(model, states[-1] if states else None, frame))
        breaks.append(frame.before)
        if len(states) == BLOCK + AHEAD:
            yield from _settled(model, states, breaks)[:BLOCK]
            del states[:BLOCK], breaks[:BLOCK]
    yield from _settled(model, states, breaks)


def _settled(model: MarkovModel, states: Sequence[State], breaks: Sequence[Break]) -> list[State]:
    settled: list[State] = []
    message: State | None = None
    later: State | None = None
    for at in range(len(states) - 1, -1, -1):
        state = states[at]
        if message is None or later is None or breaks[at + 1] is Break.FRESH:
            message = model.last_message(state)
        else:
            cut = breaks[at + 1] is Break.CUT
            if not len(state.coordinates):
                state = model.leading_to(settled[-1], state, cut=cut)
            message = model.message(later, message, state, cut=cut)
        settled.append(model.combine(state, message))
        later = state
    return settled[::-1]


def shares_of(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probabilities of the speeds, (M,), that were seen so often; none is 0."""
    seen = seen + _SEEN_BEFORE
    learnt = (1 - _LEAST_SHARE) * seen / seen.sum() + _LEAST_SHARE / len(SPEEDS)
    return np.asarray(learnt, np.float64)


def learn_speeds(
    routes: Routes, frames: Callable[[], Iterable[Observed]], *, kept: int = KEPT
) -> MarkovModel:
    """The model of a track whose speeds fit its frames, which are asked for once a round.

    Each round of expectation-maximisation (Baum-Welch) gives a model that fits them better.
    """
    model = MarkovModel(routes, kept=kept)
    for _ in range(_ROUNDS):
        seen = np.zeros(len(SPEEDS))
        for state in smoothed(model, frames()):
            seen += state.speeds
        model = MarkovModel(routes, shares_of(seen), kept=kept)
    return model


def in_windows(
    model: MarkovModel, frames: Sequence[Observed], before: int, after: int
) -> Iterator[State]:
    """The state of each frame given `before` frames before it and `after` ones after it."""
    for at in range(len(frames)):
        first = last = at
        while first > max(at - before, 0) and frames[first].before is not Break.FRESH:
            first -= 1
        while last < min(at + after, len(frames) - 1) and (
            frames[last + 1].before is not Break.FRESH
        ):
            last += 1
        states = [model.start(frames[first].evidence(None))]
        for frame in frames[first + 1 : last + 1]:
            states.append(advance(model, states[-1], frame))
        breaks = [frame.before for frame in frames[at : last + 1]]
        yield _settled(model, states[at - first :], breaks)[0]
