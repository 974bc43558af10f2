"""A made-up route: descriptors that change along the way, seen again in other light."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from place_search.search.tracks import smoothing
from place_search.search.tracks.evidence import ENOUGH, Evidence, evidence_of, standing_out
from place_search.search.tracks.located import is_astray
from place_search.search.tracks.markov import LISTED_PLACES, MarkovModel, State
from place_search.search.tracks.motion import SPEEDS, motion_with
from place_search.search.tracks.routes import Routes, find_routes
from place_search.search.tracks.smoothing import (
    PrecomputedFrame,
    advance,
    in_windows,
    learn_speeds,
    smoothed,
)
from place_search.search.tracks.standardize import Statistics, standards

PLACES = 160
DIMS = 64
Rows = NDArray[np.int64]


def along_a_way(count: int, seed: int) -> NDArray[np.float32]:
    """Descriptors of which each is like those beside it."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count + 4, DIMS))
    mixed = sum(weight * noise[at : at + count] for at, weight in enumerate((0.5, 1, 1.4, 1, 0.5)))
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float32)


PHOTOS = along_a_way(PLACES, 1)
ELSEWHERE = along_a_way(80, 2)


def at_dusk(
    descriptors: NDArray[np.float32], seed: int, noise: float = 0.25
) -> NDArray[np.float32]:
    """The same seen again: something added to all, and noise."""
    rng = np.random.default_rng(seed)
    shift = np.random.default_rng(99).normal(size=DIMS) * 0.15
    seen = descriptors + shift + noise * rng.normal(size=descriptors.shape)
    return np.asarray(seen / np.linalg.norm(seen, axis=1, keepdims=True), np.float32)


def walk1(count: int = PLACES) -> Routes:
    return find_routes([f"walk1/{number:04d}.jpg" for number in range(count)])


def frames_of(
    routes: Routes, queries: NDArray[np.float32], photos: NDArray[np.float32] = PHOTOS
) -> list[PrecomputedFrame]:
    """The evidence of a track's frames, standardised, from the 40 most similar places."""
    track, places = Statistics(DIMS), Statistics(DIMS)
    track.add(queries)
    places.add(photos)
    of_track, of_places = standards(track, places)
    queries, photos = of_track.apply(queries), of_places.apply(photos)
    similarities = queries @ photos.T
    before = [0.0, *(float(a @ b) for a, b in pairwise(queries))]
    frames = []
    for row, like_before in zip(similarities, before, strict=True):
        best = np.argsort(-row)[:40]
        evidence = evidence_of(routes.coordinate[best], row[best], row, like_before)
        frames.append(PrecomputedFrame(evidence))
    return frames


def tracked(
    routes: Routes, queries: NDArray[np.float32], photos: NDArray[np.float32] = PHOTOS
) -> list[State]:
    frames = frames_of(routes, queries, photos)
    return list(smoothed(learn_speeds(routes, lambda: frames), frames))


def rows_of(routes: Routes, states: Sequence[State]) -> Rows:
    return np.array([routes.row[state.coordinates[state.places.argmax()]] for state in states])


def share_right(found: Rows, truth: Rows) -> float:
    return float((np.abs(found - truth) <= 1).mean())


def test_the_deviation_of_a_few_similarities_is_not_trusted() -> None:
    """Of three places, two may be alike by chance."""
    usual = np.array([0.100, 0.101, 0.150])
    assert standing_out(usual, usual).max() < 2
    many = np.tile(usual, ENOUGH)[:ENOUGH]
    deviation = 1.4826 * np.median(abs(many - np.median(many)))
    np.testing.assert_allclose(standing_out(usual, many), (usual - np.median(many)) / deviation)


WAYS = {
    "forward": np.arange(PLACES),
    "reversed": np.arange(PLACES)[::-1],
    "at twice the speed": np.arange(0, PLACES, 2),
    "at half the speed": np.repeat(np.arange(40, 100), 2),
    "with a stop": np.r_[0:60, np.full(20, 60), 61:120],
    "there and back": np.r_[20:90, 90:20:-1],
    "in a loop, twice": np.r_[30:80, 30:80],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_way_is_followed(way: str) -> None:
    truth = WAYS[way]
    queries = at_dusk(PHOTOS[truth], 3)
    single = share_right(np.argmax(queries @ PHOTOS.T, axis=1), truth)
    states = tracked(walk1(), queries)
    right = share_right(rows_of(walk1(), states), truth)
    assert single < 0.88
    assert right >= 0.98
    assert np.mean([state.off for state in states]) < 0.05


@pytest.mark.parametrize(("step", "astray"), [(1, False), (3, False), (8, True), (12, True)])
def test_frames_too_far_apart_are_at_odds_with_their_track(step: int, astray: bool) -> None:
    truth = np.arange(0, PLACES, step)
    states = tracked(walk1(), at_dusk(PHOTOS[truth], 3, 0.1))
    share = np.mean([is_astray(state) for state in states])
    assert share > 0.1 if astray else share < 0.03


@pytest.mark.parametrize("count", [5, 15])
def test_frames_of_elsewhere_are_not_at_odds_with_their_track(count: int) -> None:
    """Among a few places one always stands out a little."""
    states = tracked(walk1(count), at_dusk(ELSEWHERE, 3), PHOTOS[:count])
    assert np.mean([is_astray(state) for state in states]) < 0.05


def test_a_camera_carried_off_is_found_again() -> None:
    truth = np.r_[0:50, 120:160, 70:100]
    found = rows_of(walk1(), tracked(walk1(), at_dusk(PHOTOS[truth], 4)))
    settled = np.ones(len(truth), bool)
    for cut in (50, 90):
        settled[cut - 2 : cut + 2] = False
    assert share_right(found[settled], truth[settled]) >= 0.98


@pytest.mark.slow
def test_a_long_stop_of_equal_frames_keeps_its_place() -> None:
    stop = frames_of(walk1(), at_dusk(PHOTOS[:40], 4))
    stop += [PrecomputedFrame(Evidence(np.arange(0), np.zeros(0), -2.0, 0.0, 1.0))] * 2000
    model, state = MarkovModel(walk1()), None
    for frame in stop:
        state = advance(model, state, frame)
    assert state is not None
    for stopped in (state, [*smoothed(model, stop)][-1]):
        assert abs(rows_of(walk1(), [stopped])[0] - 39) <= 1
        assert stopped.places.max() > 0.5
        assert stopped.off < 0.02


def test_frames_of_unknown_places_are_said_to_be_off() -> None:
    queries = at_dusk(np.concatenate([PHOTOS[20:80], ELSEWHERE[:60], PHOTOS[90:150]]), 5)
    states = tracked(walk1(), queries)
    off = np.array([state.off for state in states])
    assert off[:55].mean() < 0.1
    assert off[70:115].mean() > 0.9
    assert off[130:].mean() < 0.1


def test_the_filter_alone_follows_live() -> None:
    routes, truth = walk1(), np.arange(PLACES)
    model = MarkovModel(routes)
    state: State | None = None
    found = []
    for frame in frames_of(routes, at_dusk(PHOTOS, 6)):
        state = advance(model, state, frame)
        assert len(state.coordinates) <= LISTED_PLACES
        total = state.mass.sum() + state.others.sum() + state.off
        assert total == pytest.approx(1)
        found.append(state)
    assert share_right(rows_of(routes, found)[10:], truth[10:]) >= 0.97


@pytest.mark.slow
def test_windows_use_no_frames_outside() -> None:
    routes = walk1()
    frames = frames_of(routes, at_dusk(PHOTOS, 7))
    model = MarkovModel(routes)
    whole = list(in_windows(model, frames, 3, 2))
    part = list(in_windows(model, frames[37:43], 3, 2))
    np.testing.assert_allclose(whole[40].mass, part[3].mass)
    assert whole[40].off == pytest.approx(part[3].off)
    past = list(in_windows(model, frames[:41], 3, 0))
    np.testing.assert_allclose(list(in_windows(model, frames, 3, 0))[40].mass, past[40].mass)


def test_smoothing_in_blocks_differs_little_from_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    routes = walk1()
    frames = frames_of(routes, at_dusk(PHOTOS, 8))
    model = MarkovModel(routes)
    whole = list(smoothed(model, frames))
    monkeypatch.setattr(smoothing, "BLOCK", 30)
    monkeypatch.setattr(smoothing, "AHEAD", 20)
    blocks = list(smoothed(model, iter(frames)))
    assert len(blocks) == len(whole)
    assert rows_of(routes, blocks).tolist() == rows_of(routes, whole).tolist()


def test_forward_backward_is_that_of_the_whole_chain() -> None:
    """Beside one matrix with every state of a small route: places with speeds, and off."""
    count, states = 12, 12 * len(SPEEDS) + 1
    routes = walk1(count)
    rng = np.random.default_rng(0)
    frames = [
        PrecomputedFrame(Evidence(routes.coordinate, rng.normal(size=count), -1.0, 0.7, still))
        for still in (0.0, 0.0, 0.3, 0.0, 1.0)
    ]
    start = np.r_[np.full(states - 1, 0.8 / (states - 1)), 0.2]
    likelihoods = [_likelihoods(frame.fixed_evidence) for frame in frames]
    likelihoods[0] = likelihoods[0] ** (1 / 0.7)  # the first frame has all its weight
    forward = [start * likelihoods[0]]
    for frame, likelihood in zip(frames[1:], likelihoods[1:], strict=True):
        forward.append(forward[-1] @ _transitions(count, frame.fixed_evidence.still) * likelihood)
    message = np.ones(states)
    for at in range(len(frames) - 1, -1, -1):
        expected = forward[at] * message
        expected = expected / expected.sum()
        found = list(smoothed(MarkovModel(routes), frames))[at]
        assert found.off == pytest.approx(expected[-1], rel=1e-6)
        of_places = expected[:-1].reshape(count, len(SPEEDS)).sum(axis=1)
        np.testing.assert_allclose(found.places, of_places, rtol=1e-6)
        if at:
            still = frames[at].fixed_evidence.still
            message = _transitions(count, still) @ (likelihoods[at] * message)


def _likelihoods(evidence: Evidence) -> NDArray[np.float64]:
    odds = np.append(np.repeat(evidence.odds, len(SPEEDS)), 0.0)
    return np.asarray(np.exp(evidence.weight * odds), np.float64)


def _transitions(count: int, still: float) -> NDArray[np.float64]:
    speeds = np.full(len(SPEEDS), 1 / len(SPEEDS))
    motion = motion_with(speeds)
    jump, leave, back = (1 - still) * np.array([1e-3, 1e-3, 0.05])
    size = count * len(SPEEDS)
    matrix = np.zeros((size + 1, size + 1))
    anywhere = np.full(size, 1 / size)
    for place in range(count):
        for speed in range(len(SPEEDS)):
            moved = np.zeros((count, len(SPEEDS)))
            for step in range(-5, 6):
                if 0 <= place + step < count:
                    moved[place + step] += motion.changes[speed] * motion.steps[:, step + 5]
            moved *= 1 - still
            moved[place, speed] += still
            row = moved.ravel() + (1 - moved.sum()) * anywhere
            row = (1 - leave) * ((1 - jump) * row + jump * anywhere)
            matrix[place * len(SPEEDS) + speed] = np.r_[row, leave]
    matrix[-1] = np.r_[back * anywhere, 1 - back]
    return matrix


def test_learnt_speeds_tell_the_direction() -> None:
    routes = walk1()
    frames = frames_of(routes, at_dusk(PHOTOS[::-1], 9))
    speeds = learn_speeds(routes, lambda: frames).speeds
    assert SPEEDS[int(speeds.argmax())] == -1.0
    assert speeds.sum() == pytest.approx(1)


def test_two_walks_of_one_index_do_not_run_into_each_other() -> None:
    names = [f"walk1/{number:04d}.jpg" for number in range(80)]
    names += [f"walk2/{number:04d}.jpg" for number in range(80)]
    routes = find_routes(names)
    assert routes.sequences == 2
    assert routes.along(79, 1) is None
    assert routes.along(80, 1) == 81
    assert routes.along(80, -1) is None
    model = MarkovModel(routes)
    at_the_end = Evidence(routes.coordinate[[79]], np.array([15.0]), -2.0)
    nothing = Evidence(np.empty(0, np.int64), np.empty(0), 0.0)
    state = model.step(model.start(at_the_end), nothing)
    inside = dict(zip(routes.row[state.coordinates].tolist(), state.places, strict=True))
    assert inside.get(80, 0.0) < 1e-3
