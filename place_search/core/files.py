"""Files that are whole or absent: temporary name, fsync, rename, fsync of the folder."""

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from place_search.core.errors import PlaceSearchError

PART = ".part"
"""Ends the name of a file that is still being written."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a file must be to be whole: its sha256 in hex and its size in bytes."""

    sha256: str
    bytes: int


def stamp_of(content: bytes | memoryview) -> FileStamp:
    """The stamp of a file with this content."""
    return FileStamp(hashlib.sha256(content).hexdigest(), len(content))


def write_whole(path: Path, content: bytes | memoryview) -> FileStamp:
    """Write a file so that at any moment its name stands for the whole content or for nothing."""
    with replacing(path) as part, part.open("wb") as stream:
        stream.write(content)
    return stamp_of(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, and put it in the place of `path` when all went well."""
    part = path.with_name(path.name + PART)
    try:
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading, if it is one.

    A named pipe would keep its reader waiting for ever for somebody to write to it, and a device
    may never end; whatever a user or an index names is opened by this.

    Raises:
        OSError: as `open` does; of `errno.ENXIO` where it is neither a file nor a folder.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.ENXIO, "it is not a regular file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path) -> bytes:
    """All bytes of a file that `open_regular` opens."""
    with open_regular(path) as stream:
        return stream.read()


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_own_folder(folder: Path, mark: str, error: type[PlaceSearchError]) -> None:
    """Refuse a folder that holds files, but not the one that our own have, named `mark`.

    Raises:
        PlaceSearchError: of the kind `error`.
    """
    if not folder.is_dir() or (folder / mark).is_file():
        return
    for entry in sorted(folder.iterdir()):
        raise error(
            f"{folder} holds other files, such as '{entry.name}'; name a new or an empty folder."
        )
