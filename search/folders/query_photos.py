"""The photos to search for: those of a folder or a list, or a single photo."""

from pathlib import Path

from place_search.core.tables import read_lines
from place_search.indexer import PhotoFiles, PhotoList, Source, SourceError, open_source
from place_search.indexer.sources.walk import is_photo


def open_queries(path: Path) -> Source:
    """The photos of a folder, of a list, or a photo by itself, in the order to search for them.

    A list is a CSV file with a column `path`, or a text with a path a line.

    Raises:
        SourceError: no photos in the folder, or a list that names photos that do not exist.
    """
    if path.suffix.lower() == ".txt" and path.is_file():
        return _read_lines(path)
    if path.is_file() and is_photo(path):
        photos = PhotoList(path.resolve().parent)
        photos.append(path.name)
        return Source(photos.root, photos, "photo")
    return open_source(path)


def _read_lines(path: Path) -> Source:
    photos = PhotoList(path.resolve().parent)
    files = PhotoFiles(photos.root)
    missing = []
    for line in read_lines(path, error=SourceError):
        name = files.find(line)
        if name is None:
            missing.append(line)
        else:
            photos.append(name)
    if missing or not photos:
        fault = f"names '{missing[0]}', which does not exist" if missing else "names no photos"
        raise SourceError(f"{path} {fault}; write a path a line, relative to the list's folder.")
    return Source(photos.root, photos, "list")
