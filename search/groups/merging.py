"""Joining groups of places whose photos show the same spot, with care.

Agglomerative clustering by average linkage: of all groups that are connected those with the largest
share of equal pairs are joined first, and only where a sample of pairs across the two, not chosen
by how similar they are, is equal often enough. A chain of photos along a street so falls apart into
what is seen together.
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
"""Of the sampled pairs across two groups; with as many equal ones they are joined."""
SAMPLE = 16
"""Pairs across two groups that are compared, at most, before they are joined."""


class Judge(Protocol):
    """Says whether two places show the same spot."""

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
    """Groups that grow: group id → the places in it."""

    def __init__(
        self,
        judge: Judge,
        members: dict[int, list[int]],
        held: set[int],
        known: Iterable[tuple[int, int, bool]],
    ) -> None:
        """`held` groups are never joined with each other; `known` are the pairs compared so far."""
        self.members, self.held = members, held
        self._judge = judge
        self.known = {(first, second): same for first, second, same in known}
        self._group_of = {place: group for group, places in members.items() for place in places}
        self._links: dict[int, dict[int, int]] = {}
        for pair, same in self.known.items():
            if same:
                self._link(*pair)

    def _link(self, first: int, second: int) -> None:
        one, two = self._group_of.get(first), self._group_of.get(second)
        if one is None or two is None or one == two:
            return
        for here, there in ((one, two), (two, one)):
            counts = self._links.setdefault(here, {})
            counts[there] = counts.get(there, 0) + 1

    def join(self, changed: Iterable[int]) -> None:
        """Join what belongs together, as far as it touches the `changed` groups."""
        heap: list[tuple[float, int, int, int]] = []
        for group in changed:
            self._push(heap, group)
        # What the first joins ask is compared at once, so that no core waits for another.
        first = sorted({(one, two) for _, one, two, _ in heap if self._may_join(one, two)})
        self._compare(
            [pair for one, two in first for pair in self._open_pairs(self._sample(one, two))]
        )
        while heap:
            _, one, two, size = heapq.heappop(heap)
            if one not in self.members or two not in self.members:
                continue
            if len(self.members[one]) * len(self.members[two]) != size:
                continue  # one has grown, and was pushed again
            if self._belong_together(one, two):
                self._push(heap, self._unite(one, two))

    def across(self) -> list[tuple[int, int]]:
        """The compared pairs across groups: those inside of one are never asked again."""
        of = self._group_of.get
        return sorted(
            pair for pair in self.known if of(pair[0]) is None or of(pair[0]) != of(pair[1])
        )

    def _push(self, heap: list[tuple[float, int, int, int]], group: int) -> None:
        for other, links in self._links.get(group, {}).items():
            size = len(self.members[group]) * len(self.members[other])
            heapq.heappush(heap, (-links / size, min(group, other), max(group, other), size))

    def _belong_together(self, one: int, two: int) -> bool:
        if not self._may_join(one, two):
            return False
        sample = self._sample(one, two)
        while pairs := self._open_pairs(sample):
            self._compare(pairs)
        return self._still_wanted(sample) <= 0

    def _may_join(self, one: int, two: int) -> bool:
        both_held = one in self.held and two in self.held
        return not both_held and self._within_spread(self.members[one] + self.members[two])

    def _sample(self, one: int, two: int) -> Pairs:
        """Pairs across two groups, spread evenly over all of them."""
        here, there = sorted(self.members[one]), sorted(self.members[two])
        size = len(here) * len(there)
        picks = np.linspace(0, size - 1, min(size, SAMPLE)).round().astype(int).tolist()
        # Each step moves on in both, so that no place is asked more often than it must be.
        pairs = [
            (here[at % len(here)], there[(at // len(here) + at % len(here)) % len(there)])
            for at in picks
        ]
        return [(min(pair), max(pair)) for pair in pairs]

    def _still_wanted(self, sample: Pairs) -> int:
        """How many equal pairs the sample lacks for its groups to be joined."""
        same = sum(self.known.get(pair, False) for pair in sample)
        return math.ceil(SHARE * len(sample)) - same

    def _open_pairs(self, sample: Pairs) -> Pairs:
        """The pairs to compare next: as many as may settle the answer, none once it is settled."""
        wanted = self._still_wanted(sample)
        unknown = [pair for pair in sample if pair not in self.known]
        settling = min(wanted, len(unknown) - wanted + 1)
        return unknown[: max(settling, 0)]

    def _compare(self, pairs: Pairs) -> None:
        for first, second, equal in self._judge.compare_all(pairs):
            self.known[first, second] = equal
            if equal:
                self._link(first, second)

    def _within_spread(self, places: list[int]) -> bool:
        metres = self._judge.metres(np.array(places, np.int64))
        metres = metres[np.isfinite(metres).all(axis=1)]
        # In blocks: the groups of an index at one spot may be large.
        return all(
            (np.linalg.norm(metres - point, axis=1) <= self._judge.spread_m).all()
            for point in metres
        )

    def _unite(self, one: int, two: int) -> int:
        """Put the groups together under the lower id, or under that of the held one."""
        kept, gone = (two, one) if two in self.held else (one, two)
        for place in self.members[gone]:
            self._group_of[place] = kept
        self.members[kept] += self.members.pop(gone)
        links = self._links.setdefault(kept, {})
        for other, count in self._links.pop(gone, {}).items():
            counts = self._links[other]
            del counts[gone]
            if other != kept:
                links[other] = links.get(other, 0) + count
                counts[kept] = links[other]
        return kept
