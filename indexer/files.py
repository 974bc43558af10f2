"""Files that are whole or absent: temporary name, fsync, rename, fsync of the folder; the lock."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from indexer.errors import IndexBusyError, IndexWriteError

LOCK_NAME = ".lock"
PART = ".part"
"""Ends the name of a file that is still being written."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a file must be to be whole: its sha256 in hex and its size in bytes."""

    sha256: str
    bytes: int


def write_whole(path: Path, content: bytes | memoryview) -> FileStamp:
    """Write a file so that at any moment its name stands for the whole content or for nothing."""
    with replacing(path) as part, part.open("wb") as stream:
        stream.write(content)
    return FileStamp(hashlib.sha256(content).hexdigest(), len(content))


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


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def lock(folder: Path) -> Iterator[IO[str]]:
    """Hold a folder for writing; the system lets go of it when the process ends, however.

    Raises:
        IndexBusyError: another process, or another thread of this one, holds it.
    """
    with (folder / LOCK_NAME).open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip()
            process = f"process {holder}" if holder.isdigit() else "another process"
            raise IndexBusyError(
                f"{folder} is being written by {process}; wait until that is done."
            ) from None
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield stream


@contextmanager
def plain_write_errors(folder: Path) -> Iterator[None]:
    """Turn what the system says of a full disk or a read-only folder into `IndexWriteError`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            what = "is on a full disk; free some space"
        elif error.errno in _FORBIDDEN:
            what = "may not be written; change its permissions or choose another folder"
        else:
            what = f"cannot be written ({error.strerror or error}); mend that"
        raise IndexWriteError(f"{folder} {what}, then run the same command again.") from error
