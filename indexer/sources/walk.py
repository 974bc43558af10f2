"""Walking through a folder for photos, files that are left out, and unreadable folders."""

import errno
import os
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from place_search.core.files import open_regular
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.kept_views import holds_views
from place_search.indexer.storage.manifest import Skipped
from place_search.photos import EXTENSIONS
from place_search.photos.formats import HEAD_BYTES, begins_like_photo

# Folders of disks, network drives and programs, as bins and thumbnails; in lower case.
_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "#snapshot", "$recycle.bin", "recycler", "recycled", "@recycle", "@tmp"}
    | {"@recently-snapshot", "system volume information", "lost+found", "__macosx"}
    | {".thumbnails", ".thumbs", "thumbs", "thumbnails"}
)
_TRASH = ".trash"
_NOWHERE = "the link leads nowhere; mount the disk that it leads to, or delete it"
_NO_TARGETS = (errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG)
"""Errors of links that no disk can ever follow: to themselves, through a file, or too long."""
_COPIES = ("_original", "~")
"""What ExifTool and editors add to the name of any file's last version, which they leave there."""


@dataclass(slots=True)
class FolderListing:
    """The photos below a folder, by their posix paths in it.

    `left_out` counts, by kind in words, files that are no photos or a photo's last version, and
    folders of the system; hidden files and folders are not counted. `unlisted` are folders that
    cannot be read, and why.
    """

    names: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unlisted: list[Skipped] = field(default_factory=list)


def list_folder(root: Path) -> FolderListing:
    """List a folder recursively; links to folders are followed, but no folder is listed twice.

    Raises:
        SourceError: the folder itself cannot be listed, or its disk fails.
    """
    listing = FolderListing()
    # By path, as network drives may give all folders one inode number, or another at each look.
    visited: set[str] = set()
    folders = [""]
    links: list[str] = []
    while folders or links:
        # Real folders first: a photo is then named by its own path, not by a link to it.
        prefix = folders.pop() if folders else links.pop(0)
        try:
            real = os.path.realpath(root / prefix)
            if real in visited:
                continue
            visited.add(real)
            unknown: list[os.DirEntry[str]] = []
            begin = len(listing.names)
            with os.scandir(root / prefix) as entries:
                for entry in entries:
                    _classify(entry, prefix, listing, folders, links, unknown)
            if unknown:
                _sort_out(unknown, prefix, listing, begin)
        except PermissionError as error:
            if not prefix:
                raise _list_error(root, error) from error
            listing.unlisted.append(Skipped(prefix, _out_of_reach(error)))
        except OSError as error:
            raise _list_error(root / prefix, error) from error
        links.sort()
    listing.names.sort()
    listing.unlisted.sort()
    return listing


def is_system_folder(name: str) -> bool:
    """Whether a folder is a bin, holds thumbnails, or belongs to a disk's system, by its name."""
    return name.lower() in _SYSTEM_FOLDERS or name.lower().startswith(_TRASH)


def _list_error(folder: Path, error: OSError) -> SourceError:
    return SourceError(
        f"{folder} cannot be listed ({error.strerror}); mend that or index another folder."
    )


def _classify(
    entry: os.DirEntry[str],
    prefix: str,
    listing: FolderListing,
    folders: list[str],
    links: list[str],
    unknown: list[os.DirEntry[str]],
) -> None:
    """Put an entry where it belongs; files that are not named like a photo into `unknown`."""
    name = entry.name
    folder, unknown_why = _is_folder(entry)
    if folder and is_system_folder(name):
        listing.left_out[f"folder {name}"] += 1
    elif name.startswith("."):
        return
    elif folder and holds_views(Path(entry.path)):
        listing.left_out["folder of panoramas' views"] += 1
    elif folder:
        (links if entry.is_symlink() else folders).append(f"{prefix}{name}/")
    elif _is_named_like_photo(name):
        listing.names.append(f"{prefix}{name}")
    elif unknown_why:
        listing.unlisted.append(Skipped(f"{prefix}{name}", unknown_why))
    else:
        unknown.append(entry)


def _sort_out(
    unknown: Sequence[os.DirEntry[str]], prefix: str, listing: FolderListing, begin: int
) -> None:
    """List the photos among files that are not named so; those from `begin` on lie beside them."""
    beside = (name.removeprefix(prefix) for name in listing.names[begin:])
    files = {*beside, *(entry.name for entry in unknown)}
    for entry in unknown:
        if not _is_last_version(entry.name, files) and is_photo(Path(entry.path)):
            listing.names.append(f"{prefix}{entry.name}")
        else:
            listing.left_out[kind_of(entry.name)] += 1


def _is_last_version(name: str, files: Set[str]) -> bool:
    """Whether a file has the name of a photo beside it with something added, as in `a.jpg.bak`.

    Having the content that the photo had, it would inherit its place's edits.
    """
    return any(
        name[:end] in files and (_is_named_like_photo(name[:end]) or name[end:] in _COPIES)
        for end in range(1, len(name))
    )


def _is_folder(entry: os.DirEntry[str]) -> tuple[bool, str]:
    """Whether an entry is a folder; where that cannot be known now, False and why.

    Raises:
        SourceError: its disk fails.
    """
    try:
        if entry.is_dir():
            return True, ""
        # A folder on a disk that is not there now: `sync` must not take its photos for deleted.
        return False, _NOWHERE if entry.is_symlink() and not os.path.exists(entry) else ""  # noqa: PTH110
    except PermissionError as error:
        return False, _out_of_reach(error)
    except OSError as error:
        if error.errno in _NO_TARGETS or entry.name.startswith("."):
            return False, ""
        raise _list_error(Path(entry.path), error) from error


def _out_of_reach(error: OSError) -> str:
    return f"the folder cannot be listed ({error.strerror}); check its permissions"


def holds_all(folder: Path, *names: str) -> bool:
    """Whether a folder holds all of these files and folders; false where it may not be read."""
    return all(os.path.exists(folder / name) for name in names)  # noqa: PTH110 - paths raise


def is_photo(path: Path) -> bool:
    """Whether a file is named like a photo or, whatever its ending, begins like one."""
    if _is_named_like_photo(path.name):
        return True
    try:
        with open_regular(path) as stream:
            return begins_like_photo(stream.read(HEAD_BYTES))
    except OSError:
        return False


def is_list(path: Path) -> bool:
    """Whether a file is a list of photos, by its ending: a table, or a path a line."""
    return path.suffix.lower() in (".csv", ".txt")


def _is_named_like_photo(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in EXTENSIONS  # noqa: PTH122 - 100,000 times


def kind_of(name: str) -> str:
    """The kind of a file in words, by its ending: `.mov file`."""
    ending = PurePath(name).suffix.lower()
    return f"{ending} file" if ending else "file without an ending"


def count_kinds(kinds: Counter[str]) -> str:
    """Counts of kinds in words: `2 .mov files, 1 folder @eaDir`, the most frequent first."""
    return ", ".join(f"{count} {_plural(kind, count)}" for kind, count in kinds.most_common())


def _plural(kind: str, count: int) -> str:
    if count == 1:
        return kind
    return kind.replace("file", "files", 1) if "folder" not in kind else f"folders{kind[6:]}"
