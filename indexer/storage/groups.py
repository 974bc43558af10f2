"""The groups of places that show one spot, in one file of an index."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import shell_command
from place_search.core.files import read_regular
from place_search.core.rows import is_among
from place_search.core.text import parse_json
from place_search.indexer.errors import IndexFormatError, read_refusal

GROUPS = "groups.npz"
_COLUMNS = ("place_id", "group", "held", "compared", "same")


@dataclass(frozen=True)
class Groups:
    """The groups of the places of an index.

    `place_id` (N,) int64, ascending, are the places that were grouped, `group` (N,) int64 the id of
    the group of each: that of a place which is or was in this group, and in no other one. `held`
    (N,) bool marks places whose group was made by hand: grouping adds to it and never parts it.
    `compared` (P, 2) int64 are pairs of places, the lower id first, of which `same` (P,) bool says
    whether they show one spot. `names` are the groups' names by group id. `waiting` are the ids in
    groups of photos that the source listed no more, by stored path: no place has these ids now.
    """

    place_id: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    group: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    held: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    compared: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))
    same: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    names: Mapping[int, str] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        return np.argsort(self.group, kind="stable")

    @cached_property
    def _sorted(self) -> NDArray[np.int64]:
        return self.group[self._order]

    @cached_property
    def listed_ids(self) -> NDArray[np.int64]:
        """The ascending ids of the groups that have several places, or a name."""
        ids, counts = np.unique(self._sorted, return_counts=True)
        return ids[(counts > 1) | np.isin(ids, list(self.names))]

    def of(self, place_id: int) -> int | None:
        """The group of a place; None where the place was not grouped yet."""
        row = int(np.searchsorted(self.place_id, place_id))
        if row == len(self.place_id) or self.place_id[row] != place_id:
            return None
        return int(self.group[row])

    def first_of_spots(self, place_ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """The ascending rows of the places that come first of their group in this order.

        A place that was not grouped yet is a group of its own.
        """
        spots = -1 - place_ids
        grouped = is_among(place_ids, self.place_id)
        spots[grouped] = self.group[np.searchsorted(self.place_id, place_ids[grouped])]
        return np.sort(np.unique(spots, return_index=True)[1])

    def members(self, group: int) -> NDArray[np.int64]:
        """The ascending ids of the places of a group, none where there is no such group."""
        start, end = np.searchsorted(self._sorted, [group, group + 1])
        return self.place_id[self._order[start:end]]

    def name(self, group: int) -> str | None:
        """The name of a group; None without one."""
        return self.names.get(group)

    def only(self, place_ids: NDArray[np.int64]) -> "Groups":
        """The groups without the places that are not among these ascending ids."""
        is_kept = is_among(self.place_id, place_ids)
        if is_kept.all():
            return self
        pairs = is_among(self.compared, place_ids).all(axis=1)
        remaining = set(self.group[is_kept].tolist())
        waiting_ids = np.array(list(self.waiting.values()), np.int64)
        return replace(
            self,
            place_id=self.place_id[is_kept],
            group=self.group[is_kept],
            held=self.held[is_kept],
            compared=self.compared[pairs],
            same=self.same[pairs],
            names={group: name for group, name in self.names.items() if group in remaining},
            waiting=dict(compress(self.waiting.items(), is_among(waiting_ids, place_ids))),
        )

    def with_places(
        self, place_ids: NDArray[np.int64], groups: NDArray[np.int64], *, held: bool
    ) -> "Groups":
        """The groups with places that were not grouped yet, each in one of the `groups`."""
        place_id = np.concatenate([self.place_id, place_ids])
        order = np.argsort(place_id)
        return replace(
            self,
            place_id=place_id[order],
            group=np.concatenate([self.group, groups])[order],
            held=np.concatenate([self.held, np.full(len(place_ids), held)])[order],
        )

    def made_by_hand(self) -> "Groups":
        """The groups that were made by hand, without comparisons."""
        of_hand = Groups(
            self.place_id, self.group, self.held, names=self.names, waiting=self.waiting
        )
        return of_hand.only(self.place_id[self.held])

    def renumbered(self, ids: Mapping[int, int]) -> "Groups":
        """The groups with new place ids, by old id; places that `ids` lacks are left out."""
        remaining = self.only(np.array(sorted(ids), np.int64))
        place_id = np.array([ids[place] for place in remaining.place_id.tolist()], np.int64)
        members: dict[int, list[int]] = {}
        for group, place in zip(remaining.group.tolist(), place_id.tolist(), strict=True):
            members.setdefault(group, []).append(place)
        new_group = {
            group: ids[group] if ids.get(group) in places else min(places)
            for group, places in members.items()
        }
        order = np.argsort(place_id)
        return Groups(
            place_id[order],
            np.array([new_group[group] for group in remaining.group[order].tolist()], np.int64),
            remaining.held[order],
            names={new_group[group]: name for group, name in remaining.names.items()},
        )

    def with_successors(self, successors: Mapping[int, int]) -> "Groups":
        """The groups with each place replaced by its successor: new place id by old place id.

        The comparisons of the replaced places are dropped: they were of other photos.
        """
        place_id = np.array(
            [successors.get(place, place) for place in self.place_id.tolist()], np.int64
        )
        order = np.argsort(place_id)
        pairs = ~np.isin(self.compared, list(successors)).any(axis=1)
        return replace(
            self,
            place_id=place_id[order],
            group=self.group[order],
            held=self.held[order],
            compared=self.compared[pairs],
            same=self.same[pairs],
            waiting={
                path: place for path, place in self.waiting.items() if place not in successors
            },
        )

    def to_bytes(self) -> bytes:
        """The content of the file."""
        out = io.BytesIO()
        names = {str(group): name for group, name in sorted(self.names.items())}
        columns = {name: getattr(self, name) for name in _COLUMNS}
        if self.waiting:
            columns["waiting"] = _json_array(self.waiting)
        np.savez_compressed(out, names=_json_array(names), **columns)
        return out.getvalue()


def _json_array(table: Mapping[str, int | str]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(table).encode(), np.uint8)


def read_groups(path: Path, *, compared: bool = True) -> Groups:
    """Read the file of groups, whose checksum holds; without `compared` pairs it takes less time.

    Raises:
        IndexFormatError: the file is damaged.
        IndexReadError: the file may not or cannot be read.
    """
    try:
        with np.load(io.BytesIO(read_regular(path)), allow_pickle=False) as table:
            names = parse_json(table["names"].tobytes())
            keys = _COLUMNS if compared else _COLUMNS[:3]
            columns = {name: table[name] for name in keys}
            waiting = parse_json(table["waiting"].tobytes()) if "waiting" in table else {}
        groups = Groups(
            **columns,
            names={int(group): str(name) for group, name in names.items()},
            waiting={str(path): int(place) for path, place in waiting.items()},
        )
        if not len(groups.place_id) == len(groups.group) == len(groups.held):
            raise ValueError(path)
        if groups.compared.shape != (len(groups.same), 2):
            raise ValueError(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise read_refusal(path, error) or IndexFormatError(
            f"{path} is damaged; {shell_command('verify', path.parent, '--repair')} leaves it "
            "out, then group the photos again."
        ) from error
    return groups
