"""The photos to search for: those of a folder or a list, or a single photo."""

from pathlib import Path

from place_search.indexer import PhotoList, Source, open_source
from place_search.indexer.sources.walk import is_photo


def open_queries(path: Path) -> Source:
    """The photos of a folder, of a list, or a photo by itself, in the order to search for them.

    A list is a CSV file with a column `path`, or a text with a path a line.

    Raises:
        SourceError: no photos in the folder, or a list that names photos that do not exist.
    """
    if path.is_file() and is_photo(path):
        photos = PhotoList(path.resolve().parent)
        photos.append(path.name)
        return Source(photos.root, photos, "photo")
    return open_source(path)
