"""Files that are whole or absent: temporary name, fsync, rename, fsync of the folder."""

import errno
import fcntl
import hashlib
import io
import json
import os
import resource
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp

from place_search.core.errors import PlaceSearchError

PART = ".part"
"""Ends the name of a file that is still being written."""
HEAD_BYTES = 4096
_LOCK = ".lock"
"""In a scratch folder, held by the process that writes there."""
_RANDOM = 8
"""Characters that mkdtemp adds to a prefix."""
_SPARE_FILES = 256
"""Files and connections that a process may open beside those of its indexes."""


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


@contextmanager
def telling_unwritable(path: Path) -> Iterator[None]:
    """Say in a sentence why a file cannot be written.

    Raises:
        PlaceSearchError: it cannot.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise PlaceSearchError(f"{path} cannot be written ({reason}); check its folder.") from error


@contextmanager
def utf8_path(path: Path) -> Iterator[str]:
    """A path to open the file by, for libraries that take names for UTF-8 text."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}/{path.name}"
        finally:
            os.close(descriptor)
    else:
        yield str(path)


def allow_open_files(more: int) -> int:
    """Let this process open so many files beside those it has, as far as its hard limit allows.

    Returns: how many it may have open now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = len(list(Path("/dev/fd").iterdir())) + more + _SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading, if it is one.

    A named pipe would keep its reader waiting for ever for somebody to write to it, and a device
    may never end; whatever a user or an index names is opened by this.

    Raises:
        OSError: as `open` does; of `errno.ENXIO` where it is neither a file nor a folder.
    """
    # The stream is made by `open` itself, so that it owns the file whenever Ctrl-C comes.
    stream = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - given to the caller
    try:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.ENXIO, "it is not a regular file", str(path))
    except BaseException:
        stream.close()
        raise
    return stream


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe, whatever the file is."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def read_regular(path: Path) -> bytes:
    """All bytes of a file that `open_regular` opens."""
    with open_regular(path) as stream:
        return stream.read()


def require_writable(path: Path, *inputs: Path, index: Path | None = None) -> None:
    """Refuse a file to write where something else would be lost, before any work is done for it.

    That is a file which is read, one of `inputs`, or which is part of an `index`; and a link, pipe
    or device, which the file would replace.

    Raises:
        PlaceSearchError: it cannot be written.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise PlaceSearchError(f"{path} cannot be written; name a file in a folder that exists.")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise PlaceSearchError(f"{path} is a link, pipe or device; name a file.")
    real = path.resolve()
    if real in [each.resolve() for each in inputs]:
        raise PlaceSearchError(f"{path} is what is read; name another file to write.")
    if index is not None and real.is_relative_to(index.resolve()):
        raise PlaceSearchError(f"{path} is within the index; name a file outside of it.")


def require_own(path: Path, what: str, is_own: Callable[[Path], bool]) -> None:
    """Refuse to replace a file that holds something else than `what` is written there.

    Raises:
        PlaceSearchError: `is_own` does not know the file, and it is not empty.
    """
    if path.exists() and path.stat().st_size and not is_own(path):
        raise PlaceSearchError(f"{path} holds something else than {what}; name another file.")


def first_bytes(path: Path) -> bytes:
    """The first bytes of a file, at most `HEAD_BYTES`, by which its writer knows it again."""
    with open_regular(path) as stream:
        return stream.read(HEAD_BYTES)


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """A hidden folder for what is being made beside `name`, which is deleted at the end.

    Those of the same name whose processes were killed are deleted first.
    """
    prefix = f".{name}-"
    for left in parent.glob(escape(prefix) + "?" * _RANDOM):
        with suppress(OSError), (left / _LOCK).open("r+") as lock:
            # It fails where the lock is held, or is not there: not yet, or no longer.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    scratch = Path(mkdtemp(dir=parent, prefix=prefix))
    try:
        with (scratch / _LOCK).open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A file that its process alone reads and writes, by offsets."""

    path: Path
    descriptor: int

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """Write all of it.

        Raises:
            PlaceSearchError: the disk is full.
        """
        with _writable(self.path):
            while data:  # a full disk takes a part, and refuses the next one
                written = os.pwrite(self.descriptor, data, offset)
                data, offset = data[written:], offset + written

    def cut(self, size: int) -> None:
        """Forget what lies behind so many bytes."""
        with _writable(self.path):
            os.ftruncate(self.descriptor, size)


@contextmanager
def locked_file(path: Path) -> Iterator[LockedFile]:
    """Open a file that keeps what an interrupted run has done, or begin it, empty.

    Raises:
        PlaceSearchError: it cannot be written, or another process writes it.
    """
    with _writable(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with _writable(path):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield LockedFile(path, descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise PlaceSearchError(
            f"Another process is writing {path}; wait for it, or name another --out."
        ) from None
    except OSError as error:
        raise PlaceSearchError(
            f"{path} cannot be written ({error.strerror}); make room, or write to another folder."
        ) from error


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


def require_own_folder(folder: Path, mark: str, key: str, error: type[PlaceSearchError]) -> None:
    """Refuse a folder that holds files, but not the one that our own have.

    That is a JSON object with the key `key` in the file `mark`; others have files of its name.

    Raises:
        PlaceSearchError: of the kind `error`.
    """
    if not folder.is_dir() or _is_marked(folder / mark, key):
        return
    for entry in sorted(folder.iterdir()):
        raise error(
            f"{folder} holds other files, such as '{entry.name}'; name a new or an empty folder."
        )


def begin_files(
    folder: Path, mark: str, key: str, what: str, error: type[PlaceSearchError]
) -> None:
    """Make sure that files can be written into a folder, before work of hours; it is made.

    `mark` and `key` are as `require_own_folder` takes them, `what` is as `write_files` does.

    Raises:
        PlaceSearchError: of the kind `error`: it cannot be written, or holds others' files.
    """
    with _writing(folder, what, error):
        require_own_folder(folder, mark, key, error)
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass


def write_files(
    folder: Path, texts: Mapping[str, str], what: str, error: type[PlaceSearchError]
) -> None:
    """Write texts by their names into a folder; an error calls them the `what`.

    Raises:
        PlaceSearchError: of the kind `error`: the folder cannot be written.
    """
    with _writing(folder, what, error):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_whole(folder / name, text.encode(errors="backslashreplace"))


@contextmanager
def _writing(folder: Path, what: str, error: type[PlaceSearchError]) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise error(
            f"The {what} cannot be written to {folder} ({problem.strerror}); name another folder."
        ) from problem


def _is_marked(path: Path, key: str) -> bool:
    try:
        table = json.loads(read_regular(path))
    except (OSError, ValueError):
        return False
    return isinstance(table, dict) and key in table
