"""The plan of a new version, shard by shard, and the journal of its finished shards.

A shard depends on its own places and the model alone, so that an interrupted run goes on after its
whole shards, and writes the same files.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from place_search.core.files import (
    FileStamp,
    append,
    open_note,
    size_and_time,
    sync_folder,
    write_whole,
)
from place_search.core.text import parse_json
from place_search.indexer.places import PhotoNote, PlacePhoto
from place_search.indexer.storage.commit import matches_stamp
from place_search.indexer.storage.manifest import JOURNAL, Manifest, Skipped

SHARD_PHOTOS = 512
MAX_SHARD_PHOTOS = 16384
MAX_SHARDS = 256
_SHARD_BYTES = 64 << 20


def shard_photos(photos: int, dims: int) -> int:
    """Photos of a shard: few, so that a crash costs little, unless there were too many files."""
    spread = -(-photos // MAX_SHARDS)
    return max(SHARD_PHOTOS, min(spread, MAX_SHARD_PHOTOS, _SHARD_BYTES // (4 * dims)))


def split_ids(ids: Sequence[int], per_shard: int) -> list[Sequence[int]]:
    """Ascending place ids, cut into the ids of each shard."""
    return [ids[start : start + per_shard] for start in range(0, len(ids), per_shard)]


@dataclass(frozen=True, slots=True)
class Entry:
    """A place to make: of a photo, of the row of place `copied_from` in the old version, or both.

    With both, the descriptor is the old row's, and name, path and position are the photo's.
    """

    place_id: int
    photo: PlacePhoto | None = None
    copied_from: int | None = None


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """One shard to make: its number and its places, by ascending id."""

    number: int
    entries: Sequence[Entry]

    def inputs(self) -> str:
        """A hash of the shard's places and photos, without the model and the old version."""
        digest = hashlib.sha256()
        for entry in self.entries:
            digest.update(json.dumps([entry.place_id, entry.copied_from]).encode())
            if entry.photo is not None:
                digest.update(json.dumps(_identity(entry.photo)).encode())
        return digest.hexdigest()


def _identity(photo: PlacePhoto) -> tuple[object, ...]:
    order = photo.sequence, photo.taken, photo.heading
    stamp = size_and_time(photo.path)
    return os.fspath(photo.path), photo.name, photo.position, photo.utm, order, stamp


@dataclass(frozen=True, slots=True)
class Plan:
    """All shards to make, in order; their numbers start at `first_number`.

    `parts` are the place ids of each shard. `photos` are by place id; `copied_from` has the place
    of the old version whose row is copied, by new place id. Without `photos` all rows are copied as
    they are.
    """

    first_number: int
    parts: Sequence[Sequence[int]]
    photos: Sequence[PlacePhoto] | Mapping[int, PlacePhoto] | None = None
    copied_from: Mapping[int, int] = field(default_factory=dict)

    @property
    def places(self) -> int:
        """Places in all shards."""
        return sum(len(part) for part in self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def shard(self, index: int) -> ShardPlan:
        """The index-th shard of the plan."""
        entries = [self._entry(int(place_id)) for place_id in self.parts[index]]
        return ShardPlan(self.first_number + index, entries)

    def _entry(self, place_id: int) -> Entry:
        if self.photos is None:
            return Entry(place_id, copied_from=place_id)
        return Entry(place_id, self.photos[place_id], self.copied_from.get(place_id))

    def __iter__(self) -> Iterator[ShardPlan]:
        return (self.shard(index) for index in range(len(self)))


@dataclass(frozen=True, slots=True)
class FinishedShard:
    """A shard that is on disk; without any readable photo it has no files and no places."""

    number: int
    inputs: str
    places: int
    files: dict[str, FileStamp]
    skipped: tuple[Skipped, ...]
    notes: tuple[PhotoNote, ...] = ()

    def is_whole(self, folder: Path) -> bool:
        """Whether the files are whole: unchanged since the shard was finished."""
        return all(matches_stamp(folder / name, stamp) for name, stamp in self.files.items())


Header: TypeAlias = Mapping[str, str | int]
"""The description of a run; a run goes on from a journal with an equal header."""


class Journal:
    """`building.jsonl`: the header, a line for each finished shard, then the new version's id.

    Each line is on the disk before the build goes on; a torn last line counts as not written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.header: Header | None = None
        self.finished: dict[int, FinishedShard] = {}
        self.index_id: str | None = None
        self._read()

    def _read(self) -> None:
        try:
            lines = self.path.read_text("utf-8").splitlines()
            self.header = dict(parse_json(lines[0]))
            for line in lines[1:]:
                table = parse_json(line)
                if "index_id" in table:
                    self.index_id = str(table["index_id"])
                else:
                    shard = read_finished(table)
                    self.finished[shard.number] = shard
        except (OSError, ValueError, TypeError, KeyError, IndexError):
            # There is no journal yet, or a crash tore its end: the lines before that hold.
            return

    def has_committed(self, manifest: Manifest) -> bool:
        """Whether the run of this journal has written this manifest."""
        file_names = {name for shard in self.finished.values() for name in shard.files}
        return self.index_id == manifest.index_id and file_names <= set(manifest.files)

    def start(self, header: Header, keep: Sequence[FinishedShard]) -> None:
        """Begin a new journal, with the shards that are kept from an earlier run."""
        self.header, self.index_id = header, None
        self.finished = {shard.number: shard for shard in keep}
        lines = [json.dumps(header), *(json.dumps(asdict(shard)) for shard in keep)]
        write_whole(self.path, "".join(f"{line}\n" for line in lines).encode())

    def add(self, shard: FinishedShard) -> None:
        """Note a shard whose files are on the disk."""
        self.finished[shard.number] = shard
        self._append(asdict(shard))

    def commit(self, index_id: str) -> None:
        """Note that the manifest with this id is about to be written."""
        self.index_id = index_id
        self._append({"index_id": index_id})

    def remove(self) -> None:
        """Drop the journal: the build is complete."""
        self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    def _append(self, table: dict[str, Any]) -> None:
        with open_note(self.path) as note:
            append(note, f"{json.dumps(table)}\n".encode())


def read_finished(table: dict[str, Any]) -> FinishedShard:
    """A finished shard from its JSON. Raises KeyError, TypeError or ValueError."""
    return FinishedShard(
        number=int(table["number"]),
        inputs=str(table["inputs"]),
        places=int(table["places"]),
        files={name: FileStamp(**stamp) for name, stamp in table["files"].items()},
        skipped=tuple(Skipped(*row) for row in table["skipped"]),
        notes=tuple(PhotoNote(*row) for row in table.get("notes", ())),
    )
