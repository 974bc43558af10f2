"""The difference of a source and an index: new photos, and the successors of replaced ones."""

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
    """The difference of a source and an index.

    `entries` are photos to make places of, each with a row of equal content, if there is one.
    `listed` are the rows of photos that the source lists, with the photos' numbers in the source.
    `successors` are the entries that replace rows, and `replaced` the names of their photos. The
    path of `overwritten` rows has another photo now. `same_content` has, by the hash of a content,
    its rows, and its entries whose path is new or had another content.
    """

    entries: list[tuple[PlacePhoto, int | None]] = field(default_factory=list)
    listed: dict[int, int] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    successors: dict[int, int] = field(default_factory=dict)
    overwritten: set[int] = field(default_factory=set)
    same_content: dict[bytes, tuple[list[int], list[int]]] = field(default_factory=dict)

    def successors_without(self, unlisted: NDArray[np.int64]) -> dict[int, int]:
        """The entry that succeeds each row, when the `unlisted` rows are removed too.

        It is the entry of the row's content, whatever its path, and else of the row's path: names
        may be shifted or swapped. The successor gets the edits of the old place. Under another root
        a path says nothing: only the content counts.
        """
        vacated = self.overwritten.union(unlisted.tolist())
        moved = {
            row: entry
            for rows, entries in self.same_content.values()
            for row, entry in zip((row for row in rows if row in vacated), entries, strict=False)
        }
        used_entries = set(moved.values())
        return {
            row: entry for row, entry in self.successors.items() if entry not in used_entries
        } | moved

    def add(self, photo: PlacePhoto, content: bytes, rows: list[int]) -> None:
        """Add an entry for a photo whose content `rows` have too."""
        if rows:
            self.same_content.setdefault(content, (rows, []))[1].append(len(self.entries))
        self.entries.append((photo, rows[0] if rows else None))


def compare(contents: Contents, source: Source, root: Path) -> Difference:
    """The difference of a source and an index, with the photos' paths as seen from `root`.

    Raises:
        IndexFormatError: a shard cannot be read.
    """
    same_root = contents.manifest.source["root"] == str(root)
    # A moved index still has the former paths of its views.
    paths = [path_in_source(os.fsencode(stored_path(photo.path, root))) for photo in source.photos]
    listed_paths = set(paths)
    stored = map(path_in_source, contents.column("path").tolist())
    by_path = {path: row for row, path in enumerate(stored) if path in listed_paths}
    sizes, contents_of = contents.column("size"), contents.column("content")
    by_size = np.argsort(sizes, kind="stable")
    sizes = sizes[by_size]
    delta = Difference()
    for number, (photo, path) in enumerate(zip(source.photos, paths, strict=True)):
        row = by_path.get(path)
        if row is None:
            delta.add(photo, *_rows_of_content(photo, contents_of, sizes, by_size))
            continue
        delta.listed[row] = number
        if _is_unchanged(contents, row, photo):
            if _has_same_metadata(contents, row, photo, source.root):
                continue
            delta.entries.append((photo, row))
            delta.successors[row] = len(delta.entries) - 1
        else:
            delta.add(photo, *_rows_of_content(photo, contents_of, sizes, by_size))
            delta.overwritten.add(row)
            if same_root:
                delta.successors[row] = len(delta.entries) - 1
        delta.replaced.append(photo.name)
    return delta


def _is_unchanged(contents: Contents, row: int, photo: PlacePhoto) -> bool:
    """Whether a photo is unchanged since its row was made: by size and time, else by hash."""
    try:
        is_same = contents.is_made_from(row, photo.path, by_content=False)
        return bool(
            contents.is_made_from(row, photo.path, by_content=True) if is_same is None else is_same
        )
    except OSError:
        return False


def _has_same_metadata(contents: Contents, row: int, photo: PlacePhoto, root: Path) -> bool:
    """Whether a photo has the name, position and order of its row, as far as the source says."""
    has_own_name = photo.name != stored_path(photo.path, root)
    same_order = photo.sequence in ("", contents.text("sequence", row)) and (
        photo.taken is None or photo.taken == contents.taken(row)
    )
    same_order &= photo.heading is None or photo.heading == contents.heading(row)
    return (
        same_order
        and not (has_own_name and photo.name != contents.text("name", row))
        and not (
            photo.is_placed
            and both_positions(photo.position, photo.utm)
            != (contents.position(row), contents.utm(row))
        )
    )


def _rows_of_content(
    photo: PlacePhoto,
    content: NDArray[np.uint8],
    sizes: NDArray[np.int64],
    by_size: NDArray[np.int64],
) -> tuple[bytes, list[int]]:
    """The hash of a photo and the rows of its content; the file is read only if a row has its size.

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
    same_size = by_size[start:end]
    is_same = (content[same_size] == np.frombuffer(key, np.uint8)).all(axis=1)
    return key, same_size[is_same].tolist()
