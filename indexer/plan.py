"""The plan of a build: which photos make which shard; and the journal of the shards that are done.

A shard depends on its own photos and the model alone, so an interrupted build goes on where whole
shards end and comes to the same files.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from indexer.files import FileStamp, sync_folder, write_whole
from indexer.manifest import FORMAT_VERSION, JOURNAL, Skipped
from indexer.photo_list import Source
from indexer.places import PlacePhoto
from netvlad import Model, sha256_of

SHARD_PHOTOS = 512
MAX_SHARD_PHOTOS = 4096
MAX_SHARDS = 256
_SHARD_BYTES = 32 << 20


def shard_photos(photos: int, dims: int) -> int:
    """Photos a shard: few, so that a crash costs little, unless that made very many files."""
    spread = -(-photos // MAX_SHARDS)
    return max(SHARD_PHOTOS, min(spread, MAX_SHARD_PHOTOS, _SHARD_BYTES // (4 * dims)))


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """One shard to make: its number, its photos, and the place id of the first of them."""

    number: int
    first_id: int
    photos: Sequence[PlacePhoto]

    def inputs(self) -> str:
        """A hash of all that the shard depends on, apart from the model."""
        digest = hashlib.sha256(f"{self.first_id}".encode())
        for photo in self.photos:
            try:
                status = photo.path.stat()
                stamp = (status.st_size, status.st_mtime_ns)
            except OSError:
                stamp = None
            said = (os.fspath(photo.path), photo.name, photo.position, photo.utm, stamp)
            digest.update(json.dumps(said).encode())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """All shards of a build, in order; their numbers start at `first_number`."""

    source: Source
    first_number: int
    shard_photos: int

    def __len__(self) -> int:
        return -(-len(self.source.photos) // self.shard_photos)

    def shard(self, index: int) -> ShardPlan:
        """The index-th shard of the build."""
        start = index * self.shard_photos
        photos = self.source.photos[start : start + self.shard_photos]
        return ShardPlan(self.first_number + index, start, photos)

    def __iter__(self) -> Iterator[ShardPlan]:
        return (self.shard(index) for index in range(len(self)))


@dataclass(frozen=True, slots=True)
class Finished:
    """A shard that is on disk; one without any readable photo has no files and no places."""

    number: int
    inputs: str
    places: int
    files: dict[str, FileStamp]
    skipped: tuple[Skipped, ...]

    def is_whole(self, folder: Path) -> bool:
        """Whether its files are what they were when it was finished."""
        return all(
            (folder / name).is_file()
            and (folder / name).stat().st_size == stamp.bytes
            and sha256_of(folder / name) == stamp.sha256
            for name, stamp in self.files.items()
        )


@dataclass(frozen=True, slots=True)
class Header:
    """What must be equal for a build to go on from a journal."""

    format_version: int
    fingerprint: str
    root: str
    photos: int
    shard_photos: int
    first_number: int

    @classmethod
    def of(cls, plan: BuildPlan, model: Model) -> "Header":
        """The header for a plan."""
        return cls(
            format_version=FORMAT_VERSION,
            fingerprint=model.fingerprint,
            root=os.fspath(plan.source.root),
            photos=len(plan.source.photos),
            shard_photos=plan.shard_photos,
            first_number=plan.first_number,
        )


class Journal:
    """`building.jsonl`: the header, then a line for each finished shard, then the new index's id.

    Each line is on the disk before the build goes on; a torn last line counts as not written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.header: Header | None = None
        self.finished: dict[int, Finished] = {}
        self.index_id: str | None = None
        self._read()

    def _read(self) -> None:
        try:
            lines = self.path.read_text("utf-8").splitlines()
            self.header = Header(**json.loads(lines[0]))
            for line in lines[1:]:
                table = json.loads(line)
                if "index_id" in table:
                    self.index_id = str(table["index_id"])
                else:
                    done = _finished(table)
                    self.finished[done.number] = done
        except (OSError, ValueError, TypeError, KeyError, IndexError):
            # None yet, or torn by a crash: what was read up to there holds.
            return

    def start(self, header: Header, keep: Sequence[Finished]) -> None:
        """Begin anew, with the shards that are kept from an earlier run."""
        self.header, self.index_id = header, None
        self.finished = {done.number: done for done in keep}
        lines = [json.dumps(asdict(header)), *(json.dumps(asdict(done)) for done in keep)]
        write_whole(self.path, "".join(f"{line}\n" for line in lines).encode())

    def add(self, done: Finished) -> None:
        """Note a shard whose files are on the disk."""
        self.finished[done.number] = done
        self._append(asdict(done))

    def commit(self, index_id: str) -> None:
        """Note that all is ready for the manifest of this id."""
        self.index_id = index_id
        self._append({"index_id": index_id})

    def remove(self) -> None:
        """Drop the journal: the build is complete."""
        self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    def _append(self, table: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(table) + "\n")
            stream.flush()
            os.fsync(stream.fileno())


def _finished(table: dict[str, Any]) -> Finished:
    return Finished(
        number=int(table["number"]),
        inputs=str(table["inputs"]),
        places=int(table["places"]),
        files={name: FileStamp(**stamp) for name, stamp in table["files"].items()},
        skipped=tuple(Skipped(*row) for row in table["skipped"]),
    )
