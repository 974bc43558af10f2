"""Joining groups of places whose photos show the same spot, with care.

Agglomerative clustering by average linkage: of all connected groups those with the largest share of
equal pairs are joined first, and only where enough pairs of a sample across the two groups, chosen
without regard to similarity, are equal. So a chain of photos along a street falls into groups of
photos that show common objects.
"""

import heapq
import math
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.search.groups.pairs import Pair

Pairs: TypeAlias = list[tuple[int, int]]
"""Pairs of places, the lower id first."""
SHARE = 0.25
"""The share of the sampled pairs across two groups that must be equal to join the groups."""
SAMPLE = 16
"""The largest number of pairs across two groups that are compared before the groups are joined."""
_ROUNDING_M = 1e-6
"""More than what rounding changes in a distance of two places, in metres."""


class Judge(Protocol):
    """Decides whether two places show the same spot."""

    @property
    def spread_m(self) -> float:
        """The largest distance of two places of a group, in metres."""
        ...

    def metres(self, place_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Geocentric metres of places, (n, 3) float64, NaN where there is no position."""
        ...

    def compare_all(self, pairs: Sequence[tuple[int, int]]) -> list[Pair]:
        """Compare pairs of places."""
        ...


class Merging:
    """The groups of places while they are joined; `members` are the places of each group id."""

    def __init__(
        self,
        judge: Judge,
        members: dict[int, list[int]],
        held_groups: set[int],
        compared: Iterable[tuple[int, int, bool]],
    ) -> None:
        """`held_groups` never join each other; `compared` pairs are not compared again."""
        self.members, self.held_groups = members, held_groups
        self._judge = judge
        self.is_same = {(first, second): same for first, second, same in compared}
        self._group_of = {place: group for group, places in members.items() for place in places}
        self._links: dict[int, dict[int, int]] = {}
        for pair, same in self.is_same.items():
            if same:
                self._link(*pair)

    def _link(self, first_place: int, second_place: int) -> None:
        first, second = self._group_of.get(first_place), self._group_of.get(second_place)
        if first is None or second is None or first == second:
            return
        for group, other in ((first, second), (second, first)):
            counts = self._links.setdefault(group, {})
            counts[other] = counts.get(other, 0) + 1

    def join(self, changed: Iterable[int]) -> None:
        """Join the `changed` groups, and those that they become, with the groups they belong to."""
        heap: list[tuple[float, int, int, int]] = []
        for group in changed:
            self._push(heap, group)
        # The pairs that the first joins need are compared in one call, so that all cores work.
        candidates = sorted(
            {(first, second) for _, first, second, _ in heap if self._may_join(first, second)}
        )
        self._compare(
            [pair for groups in candidates for pair in self._open_pairs(self._sample(*groups))]
        )
        while heap:
            _, first, second, size = heapq.heappop(heap)
            if first not in self.members or second not in self.members:
                continue
            if len(self.members[first]) * len(self.members[second]) != size:
                continue  # one of the groups has grown, and was pushed again
            if self._belong_together(first, second):
                self._push(heap, self._unite(first, second))

    def across(self) -> list[tuple[int, int]]:
        """The compared pairs across groups: pairs inside a group are not needed again."""
        of = self._group_of.get
        return sorted(
            pair for pair in self.is_same if of(pair[0]) is None or of(pair[0]) != of(pair[1])
        )

    def _push(self, heap: list[tuple[float, int, int, int]], group: int) -> None:
        for other, links in self._links.get(group, {}).items():
            size = len(self.members[group]) * len(self.members[other])
            heapq.heappush(heap, (-links / size, min(group, other), max(group, other), size))

    def _belong_together(self, first: int, second: int) -> bool:
        if not self._may_join(first, second):
            return False
        sample = self._sample(first, second)
        while pairs := self._open_pairs(sample):
            self._compare(pairs)
        return self._missing_matches(sample) <= 0

    def _may_join(self, first: int, second: int) -> bool:
        both_held = first in self.held_groups and second in self.held_groups
        return not both_held and self._within_spread(self.members[first] + self.members[second])

    def _sample(self, first: int, second: int) -> Pairs:
        """Pairs across two groups, spread evenly over all of them."""
        places, others = sorted(self.members[first]), sorted(self.members[second])
        size = len(places) * len(others)
        picks = np.linspace(0, size - 1, min(size, SAMPLE)).round().astype(int).tolist()
        # Each step moves on in both groups, so that the sample uses each place about as often.
        pairs = [
            (
                places[at % len(places)],
                others[(at // len(places) + at % len(places)) % len(others)],
            )
            for at in picks
        ]
        return [(min(pair), max(pair)) for pair in pairs]

    def _missing_matches(self, sample: Pairs) -> int:
        """The number of equal pairs that the sample lacks for its groups to be joined."""
        same = sum(self.is_same.get(pair, False) for pair in sample)
        return math.ceil(SHARE * len(sample)) - same

    def _open_pairs(self, sample: Pairs) -> Pairs:
        """The pairs to compare next, as few as may settle the decision; none once it is settled."""
        missing = self._missing_matches(sample)
        unknown = [pair for pair in sample if pair not in self.is_same]
        settling = min(missing, len(unknown) - missing + 1)
        return unknown[: max(settling, 0)]

    def _compare(self, pairs: Pairs) -> None:
        for first, second, equal in self._judge.compare_all(pairs):
            self.is_same[first, second] = equal
            if equal:
                self._link(first, second)

    def _within_spread(self, places: list[int]) -> bool:
        metres = self._judge.metres(np.array(places, np.int64))
        metres = metres[np.isfinite(metres).all(axis=1)]
        if not len(metres):
            return True
        # By the triangle inequality, a point near the centre of all is too far from none. So the
        # photos of a camera that stays in one place are not compared with each other, all with all.
        radii = np.linalg.norm(metres - (metres.min(axis=0) + metres.max(axis=0)) / 2, axis=1)
        outer = metres[radii + radii.max() >= self._judge.spread_m - _ROUNDING_M]
        return all(
            (np.linalg.norm(outer - point, axis=1) <= self._judge.spread_m).all() for point in outer
        )

    def _unite(self, first: int, second: int) -> int:
        """Join two groups under the lower id, or under that of the held group."""
        target, source = (second, first) if second in self.held_groups else (first, second)
        for place in self.members[source]:
            self._group_of[place] = target
        self.members[target] += self.members.pop(source)
        links = self._links.setdefault(target, {})
        for other, count in self._links.pop(source, {}).items():
            counts = self._links[other]
            del counts[source]
            if other != target:
                links[other] = links.get(other, 0) + count
                counts[target] = links[other]
        return target
