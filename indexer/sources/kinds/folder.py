"""A folder as a source: every photo below it, sorted by name, positions from `@` names or Exif."""

import os
from pathlib import Path, PurePath

from place_search.indexer.errors import SourceError
from place_search.indexer.sources.at_names import listed_photos, read_at_name
from place_search.indexer.sources.photo_list import PhotoList, Source
from place_search.photos import EXTENSIONS

ACCEPTS = "the folder that holds the photos"


def reads(data: Path) -> bool:
    """Whether this is a folder."""
    return data.is_dir()


def read(data: Path, root: Path | None = None) -> Source:
    """List all photos below a folder; hidden files and folders are left out.

    Names that start with `@` give their photos' positions. A list `FOLDER_images_paths.txt` beside
    the folder says which photos there are; without it the folder is looked through: links to
    folders are followed, but no folder is listed twice, so loops of links end.

    Raises:
        SourceError: no photo below it, or a folder or list that cannot be read.
    """
    root = data.resolve()
    listed = listed_photos(root)
    photos = PhotoList(root)
    for name in sorted(_walk(root)) if listed is None else listed:
        named = read_at_name(name)
        position, utm = (None, None) if named is None else (named.position, named.utm)
        photos.append(name, position=position, utm=utm)
    if not photos:
        raise SourceError(f"{root} has an empty list of photos; delete {root}_images_paths.txt.")
    return Source(root, photos, "folder")


def _walk(root: Path) -> list[str]:
    names: list[str] = []
    others = 0
    seen: set[tuple[int, int]] = set()
    folders = [""]
    links: list[str] = []
    while folders or links:
        # Real folders first: a photo is then named by its own path, not by a link to it.
        prefix = folders.pop() if folders else links.pop(0)
        try:
            status = (root / prefix).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(root / prefix) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    path = f"{prefix}{entry.name}"
                    if _is_folder(entry):
                        (links if entry.is_symlink() else folders).append(f"{path}/")
                    elif PurePath(entry.name).suffix.lower() in EXTENSIONS:
                        names.append(path)
                    else:
                        others += 1
        except OSError as error:
            raise SourceError(
                f"{root / prefix} cannot be listed ({error.strerror}); mend that or index another "
                "folder."
            ) from error
        links.sort()
    if not names:
        raise SourceError(_nothing_in(root, others))
    return names


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: a file that cannot be read, if it is named like a photo
        return False


def _nothing_in(root: Path, others: int) -> str:
    if not others:
        return f"{root} is empty; put photos into it or give another folder."
    files = "1 other file" if others == 1 else f"{others} other files"
    return (
        f"{root} holds no photos, only {files}; photos are recognised by endings such as "
        ".jpg, .png, .webp and .heic."
    )
