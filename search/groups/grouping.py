"""Grouping the places of an index that show one spot, those that are new since the last time.

A place is compared with the most similar places; then groups are joined (see `merging`). The index
keeps the compared pairs, so that none is compared twice.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.core.tables import require_number
from place_search.indexer import Groups, change_groups, open_index
from place_search.indexer.storage.lock import FINISHING_SECONDS
from place_search.models import Model
from place_search.search.groups.merging import Merging
from place_search.search.groups.pairs import Pair, PairJudge
from place_search.search.index_calibration import calibration_for
from place_search.search.reasons import reason_dict

SPREAD_M = 25.0
"""The distance within which two photos usually count as one place in the literature."""
SAVED_EVERY = 2000
"""The number of new places after which the groups are saved: an interrupted run goes on there."""


class GroupReport(NamedTuple):
    """The places of an index, how many are `new`, its groups of two or more, and their places.

    `notes` say whose calibration judged them, where that is neither the index's nor the model's.
    """

    places: int
    new: int
    groups: int
    grouped: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """What `place-search group --json` prints."""
        return {**self._asdict(), "reasons": list(map(reason_dict, self.notes))}


def group_places(
    folder: Path,
    model: Model,
    *,
    spread_m: float = SPREAD_M,
    anew: bool = False,
    progress: Progress = silent,
) -> GroupReport:
    """Group the places of an index that are in no group yet.

    Places more than `spread_m` metres apart are never in one group. `anew` dissolves all groups
    first, but for those that were named or made by hand.

    Raises:
        WrongParameterError: `spread_m` is less than 1 m.
        IndexFormatError: no index, a damaged one, or one of an older format.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
        StoreOutageError: the engine that holds the vectors does not answer.
    """
    require_number("spread_m", spread_m, 1)
    index = open_index(folder)
    if anew:
        change_groups(folder, Groups.made_by_hand)
        index = open_index(folder)
    chosen = calibration_for(index, model)
    judge = PairJudge(index, chosen.calibration, spread_m)
    new = np.setdiff1d(index.place_ids, index.groups.place_id)
    groups = index.groups
    for start in range(0, len(new), SAVED_EVERY):
        batch = new[start : start + SAVED_EVERY]
        compared = _compare_new(judge, batch, start, len(new), progress)
        added = _Addition(judge, batch, compared).added
        groups = change_groups(folder, added, patience=FINISHING_SECONDS) or groups
    return _report(groups.only(index.place_ids), len(new), chosen.notes)


def _report(groups: Groups, new: int, notes: tuple[str, ...]) -> GroupReport:
    _, sizes = np.unique(groups.group, return_counts=True)
    several = sizes[sizes > 1]
    return GroupReport(len(groups.place_id), new, len(several), int(several.sum()), notes)


def _compare_new(
    judge: PairJudge, batch: NDArray[np.int64], start: int, total: int, progress: Progress
) -> list[Pair]:
    """Compare a batch of new places, which begins at `start` of `total`, with similar places."""
    pairs: list[Pair] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        places = batch.tolist()
        neighbours = dict(zip(places, pool.map(judge.neighbours, places), strict=True))
        candidates = (_candidates(neighbours, place) for place in places)
        for number, compared in enumerate(pool.map(judge.compare, places, candidates), start + 1):
            pairs += compared
            progress("Grouping", number, total)
    return pairs


def _candidates(neighbours: dict[int, list[int]], place_id: int) -> list[int]:
    """The neighbours to compare with a place, without those of a higher id that have it as one.

    So no pair is compared twice.
    """
    return [
        other
        for other in neighbours[place_id]
        if other < place_id or place_id not in neighbours.get(other, ())
    ]


class _Addition(NamedTuple):
    """New places for the groups of an index, with the pairs that were compared for them."""

    judge: PairJudge
    places: NDArray[np.int64]
    compared: list[Pair]

    def added(self, groups: Groups) -> Groups:
        """The groups with the new places in them."""
        index = self.judge.index
        stored = index.descriptors().stored_ids
        # Somebody may have grouped places by hand that were added since the index was opened.
        newer = groups.place_id[groups.place_id > stored[-1]]
        waiting = np.array(list(groups.waiting.values()), np.int64)
        groups = groups.only(np.union1d(waiting, np.concatenate([stored, newer])))
        live = groups.only(index.place_ids)
        new = np.setdiff1d(self.places, groups.place_id).tolist()
        members: dict[int, list[int]] = {}
        for place, group in zip(live.place_id.tolist(), live.group.tolist(), strict=True):
            members.setdefault(group, []).append(place)
        for place in new:
            members.setdefault(place, []).append(place)  # with others if a group has its id
        compared = [
            *zip(*live.compared.T.tolist(), live.same.tolist(), strict=True),
            *self.compared,
        ]
        held_groups = set(np.unique(groups.group[groups.held]).tolist())
        merging = Merging(self.judge, members, held_groups, compared)
        merging.join(new)
        return _groups_of(merging, groups)


def _groups_of(merging: Merging, old: Groups) -> Groups:
    """The groups after merging; removed places, which may be restored, stay in theirs."""
    rows = {place: group for group, places in merging.members.items() for place in places}
    before = list(zip(old.place_id.tolist(), old.group.tolist(), strict=True))
    new_groups = {group: rows[place] for place, group in before if place in rows}
    rows |= {place: new_groups.get(group, group) for place, group in before if place not in rows}
    place_id = np.array(sorted(rows), np.int64)
    pairs = merging.across()
    return Groups(
        place_id=place_id,
        group=np.array([rows[place] for place in place_id.tolist()], np.int64),
        held=np.isin(place_id, old.place_id[old.held]),
        compared=np.array(pairs, np.int64).reshape(-1, 2),
        same=np.array([merging.is_same[pair] for pair in pairs], np.bool_),
        names=old.names,
        waiting=old.waiting,
    )
