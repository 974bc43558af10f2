"""The database of a split as a source: its photos under their root, with their UTM positions."""

from pathlib import Path

from place_search.core.geodesy import Utm
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.photo_files import PhotoFiles
from place_search.indexer.sources.photo_list import PhotoList, Source
from place_search.indexer.sources.split import is_split, read_split, require_inside

ACCEPTS = "a split: a .mat or .npz file"


def reads(data: Path) -> bool:
    """Whether this is a split, by its ending."""
    return is_split(data) and data.is_file()


def read(data: Path, root: Path | None = None) -> Source:
    """The database photos of a split, in its order; the queries are left out.

    Raises:
        SourceError: no such split, or photos of its database that are not under `root`.
    """
    split = read_split(data)
    root = (root or data.parent).resolve()
    files = PhotoFiles(root)
    require_inside(data, root, split.database)
    photos = PhotoList(root)
    missing: list[str] = []
    zone = split.zone
    for name, (east, north) in zip(split.database, split.database_utm.tolist(), strict=True):
        path = files.find(name)
        if path is None:
            missing.append(name)
        photos.append(path or name, name=name, utm=Utm(east, north, zone))
    if missing:
        raise SourceError(
            f"{len(missing)} of the {len(photos)} database photos of {data} are not under {root}, "
            f"the first is '{missing[0]}'; name the folder that holds them with --root."
        )
    return Source(root, photos, "split", warnings=split.warnings)
