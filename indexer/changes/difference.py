"""What a source has that an index has not, and which photo follows which: sync and index ask."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import sha256_of
from place_search.core.geodesy import both_positions
from place_search.indexer.pipeline import stored_path
from place_search.indexer.places import PlacePhoto
from place_search.indexer.sources.kept_views import path_in_source
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.storage.contents import Contents


@dataclass(slots=True)
class Difference:
    """What a source has that an index has not.

    `entries` are photos to make places of, each with a row of equal content, if there is one;
    `seen` rows are of photos that the source lists, with their numbers there. Those of them with
    one of `heirs`, the number of its entry, get a new place under a name of `replaced`; under the
    path of those `overwritten` there is another photo now. `alike` has, by the hash of a content,
    its rows and the entries of it whose path is new, or had another content.
    """

    entries: list[tuple[PlacePhoto, int | None]] = field(default_factory=list)
    seen: dict[int, int] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    heirs: dict[int, int] = field(default_factory=dict)
    overwritten: set[int] = field(default_factory=set)
    alike: dict[bytes, tuple[list[int], list[int]]] = field(default_factory=dict)

    def heirs_without(self, gone: NDArray[np.int64]) -> dict[int, int]:
        """Whose place follows that of each row, by its entry, when the rows `gone` go too.

        It is that of the photo's content, wherever it is listed now, and else that of its path:
        names may be shifted or swapped. What was said of a place goes to the one that follows.
        Under another root a path says nothing: only the content is followed.
        """
        left = self.overwritten.union(gone.tolist())
        moved = {
            row: at
            for rows, entries in self.alike.values()
            for row, at in zip((row for row in rows if row in left), entries, strict=False)
        }
        taken = set(moved.values())
        return {row: at for row, at in self.heirs.items() if at not in taken} | moved

    def add(self, photo: PlacePhoto, content: bytes, rows: list[int]) -> None:
        """Make a photo of this content, which `rows` have, an entry."""
        if rows:
            self.alike.setdefault(content, (rows, []))[1].append(len(self.entries))
        self.entries.append((photo, rows[0] if rows else None))


def compare(contents: Contents, source: Source, root: Path) -> Difference:
    """What a source has that an index has not, with the paths of its photos as seen from `root`.

    Raises:
        IndexFormatError: a shard cannot be read.
    """
    same_root = contents.manifest.source["root"] == str(root)
    # The views of an index that was moved are stored under paths that they had before.
    paths = [path_in_source(os.fsencode(stored_path(photo.path, root))) for photo in source.photos]
    asked = set(paths)
    stored = map(path_in_source, contents.column("path").tolist())
    by_path = {path: row for row, path in enumerate(stored) if path in asked}
    sizes, contents_of = contents.column("size"), contents.column("content")
    by_size = np.argsort(sizes, kind="stable")
    sizes = sizes[by_size]
    delta = Difference()
    for at, (photo, path) in enumerate(zip(source.photos, paths, strict=True)):
        row = by_path.get(path)
        if row is None:
            delta.add(photo, *_same_content(photo, contents_of, sizes, by_size))
            continue
        delta.seen[row] = at
        if _is_content(contents, row, photo):
            if _says_the_same(contents, row, photo, source.root):
                continue
            delta.entries.append((photo, row))
            delta.heirs[row] = len(delta.entries) - 1
        else:
            delta.add(photo, *_same_content(photo, contents_of, sizes, by_size))
            delta.overwritten.add(row)
            if same_root:
                delta.heirs[row] = len(delta.entries) - 1
        delta.replaced.append(photo.name)
    return delta


def _is_content(contents: Contents, row: int, photo: PlacePhoto) -> bool:
    """Whether a photo is still what a row was made from: by size and time, else by its hash."""
    try:
        known = contents.is_made_from(row, photo.path, by_content=False)
        return bool(
            contents.is_made_from(row, photo.path, by_content=True) if known is None else known
        )
    except OSError:
        return False


def _says_the_same(contents: Contents, row: int, photo: PlacePhoto, root: Path) -> bool:
    """Whether what the source says of a photo is what its row says: name, position and order."""
    placed = photo.position is not None or photo.utm is not None
    named = photo.name != stored_path(photo.path, root)
    ordered = photo.sequence in ("", contents.text("sequence", row)) and (
        photo.taken is None or photo.taken == contents.taken(row)
    )
    ordered &= photo.heading is None or photo.heading == contents.heading(row)
    return (
        ordered
        and not (named and photo.name != contents.text("name", row))
        and not (
            placed
            and both_positions(photo.position, photo.utm)
            != (contents.position(row), contents.utm(row))
        )
    )


def _same_content(
    photo: PlacePhoto,
    content: NDArray[np.uint8],
    sizes: NDArray[np.int64],
    by_size: NDArray[np.int64],
) -> tuple[bytes, list[int]]:
    """The hash of a photo and the rows of its content; it is read only if a row has its size.

    `sizes` are those of the rows in ascending order, which is `by_size`.
    """
    try:
        photo.name.encode()
        size = photo.path.stat().st_size
        start, end = np.searchsorted(sizes, [size, size + 1])
        if start == end:
            return b"", []
        key = bytes.fromhex(sha256_of(photo.path))
    except (OSError, UnicodeEncodeError):
        return b"", []
    same = by_size[start:end]
    alike = (content[same] == np.frombuffer(key, np.uint8)).all(axis=1)
    return key, same[alike].tolist()
