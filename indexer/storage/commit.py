"""From one version of an index to the next: at any moment the folder is the old one or the new.

Numbered files are new ones with new numbers; other machines write them as `NAME.<random id>`.
Files with fixed names are first written as `NAME.<index_id>`; the rename of the manifest is the
commit; then they get their plain names.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from place_search.core.errors import shell_command
from place_search.core.files import PART, FileStamp, sha256_of, sync_folder
from place_search.indexer.errors import (
    IndexFormatError,
    IndexReadError,
    IndexWriteError,
    read_refusal,
)
from place_search.indexer.storage.edits import is_edits_file
from place_search.indexer.storage.lock import LOCK_NAME
from place_search.indexer.storage.manifest import (
    CALIBRATION,
    JOURNAL,
    MANIFEST,
    Manifest,
    is_fixed_name,
    number_of,
    read_manifest,
    share,
)
from place_search.indexer.storage.shards import SHARDS, THUMBNAILS

EXCHANGE = ".exchange"
"""The file that remembers where in an exchange an interrupted run on a cluster has left files."""
_PENDING = re.compile(r"(.+)\.[0-9a-f]{16}")


def pending_name(name: str, writer_id: str) -> str:
    """The name of a file until it may replace the one of that name; each writer has an id."""
    return f"{name}.{writer_id}"


def matches_stamp(path: Path, stamp: FileStamp, *, by_size: bool = False) -> bool:
    """Whether a file exists and is whole; `by_size` only its size is compared.

    Raises:
        IndexReadError: the system refuses to read it.
    """
    try:
        is_sized = path.is_file() and path.stat().st_size == stamp.bytes
        return is_sized and (by_size or sha256_of(path) == stamp.sha256)
    except OSError as error:
        refused = read_refusal(path, error)
        if refused is not None:
            raise refused from error
        return False  # a writer deleted it meanwhile


def check_folder(folder: Path) -> None:
    """Refuse a folder that is neither empty nor an index, finished or not.

    Raises:
        IndexWriteError: the folder holds other files, or is a file.
        IndexFormatError: its manifest is of another program, damaged, or newer.
    """
    if folder.exists() and not folder.is_dir():
        raise IndexWriteError(f"{folder} is a file; name a folder for the index.")
    if current_manifest(folder) or not folder.is_dir() or (folder / JOURNAL).exists():
        return
    for entry in sorted(folder.iterdir()):
        # A run that was killed before it began may have left these.
        if entry.name not in (LOCK_NAME, EXCHANGE) and not _is_part(entry.name):
            raise IndexWriteError(
                f"{folder} is neither empty nor an index (it holds '{entry.name}'); name another "
                "folder for the index."
            )


def _is_part(name: str) -> bool:
    """Whether a file is an unfinished file that a killed writer of an index left."""
    whole = name.removesuffix(PART)
    if whole == name:
        return False
    pending = _PENDING.fullmatch(whole)
    final = pending[1] if pending else whole
    return (
        whole in (MANIFEST, JOURNAL, CALIBRATION)
        or is_fixed_name(final)
        or is_edits_file(whole)
        or number_of(final) is not None
    )


def current_manifest(folder: Path) -> Manifest | None:
    """The manifest of the index in this folder; None where it has none yet."""
    return read_manifest(folder) if (folder / MANIFEST).exists() else None


def share_new_files(folder: Path, manifest: Manifest, old: Mapping[str, FileStamp]) -> None:
    """Let all read the files of the next version who may read this one; `old` shards are so."""
    for name, stamp in manifest.files.items():
        if number_of(name) is None or old.get(name) != stamp:
            share(folder / name, folder)
            share(folder / pending_name(name, manifest.index_id), folder)


def finalize_commit(folder: Path, manifest: Manifest) -> None:
    """Give the pending files of a committed manifest their plain names."""
    for name in filter(is_fixed_name, manifest.files):
        pending = folder / pending_name(name, manifest.index_id)
        if pending.exists() and not _is_in_place(folder / name, manifest.files[name]):
            pending.replace(folder / name)
    sync_folder(folder)


def _is_in_place(path: Path, stamp: FileStamp) -> bool:
    """Whether a file is whole; false where it may not be read, as it can be replaced."""
    try:
        return matches_stamp(path, stamp)
    except IndexReadError:
        return False


def checked_paths(folder: Path, manifest: Manifest) -> dict[str, Path]:
    """The path of every file of a version, checked.

    Sizes are checked for all files, checksums for those with fixed names: they are parsed at once.

    Raises:
        IndexFormatError: a file is missing or damaged.
        IndexReadError: a file may not or cannot be read.
    """
    return {name: _checked_path(folder, manifest, name) for name in manifest.files}


def _checked_path(folder: Path, manifest: Manifest, name: str) -> Path:
    stamp = manifest.files[name]
    path = folder / name
    if not is_fixed_name(name):
        if matches_stamp(path, stamp, by_size=True):
            return path
    else:
        # A writer that was killed after its commit leaves the pending name.
        for candidate in (path, folder / pending_name(name, manifest.index_id)):
            if matches_stamp(candidate, stamp):
                return candidate
    repair = shell_command("verify", folder, "--repair")
    raise IndexFormatError(f"{path} is missing or damaged; {repair} mends what it can.")


def collect_garbage(folder: Path, keep: Iterable[str]) -> None:
    """Delete index files that are not among `keep`; files of other programs are left alone.

    A drive may keep files that a server has open: those are left to the next change.
    """
    kept_names = set(keep)
    for entry in list(folder.iterdir()):
        pending = _PENDING.fullmatch(entry.name)
        name = pending[1] if pending else entry.name
        is_stale = is_fixed_name(name) and (pending or name not in kept_names)
        is_stale = is_stale or (is_edits_file(name) and name not in kept_names)
        if is_stale or _is_part(entry.name):
            _discard(entry)
    for part in (SHARDS, THUMBNAILS):
        for entry in list((folder / part).glob("*")):
            name = f"{part}/{entry.name}"
            pending = _PENDING.fullmatch(name)
            is_numbered = number_of(pending[1] if pending else name) is not None
            if name not in kept_names and (is_numbered or _is_part(name)):
                _discard(entry)


def _discard(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
