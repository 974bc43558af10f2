"""Joining groups: of a judge that knows the truth, so that nothing but the joining is tested."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from place_search.search.groups.merging import SAMPLE, SHARE, Merging
from place_search.search.groups.pairs import Pair


@dataclass
class Street:
    """Places along a line, 5 m apart, each the same spot as those at most `reach` places away."""

    reach: int
    spread_m: float = np.inf
    asked: list[tuple[int, int]] = field(default_factory=list)

    def metres(self, place_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.stack([5.0 * place_ids, 0.0 * place_ids, 0.0 * place_ids], axis=1)

    def compare_all(self, pairs: Sequence[tuple[int, int]]) -> list[Pair]:
        self.asked += pairs
        return [Pair(one, two, two - one <= self.reach) for one, two in pairs]

    def near(self, places: range) -> list[Pair]:
        return self.compare_all([p for p in combinations(places, 2) if p[1] - p[0] <= self.reach])


def alone(count: int) -> dict[int, list[int]]:
    return {place: [place] for place in range(count)}


def extents(merging: Merging) -> list[int]:
    return [max(places) - min(places) for places in merging.members.values()]


def test_a_chain_does_not_swallow_a_street() -> None:
    street = Street(reach=3)
    merging = Merging(street, alone(200), set(), street.near(range(200)))
    merging.join(range(200))
    assert sorted(chain.from_iterable(merging.members.values())) == list(range(200))
    assert max(extents(merging)) <= 3 * street.reach
    assert len(merging.members) < 70


def test_photos_of_one_spot_are_one_group_though_few_of_them_were_compared() -> None:
    spot = Street(reach=60)
    links = spot.compare_all([(place, place + 1) for place in range(59)])
    merging = Merging(spot, alone(60), set(), links)
    merging.join(range(60))
    assert list(merging.members) == [0]
    assert len(spot.asked) < 60 * SAMPLE  # of 1770 pairs


def test_groups_end_where_positions_are_too_far_apart() -> None:
    spot = Street(reach=60, spread_m=25.0)
    merging = Merging(spot, alone(60), set(), spot.near(range(60)))
    merging.join(range(60))
    assert max(extents(merging)) == 5  # at 5 m a place
    assert len(merging.members) <= 20


def test_groups_made_by_hand_are_never_joined_but_grow() -> None:
    spot = Street(reach=9)
    members = {0: [0, 1, 2], 3: [3, 4, 5], 6: [6]}
    merging = Merging(spot, members, {0, 3}, spot.near(range(7)))
    merging.join([6])
    assert sorted(len(places) for places in merging.members.values()) == [3, 4]
    assert set(merging.members) == {0, 3}


def test_a_group_keeps_the_id_that_it_has_by_hand() -> None:
    spot = Street(reach=9)
    merging = Merging(spot, {0: [0], 3: [3, 4]}, {3}, spot.near(range(5)))
    merging.join([0])
    assert merging.members == {3: [3, 4, 0]}


def test_no_more_pairs_are_compared_than_the_answer_needs() -> None:
    for reach, asked in ((99, SHARE * SAMPLE), (20, SAMPLE - SHARE * SAMPLE + 1)):
        spot = Street(reach)
        members = {0: list(range(20)), 40: list(range(40, 60))}
        merging = Merging(spot, members, set(), [Pair(19, 40, True)])
        merging.join([40])
        assert len(merging.members) == (1 if reach == 99 else 2)
        assert len(spot.asked) <= asked < SAMPLE
        assert len(set(spot.asked)) == len(spot.asked)


@dataclass
class Cloud:
    """Places at random points, all of them the same spot."""

    points: NDArray[np.float64]
    spread_m: float

    def metres(self, place_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.points[place_ids]

    def compare_all(self, pairs: Sequence[tuple[int, int]]) -> list[Pair]:
        return [Pair(one, two, True) for one, two in pairs]


def test_groups_lie_within_the_spread_to_the_centimetre() -> None:
    rng = np.random.default_rng(0)
    for count in rng.integers(2, 40, 60).tolist():
        points = rng.normal(0, 1, (count, 3)) + 4e6
        points[2:][rng.random(count - 2) < 0.1] = np.nan
        differences = points[:, None] - points
        widest = float(np.nanmax(np.linalg.norm(differences, axis=2), initial=0.0))
        half = count // 2
        for spread_m, is_one in ((widest + 0.01, True), (widest - 0.01, False)):
            halves = {0: [*range(half)], half: [*range(half, count)]}
            merging = Merging(Cloud(points, spread_m), halves, set(), [(0, count - 1, True)])
            merging.join([0])
            assert (len(merging.members) == 1) == is_one


def test_photos_of_a_camera_that_stays_are_not_compared_all_with_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = np.random.default_rng(0).uniform(-5, 5, (2000, 3)) + 4e6
    members = {0: [*range(1999)], 1999: [1999]}
    merging = Merging(Cloud(points, 25.0), members, set(), [(0, 1999, True)])
    norm, measured = np.linalg.norm, []

    def counted(vectors: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        measured.append(len(vectors))
        lengths: NDArray[np.float64] = norm(vectors, axis=axis)
        return lengths

    monkeypatch.setattr(np.linalg, "norm", counted)
    merging.join([1999])
    assert list(merging.members) == [0]
    assert sum(measured) <= 10 * len(points)
