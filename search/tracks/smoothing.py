"""Tracks from beginning to end: forward as frames come, and back again where all are there.

Also a window around each frame, for evaluations by a number of neighbours.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from place_search.search.tracks.evidence import Evidence
from place_search.search.tracks.markov import MarkovModel, State
from place_search.search.tracks.motion import SPEEDS
from place_search.search.tracks.routes import Routes

BLOCK = 256
"""Frames whose places are settled at a time."""
AHEAD = 64
"""Frames after a block that are looked at: what comes later hardly changes it."""
_LEAST_SHARE = 0.1
"""The share of a track that may have any speed, whatever was learnt."""


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


def advance(
    model: MarkovModel, state: State | None, evidence: Evidence, before: Break = Break.NONE
) -> State:
    """The state after one more frame, or after the first."""
    if state is None or before is Break.FRESH:
        return model.start(evidence)
    return model.step(state, evidence, cut=before is Break.CUT)


def smoothed(model: MarkovModel, frames: Iterable[tuple[Evidence, Break]]) -> Iterator[State]:
    """The states of frames given all that come before and those that soon come after.

    Forward-backward in blocks: memory does not grow with the track.
    """
    states: list[State] = []
    breaks: list[Break] = []
    for evidence, before in frames:
        states.append(advance(model, states[-1] if states else None, evidence, before))
        breaks.append(before)
        if len(states) == BLOCK + AHEAD:
            yield from _settled(model, states, breaks)[:BLOCK]
            del states[:BLOCK], breaks[:BLOCK]
    yield from _settled(model, states, breaks)


def _settled(model: MarkovModel, states: Sequence[State], breaks: Sequence[Break]) -> list[State]:
    settled: list[State] = []
    message: State | None = None
    for at in range(len(states) - 1, -1, -1):
        state = states[at]
        if message is None or breaks[at + 1] is Break.FRESH:
            message = model.last_message(state)
        else:
            cut = breaks[at + 1] is Break.CUT
            message = model.message(states[at + 1], message, state, cut=cut)
        settled.append(model.combine(state, message))
    return settled[::-1]


def learn_speeds(
    routes: Routes, frames: Callable[[], Iterable[tuple[Evidence, Break]]], rounds: int = 2
) -> NDArray[np.float64]:
    """How often a track has each speed, (M,) of sum 1: expectation-maximisation (Baum-Welch).

    `frames` starts the track anew each time that it is called.
    """
    speeds = np.full(len(SPEEDS), 1 / len(SPEEDS))
    for _ in range(rounds):
        seen = np.full(len(SPEEDS), 1e-3)
        for state in smoothed(MarkovModel(routes, speeds), frames()):
            seen += state.mass.sum(axis=1)
        speeds = (1 - _LEAST_SHARE) * seen / seen.sum() + _LEAST_SHARE / len(SPEEDS)
    return speeds


def in_windows(
    model: MarkovModel,
    frames: Sequence[tuple[Evidence, Break]],
    before: int,
    after: int,
) -> Iterator[State]:
    """The state of each frame given `before` frames before it and `after` ones after it."""
    for at in range(len(frames)):
        first = last = at
        while first > max(at - before, 0) and frames[first][1] is not Break.FRESH:
            first -= 1
        while last < min(at + after, len(frames) - 1) and frames[last + 1][1] is not Break.FRESH:
            last += 1
        states: list[State] = []
        for evidence, kind in frames[first : last + 1]:
            states.append(advance(model, states[-1] if states else None, evidence, kind))
        breaks = [kind for _, kind in frames[first : last + 1]]
        yield _settled(model, states[at - first :], breaks[at - first :])[0]
