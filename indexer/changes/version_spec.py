"""The specification of the next version of an index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import FileStamp
from place_search.indexer.storage.descriptor_codes import INT8, DescriptorType
from place_search.indexer.storage.edits import Edit, read_edits, with_successors, write_edits
from place_search.indexer.storage.groups import GROUPS, Groups, read_groups
from place_search.indexer.storage.manifest import FORMAT_VERSION, ForgottenPhotos, Skipped
from place_search.indexer.storage.plan import Header, Plan
from place_search.indexer.stores.store_files import StoreRequest


@dataclass(frozen=True, slots=True)
class VersionSpec:
    """The specification of the next version.

    The `kept_shards` of the old version stay, but for their rows of the places `removed`; the
    shards of `plan` are made, with or without `local_features`, with numbers of `descriptor_type`.
    At least one of the first `listed_count` ids must be made. `skipped` are photos that earlier
    runs left out. `request` names the kind of change, `base` is the id of the version that is
    changed. `edits` is the file of edits, already written, and `groups` that of the groups; each
    may be empty. `new_groups` are to be written in place of `groups`. `successors` are new places
    by the ids of the places that they replace, whose edits and groups they get: an old place goes
    only if its successor could be made. `returning` are former edits of photos that are in the
    index again, by the ids of their new places; `rejoining` are new places by the ids that their
    photos had in groups.
    """

    request: str
    plan: Plan
    model_entry: Mapping[str, Any]
    source: Mapping[str, str]
    next_place_id: int
    store: StoreRequest
    kept_shards: Sequence[str] = ()
    removed: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    listed_count: int = 0
    skipped: Sequence[Skipped] = ()
    base: str = ""
    local_features: bool = True
    verifier_entry: Mapping[str, Any] | None = None
    forgotten: ForgottenPhotos = field(default_factory=dict)
    descriptor_type: DescriptorType = INT8
    edits: Mapping[str, FileStamp] = field(default_factory=dict)
    groups: Mapping[str, FileStamp] = field(default_factory=dict)
    new_groups: Groups | None = None
    successors: Mapping[int, int] = field(default_factory=dict)
    returning: Mapping[int, Edit] = field(default_factory=dict)
    rejoining: Mapping[int, int] = field(default_factory=dict)

    @property
    def header(self) -> Header:
        """The header of the journal: an interrupted run goes on only if it is equal."""
        return {
            "format_version": FORMAT_VERSION,
            "request": self.request,
            "fingerprint": str(self.model_entry["fingerprint"]),
            "base": self.base,
            "root": self.source["root"],
            "places": self.plan.places,
            "parts": len(self.plan),
            "first_number": self.plan.first_number,
        }

    def with_places_made(self, folder: Path, made_ids: NDArray[np.int64]) -> "VersionSpec":
        """The specification for the places that could be made: those with a successor are removed.

        The edits of the new places are written. `groups_to_write` uses the successors too.

        Raises:
            IndexFormatError: the file of edits is damaged.
        """
        successors = {old: new for old, new in self.successors.items() if new in made_ids}
        removed = np.union1d(self.removed, np.array(list(successors), np.int64))
        returning = {new: edit for new, edit in self.returning.items() if new in made_ids}
        edits = self.edits
        if edits and (successors or returning):
            new_edits = with_successors(read_edits(folder, edits), successors)
            edits = write_edits(
                folder, replace(new_edits, by_place={**new_edits.by_place, **returning})
            )
        rejoining = {old: new for old, new in self.rejoining.items() if new in made_ids}
        return replace(
            self, successors=successors, removed=removed, edits=edits, rejoining=rejoining
        )

    def groups_to_write(self, folder: Path) -> Groups | None:
        """The new groups, or the old ones with successors; None to leave the file of groups."""
        successors = {**self.rejoining, **self.successors}
        if not successors or not self.groups:
            return self.new_groups
        return read_groups(folder / GROUPS).with_successors(successors)
