"""A hidden Markov model of a camera on known routes, or off them (Bayes filter; Rabiner 1989).

A state is a place with a speed. The most probable places are listed one by one; the other places of
each folder share one number, so that memory and time do not grow with the index. A jump lands
anywhere, as when a robot is carried off, but most jumps stay in their folder.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.search.tracks.evidence import Evidence
from place_search.search.tracks.motion import LONGEST, SPEEDS, motion_with
from place_search.search.tracks.routes import Routes

LISTED_PLACES = 128
"""The number of places whose probabilities are listed one by one from frame to frame."""
_JUMP = 1e-3
_JUMP_AT_CUT = 0.9
"""The probability that the camera jumps to any place, where a sequence ends and another begins."""
_LEAVE, _RETURN = 1e-3, 0.05
"""The probabilities, at each frame, to leave the known places, and to return to them."""
_OFF_AT_FIRST = 0.2
"""The probability that the first frame is off the known places."""
_IN_FOLDER = 0.9
"""The share of jumps that stay in their folder."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class State(NamedTuple):
    """Probabilities after a frame: `mass` (M, n) of speeds at `coordinates` (n,), ascending.

    `others` (G,) are the sums over the unlisted places of each folder, `off` the probability of no
    known place. `odds` (n,), `floor` and `still` are the frame's evidence, `odds` for the listed
    places. In a message from later frames, the same fields hold likelihoods.
    """

    coordinates: Ints
    mass: Floats
    others: Floats
    off: float
    odds: Floats
    floor: float
    still: float

    @property
    def places(self) -> Floats:
        """The probability of each listed place, (n,)."""
        return np.asarray(self.mass.sum(axis=0))

    @property
    def speeds(self) -> Floats:
        """The probability of each speed at the listed places, (M,)."""
        return np.asarray(self.mass.sum(axis=1))


@dataclass(frozen=True, slots=True)
class _Span:
    """The coordinates that one step from listed places can reach, so that a step is a shift.

    `is_place` marks the coordinates that are places.
    """

    coordinates: Ints
    is_place: NDArray[np.bool_]

    def find(self, coordinates: Ints) -> Ints:
        return np.searchsorted(self.coordinates, coordinates)


class MarkovModel:
    """The filter of one set of routes, without the state of a track: thread-safe."""

    def __init__(
        self, routes: Routes, speeds: Floats | None = None, *, listed_places: int = LISTED_PLACES
    ) -> None:
        """`speeds` (M,) are the probabilities of `SPEEDS`, equal by default.

        The `listed_places` most probable places are listed from frame to frame.
        """
        self.routes = routes
        self._listed_places = listed_places
        self.speeds = np.full(len(SPEEDS), 1 / len(SPEEDS)) if speeds is None else speeds
        self.count = len(routes.coordinate)
        self._sizes = np.bincount(routes.folder).astype(np.float64)
        self._motion = motion_with(self.speeds)
        self._folder_at = np.full(len(routes.row), -1, np.int64)
        self._folder_at[routes.coordinate] = routes.folder

    def start(self, evidence: Evidence) -> State:
        """The state after the first frame."""
        others = (1 - _OFF_AT_FIRST) * self._sizes / self.count
        empty = np.empty(0, np.int64)
        alone = evidence._replace(weight=1.0, still=0.0)
        return self._weigh(empty, np.empty((len(SPEEDS), 0)), others, _OFF_AT_FIRST, alone)

    def step(self, state: State, evidence: Evidence, *, cut: bool = False) -> State:
        """The state after the next frame; at a `cut` the camera may be anywhere."""
        jump, leave, come_back = _chances(evidence.still, cut=cut)
        span = self._span(state.coordinates)
        moved = np.zeros((len(SPEEDS), len(span.coordinates)))
        core = span.find(state.coordinates)
        moved[:, core] = self._motion.changes.T @ state.mass
        moved = (1 - evidence.still) * _shifted(moved, self._motion.steps)
        moved[:, core] += evidence.still * state.mass
        moved[:, ~span.is_place] = 0  # past the end of a sequence
        stayed = (1 - jump) * (1 - leave)
        listed = np.bincount(self._folder_at[state.coordinates], state.places, len(self._sizes))
        before = listed + state.others
        # Unlisted places stay unlisted; the probability beyond a sequence's end goes anywhere.
        lost = max(float(listed.sum() - moved.sum()), 0.0)
        returned = come_back * state.off
        anywhere = stayed * lost + returned + (1 - leave) * jump * (1 - _IN_FOLDER) * before.sum()
        others = (
            stayed * state.others
            + (1 - leave) * jump * _IN_FOLDER * before
            + anywhere * self._sizes / self.count
        )
        off = (1 - come_back) * state.off + leave * before.sum()
        at = span.coordinates[span.is_place]
        return self._weigh(at, stayed * moved[:, span.is_place], others, float(off), evidence)

    def last_message(self, state: State) -> State:
        """The message to the last frame: all of its states are equally likely."""
        return state._replace(
            mass=np.ones_like(state.mass), others=np.ones_like(state.others), off=1.0
        )

    def message(self, later: State, message: State, earlier: State, *, cut: bool = False) -> State:
        """The likelihood of all frames from `later` on, at each state of `earlier`.

        `message` is that of the frames after `later`; `cut` is as in the step between the two.
        """
        jump, leave, come_back = _chances(later.still, cut=cut)
        others = np.exp(later.floor) * message.others
        likelihood = message.mass * np.exp(later.odds)
        listed_in = self._folder_at[later.coordinates]
        means = self.speeds @ likelihood
        # The mean over all places of each folder, listed and unlisted.
        folder_sum = np.bincount(listed_in, means, len(self._sizes))
        listed = np.bincount(listed_in, minlength=len(self._sizes))
        folder_mean = (folder_sum + (self._sizes - listed) * others) / self._sizes
        anywhere = float((folder_mean * self._sizes).sum() / self.count)
        span = self._span(earlier.coordinates)
        ahead = np.full((len(SPEEDS), len(span.coordinates)), anywhere)
        ahead[:, span.is_place] = others[self._folder_at[span.coordinates[span.is_place]]]
        at = span.find(later.coordinates)
        near = at < len(span.coordinates)
        near[near] = span.coordinates[at[near]] == later.coordinates[near]
        ahead[:, at[near]] = likelihood[:, near]
        core = span.find(earlier.coordinates)
        moved = _shifted(ahead, self._motion.steps[:, ::-1])[:, core]
        along = (1 - later.still) * (self._motion.changes @ moved) + later.still * ahead[:, core]
        stayed = (1 - jump) * (1 - leave)
        off = message.off
        jumped = (1 - leave) * jump * (_IN_FOLDER * folder_mean + (1 - _IN_FOLDER) * anywhere)
        folder = self._folder_at[earlier.coordinates]
        mass = stayed * along + jumped[folder] + leave * off
        rest = stayed * folder_mean + jumped + leave * off
        none = come_back * anywhere + (1 - come_back) * off
        largest = max(float(mass.max(initial=0.0)), float(rest.max()), none)
        return earlier._replace(mass=mass / largest, others=rest / largest, off=none / largest)

    def leading_to(self, later: State, state: State, *, cut: bool = False) -> State:
        """A state without listed places, with those listed that lead to the likeliest `later` ones.

        Frames before the first readable frame have no evidence by which to list places. Only a jump
        leads from unlisted places to the later ones.
        """
        likely = np.argsort(-later.places)[: self._listed_places // (2 * LONGEST + 1)]
        span = self._span(later.coordinates[likely])
        at = span.coordinates[span.is_place]
        nothing = Evidence(at, np.zeros(len(at)), 0.0)
        listed = self._weigh(state.coordinates, state.mass, state.others, state.off, nothing)
        return listed._replace(others=listed.others * (_JUMP_AT_CUT if cut else _JUMP))

    def combine(self, state: State, message: State) -> State:
        """The state of a frame, given the message from later frames."""
        mass = state.mass * message.mass
        others, off = state.others * message.others, state.off * message.off
        total = float(mass.sum() + others.sum() + off)
        return state._replace(mass=mass / total, others=others / total, off=off / total)

    def _weigh(
        self, at: Ints, mass: Floats, others: Floats, off: float, evidence: Evidence
    ) -> State:
        """List the places of the evidence, weigh all states by it, and keep the most probable."""
        listed = np.union1d(at, evidence.coordinates)
        folder = self._folder_at[listed]
        share = others / self._sizes
        full = self.speeds[:, None] * share[folder]
        full[:, np.searchsorted(listed, at)] += mass
        others = share * (self._sizes - np.bincount(folder, minlength=len(self._sizes)))
        floor = evidence.weight * evidence.floor
        odds = np.full(len(listed), floor)
        odds[np.searchsorted(listed, evidence.coordinates)] = evidence.weight * evidence.odds
        full *= np.exp(odds)
        others = np.maximum(others, 0.0) * np.exp(floor)
        total = float(full.sum() + others.sum() + off)
        full, others, off = full / total, others / total, off / total
        if len(listed) > self._listed_places:
            chance = full.sum(axis=0)
            best = np.sort(np.argpartition(chance, -self._listed_places)[-self._listed_places :])
            dropped = np.ones(len(listed), np.bool_)
            dropped[best] = False
            others += np.bincount(folder[dropped], chance[dropped], len(others))
            listed, full, odds = listed[best], full[:, best], odds[best]
        return State(listed, full, others, off, odds, floor, evidence.still)

    def _span(self, coordinates: Ints) -> _Span:
        around = np.arange(-LONGEST, LONGEST + 1)
        wide = np.unique((coordinates[:, None] + around).ravel())
        return _Span(wide, self.routes.row[wide] >= 0)


def _chances(still: float, *, cut: bool) -> tuple[float, float, float]:
    """The probabilities to jump, to leave the known places, and to return to them.

    A camera that stands does none of these: over a long stop the little of each frame, of which
    equal frames take nothing back, would add up until its place were lost.
    """
    moving = 1 - still
    return _JUMP_AT_CUT if cut else moving * _JUMP, moving * _LEAVE, moving * _RETURN


def _shifted(mass: Floats, steps: Floats) -> Floats:
    """Mass (M, n) moved by each step with its probability (M, 2 · LONGEST + 1)."""
    moved = np.zeros_like(mass)
    width = mass.shape[1]
    for column in range(2 * LONGEST + 1):
        step, chance = column - LONGEST, steps[:, column, None]
        if abs(step) >= width or not chance.any():
            continue
        if step >= 0:
            moved[:, step:] += chance * mass[:, : width - step]
        else:
            moved[:, :step] += chance * mass[:, -step:]
    return moved
