"""A folder as a source: every photo below it, sorted by name, positions from `@` names or Exif."""

from pathlib import Path

from place_search.indexer.errors import SourceError
from place_search.indexer.sources.at_names import read_at_name, read_photo_list
from place_search.indexer.sources.photo_list import PhotoList, Source
from place_search.indexer.sources.walk import FolderListing, count_kinds, list_folder
from place_search.photos.video import EXTENSIONS as VIDEOS

ACCEPTS = "the folder that holds the photos"
TAKES_ANY_FOLDER = True
"""Other kinds of folders are tried before this kind."""
HOLDS_ROOT = True


def reads(data: Path) -> bool:
    """Whether this is a folder."""
    return data.is_dir()


def read(data: Path, root: Path | None = None) -> Source:
    """List all photos below a folder; hidden files, bins and thumbnails are left out.

    Names that start with `@` give their photos' positions. A list `FOLDER_images_paths.txt` beside
    the folder lists its photos; without it the folder is walked.

    Raises:
        SourceError: no photo below it, a folder or list that cannot be read, or a name whose
            metres are not in its UTM zone.
    """
    root = data.resolve()
    listing = read_photo_list(root) or list_folder(root)
    photos = PhotoList(root)
    for name in listing.names:
        position, utm = read_at_name(name)
        photos.append(name, position=position, utm=utm)
    if not photos:
        raise SourceError(_no_photos_sentence(root, listing))
    return Source(
        root,
        photos,
        "folder",
        left_out=dict(listing.left_out),
        unlisted=tuple(listing.unlisted),
        doubts=photos.doubts("The names"),
    )


def _no_photos_sentence(root: Path, listing: FolderListing) -> str:
    if listing.unlisted:
        folder = listing.unlisted[0]
        return f"{root} holds no photos that may be read; {folder.name}: {folder.reason}."
    other_count = listing.left_out.total()
    if not other_count:
        return f"{root} is empty; put photos into it or give another folder."
    files = "1 other file" if other_count == 1 else f"{other_count} other files"
    videos = any(kind.removesuffix(" file") in VIDEOS for kind in listing.left_out)
    return (
        f"{root} holds no photos, only {files}; {count_kinds(listing.left_out)} cannot be "
        "indexed, but .jpg, .png, .webp and .heic can"
        + ("; name a video itself, not its folder." if videos else ".")
    )
