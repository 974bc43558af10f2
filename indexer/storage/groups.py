"""The groups of places that show one spot, as an index keeps them: one file, whole or absent."""

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

from place_search.core.files import read_regular
from place_search.core.rows import is_among
from place_search.indexer.errors import IndexFormatError, refusal

GROUPS = "groups.npz"
_COLUMNS = ("place_id", "group", "held", "compared", "same")


@dataclass(frozen=True)
class Groups:
    """Which places belong together.

    `place_id` (N,) int64, ascending, are the places that were grouped, `group` (N,) int64 the id of
    the group of each: that of a place which is or was in it, and in no other one. `held` (N,) bool
    marks places whose group was made by hand: grouping adds to it and never parts it. `compared`
    (P, 2) int64 are pairs of places, the lower id first, of which `same` (P,) bool says whether
    they show one spot. `names` are those given to groups. `waiting` are the ids that no place has
    any more, of photos that went by themselves, by the stored paths of these.
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
    def told(self) -> NDArray[np.int64]:
        """The ascending ids of the groups that have several places, or a name."""
        ids, counts = np.unique(self._sorted, return_counts=True)
        return ids[(counts > 1) | np.isin(ids, list(self.names))]

    def of(self, place_id: int) -> int | None:
        """The group of a place; None where it was not grouped yet."""
        row = int(np.searchsorted(self.place_id, place_id))
        if row == len(self.place_id) or self.place_id[row] != place_id:
            return None
        return int(self.group[row])

    def first_of_spots(self, place_ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Which of these places are the first of their group in this order: their ascending rows.

        A place that was not grouped yet is the first of its own.
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
        """The name that a group was given."""
        return self.names.get(group)

    def only(self, place_ids: NDArray[np.int64]) -> "Groups":
        """The same without the places that are not among these ids, which ascend."""
        kept = is_among(self.place_id, place_ids)
        if kept.all():
            return self
        pairs = is_among(self.compared, place_ids).all(axis=1)
        left = set(self.group[kept].tolist())
        away = np.array(list(self.waiting.values()), np.int64)
        return replace(
            self,
            place_id=self.place_id[kept],
            group=self.group[kept],
            held=self.held[kept],
            compared=self.compared[pairs],
            same=self.same[pairs],
            names={group: name for group, name in self.names.items() if group in left},
            waiting=dict(compress(self.waiting.items(), is_among(away, place_ids))),
        )

    def only_held(self) -> "Groups":
        """The groups that were made by hand, without what was compared."""
        of_hand = Groups(
            self.place_id, self.group, self.held, names=self.names, waiting=self.waiting
        )
        return of_hand.only(self.place_id[self.held])

    def renumbered(self, ids: Mapping[int, int]) -> "Groups":
        """The same places in an index that is made anew, by their ids there; the others go."""
        kept = self.only(np.array(sorted(ids), np.int64))
        place_id = np.array([ids[place] for place in kept.place_id.tolist()], np.int64)
        members: dict[int, list[int]] = {}
        for group, place in zip(kept.group.tolist(), place_id.tolist(), strict=True):
            members.setdefault(group, []).append(place)
        now = {
            group: ids[group] if ids.get(group) in places else min(places)
            for group, places in members.items()
        }
        order = np.argsort(place_id)
        return Groups(
            place_id[order],
            np.array([now[group] for group in kept.group[order].tolist()], np.int64),
            kept.held[order],
            names={now[group]: name for group, name in kept.names.items()},
        )

    def given_on(self, heirs: Mapping[int, int]) -> "Groups":
        """The same with new places in the stead of others, by the ids of the old and the new.

        What the photos of the old ones were compared with is dropped.
        """
        ids = np.array([heirs.get(place, place) for place in self.place_id.tolist()], np.int64)
        order = np.argsort(ids)
        pairs = ~np.isin(self.compared, list(heirs)).any(axis=1)
        return replace(
            self,
            place_id=ids[order],
            group=self.group[order],
            held=self.held[order],
            compared=self.compared[pairs],
            same=self.same[pairs],
            waiting={path: place for path, place in self.waiting.items() if place not in heirs},
        )

    def to_bytes(self) -> bytes:
        """The content of the file."""
        out = io.BytesIO()
        names = {str(group): name for group, name in sorted(self.names.items())}
        columns = {name: getattr(self, name) for name in _COLUMNS}
        if self.waiting:
            columns["waiting"] = _packed(self.waiting)
        np.savez_compressed(out, names=_packed(names), **columns)
        return out.getvalue()


def _packed(table: Mapping[str, int | str]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(table).encode(), np.uint8)


def read_groups(path: Path, *, compared: bool = True) -> Groups:
    """Read the file of an index whose checksum holds; without what was `compared` it takes less.

    Raises:
        IndexFormatError: it is damaged.
        IndexReadError: it may not or cannot be read.
    """
    try:
        with np.load(io.BytesIO(read_regular(path)), allow_pickle=False) as table:
            names = json.loads(table["names"].tobytes())
            wanted = _COLUMNS if compared else _COLUMNS[:3]
            columns = {name: table[name] for name in wanted}
            waiting = json.loads(table["waiting"].tobytes()) if "waiting" in table else {}
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
        raise refusal(path, error) or IndexFormatError(
            f"{path} is damaged; `place-search verify {path.parent} --repair` leaves it out, then "
            "group the photos again."
        ) from error
    return groups
