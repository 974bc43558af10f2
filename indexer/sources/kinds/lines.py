"""A text as a source: the paths of photos, one a line."""

from pathlib import Path

from place_search.core.tables import PhotosOnce, numbered_lines
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.at_names import read_at_name
from place_search.indexer.sources.photo_files import PhotoFiles
from place_search.indexer.sources.photo_list import PhotoList, Source

ACCEPTS = "a .txt file with a path a line"


def reads(data: Path) -> bool:
    """Whether this is a text, by its ending."""
    return data.suffix.lower() == ".txt" and data.is_file()


def read(data: Path, root: Path | None = None) -> Source:
    """The photos of a text, which are under `root`: by default the text's own folder.

    Names that start with `@` give their photos' positions.

    Raises:
        SourceError: no UTF-8 text, no photos, some that do not exist or are named twice, or a name
            whose metres are not in its UTM zone.
    """
    photos = PhotoList((root or data.parent).resolve())
    files = PhotoFiles(photos.root)
    once = PhotosOnce(data, photos.root, SourceError)
    missing = []
    for number, line in numbered_lines(data, error=SourceError):
        name = files.find(line)
        if name is None:
            missing.append(line)
        else:
            once.add(name, number)
            position, utm = read_at_name(name)
            photos.append(name, position=position, utm=utm)
    if missing or not photos:
        fault = f"names '{missing[0]}', which does not exist" if missing else "names no photos"
        raise SourceError(f"{data} {fault}; write a path a line, relative to {photos.root}.")
    return Source(photos.root, photos, "list", doubts=photos.doubts(f"The names in {data}"))
