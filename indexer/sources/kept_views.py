"""The folder of panoramas' views: `INDEX-views`, beside the index."""

from contextlib import suppress
from pathlib import Path, PurePosixPath

from place_search.core.files import PART
from place_search.indexer.storage.kept_photos import KeptPhotos, beside

SUFFIX = "-views"
MARK = ".views.json"
"""The hidden file that marks a folder of views, and lists those of a panorama."""
_BELOW = "panoramas"
_INSIDE = f"{SUFFIX}/{_BELOW}/"


def views_folder(index: Path) -> Path:
    """The folder that holds the views of an index, with a folder for each panorama."""
    return beside(index, SUFFIX) / _BELOW


def panorama_folder(folder: Path, path: str) -> Path:
    """The folder for the views of a panorama, by its posix path under the source's root."""
    parts = ("up" if part == ".." else part for part in PurePosixPath(path.lstrip("/")).parts)
    return folder.joinpath(*parts)


def view_name(number: int) -> str:
    """The file name of a view."""
    return f"view_{number:02d}.jpg"


def drop_views(index: Path, panorama: str) -> None:
    """Delete the views of a panorama, by its path below the folder of views; other files stay."""
    folder = views_folder(index) / panorama
    for view in (*folder.glob("view_*.jpg*"), folder / f"{MARK}{PART}", folder / MARK):
        view.unlink(missing_ok=True)
    with suppress(OSError):  # the folder holds other files, or does not exist
        folder.rmdir()


def panoramas_in(folder: str) -> list[str]:
    """What may be the path below the folder of views, in the stored path of a panorama's folder.

    Other folders above may be called as that of views is.
    """
    parts = folder.split(_INSIDE)
    return [_INSIDE.join(parts[start:]) for start in range(1, len(parts))]


def path_in_source(path: bytes) -> bytes:
    """The path of a photo under the source's root; of a view, a path below its panorama's."""
    if not path.startswith(b"/"):
        return path
    return path.partition(_INSIDE.encode())[2] or path


def panorama_of(path: bytes) -> bytes:
    """The stored path of the panorama of a view; empty for other photos."""
    is_view = path.startswith(b"/") and _INSIDE.encode() in path
    return path.rpartition(b"/")[0] if is_view else b""


def find_photo(path: Path, kept_photos: KeptPhotos) -> Path:
    """The path of a photo now: views and kept photos move with their index."""
    text = path.as_posix()
    if _INSIDE not in text:
        return kept_photos.find(path)
    current_path = views_folder(kept_photos.index) / text.partition(_INSIDE)[2]
    return current_path if path != current_path and current_path.is_file() else path


def holds_views(folder: Path) -> bool:
    """Whether a folder holds the views of an index."""
    return folder.name.endswith(SUFFIX) and (folder / MARK).is_file()
