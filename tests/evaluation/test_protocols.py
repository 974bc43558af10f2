"""Each protocol against a slow loop that does what its words say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from place_search.evaluation import GroundTruth, TruthError, open_protocol, recall_at

Rows = NDArray[np.int64]


def make_truth(
    size: int,
    positives: list[list[int]],
    *,
    queries: tuple[str, ...] | None = None,
    times: tuple[list[int], list[int]] | None = None,
) -> GroundTruth:
    return GroundTruth(
        root=Path(),
        database=tuple(f"{row}.jpg" for row in range(size)),
        queries=queries or tuple(f"q{query}.jpg" for query in range(len(positives))),
        positives=tuple(np.array(rows, dtype=np.int64) for rows in positives),
        name="made",
        protocol="raw",
        database_times=None if times is None else np.array(times[0], dtype=np.float64),
        query_times=None if times is None else np.array(times[1], dtype=np.float64),
    )


def kept(truth: GroundTruth, protocol: str, full: Rows, n: int) -> list[int]:
    """The N results of query 0, from the ranking of the whole database."""
    rules = open_protocol(truth, protocol)
    found = full[: rules.depth(n)]
    rows: list[int] = found[rules.keep(0, found)][:n].tolist()
    return rows


@given(st.integers(1, 40).flatmap(lambda size: st.permutations(range(size))), st.integers(1, 5))
def test_tokyo_12_keeps_the_first_view_of_each_panorama(order: list[int], n: int) -> None:
    truth = make_truth(len(order), [[]])
    slow: list[int] = []
    for row in order[: 12 * n]:
        if all(row // 12 != other // 12 for other in slow):
            slow.append(row)
    assert kept(truth, "tokyo-12", np.array(order), n) == slow[:n]


def test_groups_that_are_no_panoramas_are_told() -> None:
    """As of a part of Tokyo 24/7, whose list is no longer twelve by twelve."""
    spots = np.repeat([[0.0, 0.0], [9.0, 0.0], [18.0, 0.0]], 12, axis=0)

    def warnings(metres: NDArray[np.float64]) -> list[str]:
        truth = replace(make_truth(len(metres), [[]]), database_metres=metres)
        return list(open_protocol(truth, "tokyo-12").warnings)

    assert warnings(spots) == []
    [told] = warnings(spots[1:])  # one view is left out, so all later ones are out of step
    assert told.startswith("3 of the 3 groups of 12 successive database photos are no 12 views ")
    assert "'0.jpg'" in told
    assert "--protocol raw" in told
    [told] = warnings(spots[:-1])
    assert told.startswith("1 of the 3 groups")
    assert "'24.jpg'" in told


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=30),
    st.integers(1, 4),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_timestamp_drops_the_query_s_own_visit(
    times: list[int], own: int, n: int, random: "np.random.RandomState"
) -> None:
    size = len(times)
    positives = sorted(random.sample(range(size), size // 2))  # type: ignore[attr-defined]
    truth = make_truth(size, [positives], times=(times, [own]))
    order = list(range(size))
    random.shuffle(order)
    slow = [row for row in order[:1000] if times[row] != own][:n]
    assert kept(truth, "timestamp", np.array(order), n) == slow
    rules = open_protocol(truth, "timestamp")
    assert rules.positives[0].tolist() == [row for row in positives if times[row] != own]
    assert rules.candidates() == [float(sum(time != own for time in times))]


@pytest.mark.parametrize(("own_visit", "found"), [(999, [999]), (1000, [])])
def test_timestamp_looks_for_each_n_as_deep_as_the_published_evaluation(
    own_visit: int, found: list[int]
) -> None:
    times = [7] * own_visit + [8] * (1010 - own_visit)
    truth = make_truth(1010, [[]], times=(times, [7]))
    assert kept(truth, "timestamp", np.arange(1010), 1) == found
    depths = {open_protocol(truth, "timestamp").depth(n) for n in (1, 60, 100)}
    assert depths == {1000}


def test_raw_keeps_all_and_does_not_count_the_own_photo() -> None:
    truth = make_truth(5, [[1], [2, 3]], queries=("0.jpg", "q.jpg"))
    assert kept(truth, "raw", np.array([4, 3, 2, 1]), 3) == [4, 3, 2]
    rules = open_protocol(truth)
    assert rules.name == "raw"
    assert (rules.candidates(), rules.right()) == ([4.0, 5.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("protocol", "times"),
    [("raw", None), ("tokyo-12", None), ("timestamp", ([7] * 24 + [8] * 36, [7, 8, 9]))],
)
def test_chance_is_what_random_rankings_reach(
    protocol: str, times: tuple[list[int], list[int]] | None
) -> None:
    truth = make_truth(60, [list(range(12)), [*range(12, 24), *range(48, 60)], []], times=times)
    rules = open_protocol(truth, protocol)
    rng = np.random.default_rng(3)
    ns = (1, 3)
    total = np.zeros(2)
    trials = 4000
    for _ in range(trials):
        found = []
        for query in range(3):
            ranked = rng.permutation(60)[: rules.depth(ns[-1])].astype(np.int64)
            found.append(ranked[rules.keep(query, ranked)][: ns[-1]])
        total += list(recall_at(found, rules.positives, ns).values())
    expected = list(rules.chance(ns).values())
    # 12,000 random rankings: a standard deviation of under half a per cent.
    assert total / trials == pytest.approx(expected, abs=1.6)


@pytest.mark.slow
def test_chance_of_panoramas_of_which_some_views_are_right() -> None:
    """Two panoramas of 12 and one of 4: random rankings of them, each by its best view."""
    truth = make_truth(28, [[0, 1, 2], [5, 12, 24, 25], list(range(28))])
    rules = open_protocol(truth, "tokyo-12")
    rng = np.random.default_rng(5)
    ns = (1, 2, 3)
    trials, total = 20_000, np.zeros(3)
    for _ in range(trials):
        first = np.array([rng.integers(12), 12 + rng.integers(12), 24 + rng.integers(4)])
        ranked = [rng.permutation(first).astype(np.int64)] * 3
        total += list(recall_at(ranked, rules.positives, ns).values())
    assert total / trials == pytest.approx(list(rules.chance(ns).values()), abs=1.2)
    assert rules.chance([3])[3] == pytest.approx(100 * (0.25 + 1 - 11 / 12 * 11 / 12 * 0.5 + 1) / 3)


def test_what_a_protocol_needs_is_said() -> None:
    truth = make_truth(3, [[1]])
    for name, says in {
        "timestamp": "needs a split with timestamps",
        "leave-one-out": "needs one folder or CSV of photos with positions",
        "pitts": "no protocol 'pitts'; choose one of leave-one-out, loop-closure, raw, timesta",
        "raw:3": "takes nothing after a colon",
        "raw:": "takes nothing after a colon",
        "loop-closure:x": "needs a number of frames",
        "loop-closure:": "needs a number of frames",
    }.items():
        with pytest.raises(TruthError, match=says):
            open_protocol(truth, name)
    number: Any = 5
    with pytest.raises(TruthError, match="no protocol '5'; choose one of"):
        open_protocol(truth, number)
    assert open_protocol(make_truth(2, [[1], [0]], queries=("0.jpg", "1.jpg")), "leave-one-out")
