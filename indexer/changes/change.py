"""Changing an index without making it again: the code that all changes share.

Each change commits one new version. Places that stay keep their ids and are not embedded again;
removed ones stay in their shards, flagged, until the index is compacted.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.indexer.changes.duplicates import Duplicate
from place_search.indexer.changes.kept_files import settle_kept_files
from place_search.indexer.changes.version_builder import (
    Outcome,
    VersionBuilder,
    finish_commit,
    first_free_number,
)
from place_search.indexer.changes.version_spec import VersionSpec
from place_search.indexer.errors import IndexFormatError
from place_search.indexer.pipeline import StageClock
from place_search.indexer.places import PhotoNote, PlacePhoto
from place_search.indexer.sources.photo_list import Intake
from place_search.indexer.storage.commit import (
    checked_paths,
    finalize_commit,
    matches_stamp,
    share_new_files,
)
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.edits import Edits, is_edits_file, read_edits
from place_search.indexer.storage.groups import GROUPS
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.lock import lock, plain_write_errors
from place_search.indexer.storage.manifest import CHANGEABLE, Manifest, Skipped, read_manifest
from place_search.indexer.storage.plan import Journal, Plan, shard_photos, split_ids
from place_search.indexer.stores.store_card import StoreCard, store_card
from place_search.indexer.stores.store_files import StoreRequest
from place_search.models import Model


class StillThere(NamedTuple):
    """A place that `sync` removed although its photo exists, outside of the source."""

    place_id: int
    photo: str


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """The result of a change, in numbers of places.

    `changed` photos have a new place instead of their old one. Of `copied` photos the index had the
    content already, so that they were not embedded; `reused` photos were embedded by an earlier,
    interrupted run. `duplicates` have the same content as an earlier place; `positioned` places of
    the index have a position; `forgotten` photos were left out as their places were removed by
    hand; the photos of `still_there` exist outside of the source, and their places are among
    `removed`; `notes` are on oddities of photos, `intake` is on their source, None without one.
    """

    index_id: str
    places: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    copied: int = 0
    unchanged: int = 0
    reused: int = 0
    compacted: bool = False
    forgotten: int = 0
    still_there: list[StillThere] = field(default_factory=list)
    positioned: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    notes: list[PhotoNote] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    intake: Intake | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `--json` prints of a change."""
        return {
            "index_id": self.index_id,
            "places": self.places,
            "positions": self.positioned,
            "notes": [note._asdict() for note in self.notes],
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "copied": self.copied,
            "reused": self.reused,
            "compacted": self.compacted,
            "forgotten": self.forgotten,
            "still_there": [place._asdict() for place in self.still_there],
            "skipped": [photo._asdict() for photo in self.skipped],
            "duplicates": [photo._asdict() for photo in self.duplicates],
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
            **(self.intake.to_dict() if self.intake is not None else {}),
        }


class Change:
    """An index that is locked for a change; see `changing`."""

    def __init__(self, folder: Path, manifest: Manifest, progress: Progress) -> None:
        self.folder, self.manifest, self.progress = folder, manifest, progress
        self.started = time.perf_counter()
        self.clock = StageClock()
        self._contents: Contents | None = None
        self._edits: Edits | None = None
        self.committed = False

    @property
    def contents(self) -> Contents:
        """The content of the shards of the version, opened at the first access."""
        if self._contents is None:
            self._contents = Contents(self.manifest, checked_paths(self.folder, self.manifest))
            self._contents.check()
        return self._contents

    @property
    def edits(self) -> Edits:
        """The edits of the version, read at the first access."""
        if self._edits is None:
            self._edits = read_edits(self.folder, self.manifest.files)
        return self._edits

    def paths(self, place_ids: NDArray[np.int64]) -> list[Path]:
        """The paths of the photos of places."""
        root = self.manifest.root
        rows = np.searchsorted(self.contents.rows.place_ids, place_ids).tolist()
        return [root / self.contents.text("path", row) for row in rows]

    @property
    def card(self) -> StoreCard:
        """The card of the vector store."""
        return store_card(self.manifest)

    def draft(
        self,
        request: str,
        photos: Mapping[int, PlacePhoto] | None = None,
        copied_from: Mapping[int, int] | None = None,
        store: StoreRequest | None = None,
    ) -> VersionSpec:
        """A draft that keeps all places, and adds places of `photos`, by their new ids.

        These ids follow the last id of the index. `copied_from` are places of the same content, by
        new id. Without a request for another `store`, it stays.
        """
        ids = list(photos or ())
        parts = split_ids(ids, shard_photos(len(ids), int(self.manifest.model["dims"])))
        return VersionSpec(
            request=request,
            plan=Plan(first_free_number(self.manifest), parts, photos, copied_from or {}),
            model_entry=self.manifest.model,
            verifier_entry=self.manifest.verifier,
            forgotten=self.manifest.forgotten,
            edits={
                name: stamp for name, stamp in self.manifest.files.items() if is_edits_file(name)
            },
            # Place ids stay, so groups stay; a repair leaves out a damaged file.
            groups={
                name: stamp
                for name, stamp in self.manifest.files.items()
                if name == GROUPS and matches_stamp(self.folder / name, stamp)
            },
            source=self.manifest.source,
            next_place_id=self.manifest.next_place_id + len(ids),
            store=store or StoreRequest(self.card.requested, old=self.card, uri=self.card.uri),
            kept_shards=self.manifest.shards,
            removed=self.manifest.removed_ids,
            skipped=self.manifest.skipped,
            base=self.manifest.index_id,
            local_features=self.manifest.local_features,
            descriptor_type=self.manifest.descriptor_type,
        )

    def commit(self, draft: VersionSpec, model: Model | None = None) -> Outcome:
        """Make the next version; the change goes on from this version."""
        kept_photos = KeptPhotos(self.folder)
        newly_removed = np.setdiff1d(draft.removed, self.manifest.removed_ids)
        kept_photos.note_removed(
            path for path in self.paths(newly_removed) if kept_photos.holds(path)
        )
        outcome = VersionBuilder(
            self.folder,
            draft,
            old=self.manifest,
            contents=self.contents,
            model=model,
            progress=self.progress,
            clock=self.clock,
        ).run()
        self.manifest, self.committed = outcome.manifest, True
        self._contents = self._edits = None
        return outcome

    def rewrite(self, **fields: object) -> None:
        """Replace fields of the manifest that are not content."""
        manifest = replace(self.manifest, **fields)  # type: ignore[arg-type]
        if manifest != self.manifest:
            share_new_files(self.folder, manifest, self.manifest.files)
            manifest.write(self.folder)
            self.manifest, self._edits = manifest, None

    def report(self, **counts: object) -> ChangeReport:
        """The report of the change, with these `counts`."""
        contents = Contents(self.manifest, self.manifest.paths(self.folder))
        return ChangeReport(
            self.manifest.index_id,
            self.manifest.places,
            positioned=contents.count_positions(self.edits),
            seconds={**self.clock.seconds(), "total": time.perf_counter() - self.started},
            **counts,  # type: ignore[arg-type]
        )


@contextmanager
def changing(
    folder: Path, progress: Progress = silent, *, patience: float = 0.0
) -> Iterator[Change]:
    """Lock an index for a change, and tidy up what a killed run has left.

    Every change, even an empty one, drops the work of an interrupted change.

    Raises:
        IndexFormatError: no index, a damaged one, or one of an older format.
        IndexWriteError: a full disk or a read-only folder.
        IndexBusyError: another process is writing this index, for more than `patience` seconds.
    """
    read_manifest(folder)  # before anything is written: the folder may hold something else
    with plain_write_errors(folder), lock(folder, patience=patience):
        manifest = read_manifest(folder)
        if manifest.format_version < CHANGEABLE:
            raise IndexFormatError(
                f"{folder} was made by an older place-search and cannot be changed by this one; "
                "make it again with `place-search index`."
            )
        finalize_commit(folder, manifest)
        journal = Journal(folder)
        if journal.has_committed(manifest):
            finish_commit(folder, manifest, journal)
        settle_kept_files(folder, manifest)
        change = Change(folder, manifest, progress)
        yield change
        if not change.committed:
            finish_commit(folder, change.manifest, journal)
        settle_kept_files(folder, change.manifest)


def collect_leftovers(folder: Path) -> None:
    """Delete the files that killed processes have left in and beside an index.

    The next change would do so too.

    Raises: as `changing`.
    """
    with changing(folder):
        pass
