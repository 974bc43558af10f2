"""`@` names: photos whose file names carry their position, as the deep-VG benchmark wrote them.

`@easting@northing@zone_number@zone_letter@latitude@longitude@pano@tile@heading@…@.jpg`; only the
first two fields are sure to be filled.
"""

import math
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from place_search.core.geodesy import Position, Utm, is_zone
from place_search.indexer.errors import SourceError
from place_search.photos import EXTENSIONS


class AtPosition(NamedTuple):
    """Where a name says that its photo was taken."""

    utm: Utm
    position: Position | None


def read_at_name(name: str) -> AtPosition | None:
    """The position in a photo's name, or None where it has none."""
    file = PurePosixPath(name).name
    if not file.startswith("@"):
        return None
    fields = [*file.split("@")[1:], *[""] * 6]
    east, north = _number(fields[0]), _number(fields[1])
    if not (math.isfinite(east) and math.isfinite(north)):
        return None
    zone = f"{fields[2].lstrip('0')}{fields[3]}".upper()
    utm = Utm(east, north, zone if is_zone(zone) else "")
    position = Position(_number(fields[4]), _number(fields[5]))
    within = abs(position.latitude) <= 90 and abs(position.longitude) <= 180
    return AtPosition(utm, position if within else None)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def listed_photos(folder: Path) -> list[str] | None:
    """The photos that `FOLDER_images_paths.txt` beside a folder lists, or None without that file.

    Its lines are paths relative to the folder; other endings than those of photos are left out.

    Raises:
        SourceError: the list cannot be read.
    """
    listing = folder.with_name(f"{folder.name}_images_paths.txt")
    if not listing.is_file():
        return None
    try:
        lines = listing.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{listing} cannot be read as UTF-8 text ({error}).") from error
    names = (PurePosixPath(line.strip()) for line in lines if line.strip())
    return [name.as_posix() for name in names if name.suffix.lower() in EXTENSIONS]
