"""A COLMAP model in text as a source: its registered photos, at their cameras' positions.

https://colmap.github.io/format.html: of `images.txt` every other line is an image.
"""

import os
from pathlib import Path

import numpy as np

from place_search.core.files import read_regular
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.photo_files import PhotoFiles
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.sources.poses import (
    camera_centre,
    place_on_ground,
    read_numbers,
    source_of_placed,
)
from place_search.indexer.sources.walk import holds_all, is_photo

ACCEPTS = "a folder with COLMAP's cameras.txt and images.txt"
IMAGES, CAMERAS, BINARY = "images.txt", "cameras.txt", "images.bin"
_FIELDS = 10


def reads(data: Path) -> bool:
    """Whether this is a folder with a model, in text or binary, and no photos beside it."""
    if not holds_all(data, IMAGES, CAMERAS) and not holds_all(data, BINARY):
        return False
    with os.scandir(data) as entries:
        return not any(entry.is_file() and is_photo(Path(entry.path)) for entry in entries)


def read(data: Path, root: Path | None = None) -> Source:
    """The photos of a model, under `root`: by default the folder `images` beside it or above.

    Raises:
        SourceError: a model in binary, a broken model, or photos that do not exist.
    """
    if not (data / IMAGES).is_file():
        raise SourceError(
            f"{data} is a model in COLMAP's binary format; write it as text: `colmap "
            f"model_converter --input_path {data} --output_path TEXT --output_type TXT`."
        )
    names, centres = [], []
    try:
        lines = read_regular(data / IMAGES).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise SourceError(f"{data / IMAGES} cannot be read ({error}).") from error
    # A line of points may be blank, so that images are found by counting lines.
    rows = [line for line in lines if not line.startswith("#")]
    for row in rows[::2]:
        if not row.strip():
            continue
        fields = row.split(" ", _FIELDS - 1)
        if len(fields) < _FIELDS:
            raise SourceError(
                f"{data / IMAGES} has '{row[:60]}' where IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, "
                "CAMERA_ID and NAME of an image are needed; export the model from COLMAP again."
            )
        pose = read_numbers(fields[1:8], f"{data / IMAGES}")
        names.append(fields[-1])
        centres.append(camera_centre(pose[:4], pose[4:]))
    if not names:
        raise SourceError(f"{data / IMAGES} names no photos; name the folder of another model.")
    placed, warning = place_on_ground(names, np.array(centres), f"{data}")
    return source_of_placed(data, root or _images(data, names[0]), "colmap", placed, warning)


def _images(data: Path, name: str) -> Path:
    """The folder of the photos in COLMAP's layout: project/images beside project/sparse/0."""
    whole = data.resolve()
    for above in (whole, *whole.parents[:2]):
        if PhotoFiles(above / "images").find(name) is not None:
            return above / "images"
    raise SourceError(
        f"The photo '{name}' of {data} is in no folder `images` beside it or above; name the "
        "folder that holds the photos with --root."
    )
