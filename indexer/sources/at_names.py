"""`@` names: photos whose file names carry their position, as the deep-VG benchmark wrote them.

`@easting@northing@zone_number@zone_letter@latitude@longitude@pano@tile@heading@…@.jpg`; only the
first two fields are sure to be filled.
"""

import math
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from place_search.core.geodesy import (
    Position,
    Utm,
    is_null_island,
    is_on_earth,
    is_zone,
    utm_contradiction,
)
from place_search.core.tables import PhotosOnce, numbered_lines, parse_number
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.photo_files import PhotoFiles
from place_search.indexer.sources.walk import FolderListing, is_photo, kind_of


class AtPosition(NamedTuple):
    """The position that a photo's name gives, in degrees and in metres; None where it has none."""

    position: Position | None = None
    utm: Utm | None = None


def read_at_name(name: str) -> AtPosition:
    """The position in a photo's name.

    Raises:
        SourceError: the metres cannot lie in the zone of the name.
    """
    file = PurePosixPath(name).name
    if not file.startswith("@"):
        return AtPosition()
    fields = [*file.split("@")[1:], *[""] * 6]
    east, north = parse_number(fields[0]), parse_number(fields[1])
    if not (math.isfinite(east) and math.isfinite(north)):
        return AtPosition()
    zone = f"{fields[2].lstrip('0')}{fields[3]}".upper()
    utm = Utm(east, north, zone if is_zone(zone) else "")
    if contradiction := utm_contradiction(utm):
        raise SourceError(f"The name {name} contradicts itself: {contradiction}; correct the name.")
    position = Position(parse_number(fields[4]), parse_number(fields[5]))
    is_known = is_on_earth(position) and not is_null_island(position)
    return AtPosition(position if is_known else None, utm)


def read_photo_list(folder: Path) -> FolderListing | None:
    """The photos that `FOLDER_images_paths.txt` beside a folder lists, or None without that file.

    Its lines are paths relative to the folder. Files that are no photos are left out; photos that
    do not exist are listed.

    Raises:
        SourceError: the list cannot be read, is empty, or names a photo twice.
    """
    path = folder.parent / f"{folder.name}_images_paths.txt"
    if not path.is_file():
        return None
    files = PhotoFiles(folder)
    once = PhotosOnce(path, folder, SourceError)
    listing = FolderListing()
    for number, line in numbered_lines(path, error=SourceError):
        name = files.find(line) or PurePosixPath(line).as_posix()
        if is_photo(folder / name):
            once.add(name, number)
            listing.names.append(name)
        else:
            listing.left_out[kind_of(name)] += 1
    if not listing.names:
        raise SourceError(f"{folder} has an empty list of photos; delete {path}.")
    return listing
