"""Where the views of panoramas are kept: in `INDEX-views`, beside the index."""

import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

from place_search.indexer.storage.kept_photos import KeptPhotos

SUFFIX = "-views"
MARK = ".views.json"
"""Says of a folder that it holds views, or which those of one panorama are; hidden."""
_BELOW = "panoramas"
_INSIDE = f"{SUFFIX}/{_BELOW}/"


def views_folder(index: Path) -> Path:
    """The folder that holds the views of an index, each panorama's in a folder of its own."""
    whole = index.resolve()
    return whole.with_name(f"{whole.name}{SUFFIX}") / _BELOW


def panorama_folder(folder: Path, path: str) -> Path:
    """The folder for the views of a panorama, by its posix path under the source's root."""
    parts = ("up" if part == ".." else part for part in PurePosixPath(path.lstrip("/")).parts)
    return folder.joinpath(*parts)


def view_name(number: int) -> str:
    """The file of a view."""
    return f"view_{number:02d}.jpg"


def drop_views(index: Path, panorama: bytes) -> None:
    """Delete the views of a panorama, by the path that `panorama_of` gives; all else stays."""
    folder = views_folder(index) / os.fsdecode(panorama.partition(_INSIDE.encode())[2])
    if (folder / MARK).is_file():
        for view in (*folder.glob("view_*.jpg"), folder / MARK):
            view.unlink(missing_ok=True)
        with suppress(OSError):  # it holds something else
            folder.rmdir()


def path_in_source(path: bytes) -> bytes:
    """Where a photo lies under the source's root by its stored path: a view in its panorama."""
    if not path.startswith(b"/"):
        return path
    return path.partition(_INSIDE.encode())[2] or path


def panorama_of(path: bytes) -> bytes:
    """The panorama that a stored path is a view of; empty where it is of none."""
    inside = path.startswith(b"/") and _INSIDE.encode() in path
    return path.rpartition(b"/")[0] if inside else b""


def found_photo(path: Path, kept: KeptPhotos) -> Path:
    """Where a photo is: a view, and one of those `kept`, is here though the index was moved."""
    text = path.as_posix()
    if _INSIDE not in text:
        return kept.found(path)
    here = views_folder(kept.index) / text.partition(_INSIDE)[2]
    return here if path != here and here.is_file() else path


def holds_views(folder: Path) -> bool:
    """Whether a folder is one that views are kept in."""
    return folder.name.endswith(SUFFIX) and (folder / MARK).is_file()
