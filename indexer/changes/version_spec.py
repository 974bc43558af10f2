"""What the next version of an index is to hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import FileStamp
from place_search.indexer.storage.descriptor_codes import INT8, DescriptorType
from place_search.indexer.storage.edits import Edit, given_on, read_edits, write_edits
from place_search.indexer.storage.groups import GROUPS, Groups, read_groups
from place_search.indexer.storage.manifest import FORMAT_VERSION, Forgotten, Skipped
from place_search.indexer.storage.plan import Header, Plan
from place_search.indexer.stores.store_files import StoreRequest


@dataclass(frozen=True, slots=True)
class VersionSpec:
    """What the next version is to hold.

    The shards `kept` of the version `old` stay, but for their rows of the places `removed`; those
    of `plan` are made, with or without `local_features`, all with the numbers of `descriptor_type`.
    Of the first `listed` ids one at least must be made. `skipped` are photos that earlier runs left
    out. `request` says what was asked for; `base` is the id of the version that is changed. `edits`
    is the file, written already, of what people have said of places, `groups` that of the places
    that show one spot; each may be none. `new_groups` are to be written in place of that file.
    `heirs` are new places by the ids of those that they replace, with all that was said of them: an
    old place goes only if the new one could be made. `returning` is what was said of the photos of
    new places when these were in the index before, by the ids of the new ones; `rejoining` are new
    places, by the ids that their photos had in groups.
    """

    request: str
    plan: Plan
    model_entry: Mapping[str, Any]
    source: Mapping[str, str]
    next_place_id: int
    store: StoreRequest
    kept: Sequence[str] = ()
    removed: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    listed: int = 0
    skipped: Sequence[Skipped] = ()
    base: str = ""
    local_features: bool = True
    verifier_entry: Mapping[str, Any] | None = None
    forgotten: Forgotten = field(default_factory=dict)
    descriptor_type: DescriptorType = INT8
    edits: Mapping[str, FileStamp] = field(default_factory=dict)
    groups: Mapping[str, FileStamp] = field(default_factory=dict)
    new_groups: Groups | None = None
    heirs: Mapping[int, int] = field(default_factory=dict)
    returning: Mapping[int, Edit] = field(default_factory=dict)
    rejoining: Mapping[int, int] = field(default_factory=dict)

    @property
    def header(self) -> Header:
        """What must be equal for an interrupted run to go on."""
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

    def replacing(self, folder: Path, made: NDArray[np.int64]) -> "VersionSpec":
        """The same when it is known which places could be made: those that have an heir go.

        They have the edits that they are to get, in a file that is now written. `groups_to_write`
        has heirs too.

        Raises:
            IndexFormatError: the file of edits is damaged.
        """
        heirs = {old: new for old, new in self.heirs.items() if new in made}
        removed = np.union1d(self.removed, np.array(list(heirs), np.int64))
        back = {new: edit for new, edit in self.returning.items() if new in made}
        edits = self.edits
        if edits and (heirs or back):
            said = given_on(read_edits(folder, edits), heirs)
            edits = write_edits(folder, replace(said, by_place={**said.by_place, **back}))
        rejoining = {old: new for old, new in self.rejoining.items() if new in made}
        return replace(self, heirs=heirs, removed=removed, edits=edits, rejoining=rejoining)

    def groups_to_write(self, folder: Path) -> Groups | None:
        """The new groups, or those with heirs in the stead of others; None to leave the file."""
        heirs = {**self.rejoining, **self.heirs}
        if not heirs or not self.groups:
            return self.new_groups
        return read_groups(folder / GROUPS).given_on(heirs)
