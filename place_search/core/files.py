"""Files that are whole or absent: temporary name, fsync, rename, fsync of the folder."""

import errno
import fcntl
import hashlib
import io
import os
import resource
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp

from place_search.core.errors import RERUN, PlaceSearchError, unwritable
from place_search.core.text import parse_json

PART = ".part"
"""The ending of a file that is being written."""
HEAD_BYTES = 4096
_LOCK = ".lock"
"""A file in a scratch folder, locked by the process that writes there."""
_RANDOM = 8
"""Characters that mkdtemp adds to a prefix."""
_SPARE_FILES = 256
"""Files and connections that a process may open besides those of its indexes."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """The sha256, in hex, and the size in bytes of a whole file."""

    sha256: str
    bytes: int


def stamp_of(content: bytes) -> FileStamp:
    """The stamp of a file with this content."""
    return FileStamp(hashlib.sha256(content).hexdigest(), len(content))


def write_whole(path: Path, content: bytes) -> FileStamp:
    """Write a file so that at any moment it is whole or absent."""
    with replacing(path) as part, part.open("wb") as stream:
        stream.write(content)
    return stamp_of(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of an empty file to write, and rename it to `path` if there is no error.

    Anybody can guess the file's name, and may have left a link or a pipe there: it is made anew.
    Nobody may read it who may not read the file that it replaces.
    """
    part = path.with_name(path.name + PART)
    try:
        part.unlink(missing_ok=True)
        allowed = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 | allowed & 0o666))
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def telling_unwritable(
    what: object, error: type[PlaceSearchError] = PlaceSearchError, then: str = RERUN
) -> Iterator[None]:
    """Turn an OSError into a sentence on why a file or folder cannot be written.

    Raises:
        PlaceSearchError: of the type `error`, with the sentence of `unwritable`.
    """
    try:
        yield
    except OSError as cause:
        raise error(unwritable(what, cause, then)) from cause


@contextmanager
def utf8_path(path: Path) -> Iterator[str]:
    """A path to open a file by, for libraries that require names in UTF-8."""
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


def allow_open_files(extra: int) -> int:
    """Let this process open `extra` more files, as far as its hard limit allows.

    Returns: the number of files that it may have open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = len(list(Path("/dev/fd").iterdir())) + extra + _SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        return limit
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading.

    Reading a named pipe may wait for ever, and a device may never end; therefore all paths from
    users and from indexes are opened by this function.

    Raises:
        OSError: as `open` does; `errno.ENXIO` for anything but a file or a folder.
    """
    # `open` itself makes the stream, so that it owns the file whenever Ctrl-C comes.
    stream = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - given to the caller
    _require_regular(stream)
    return stream


def _require_regular(stream: io.BufferedReader | io.FileIO) -> None:
    try:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.ENXIO, "it is not a regular file", str(stream.name))
    except BaseException:
        stream.close()
        raise


def open_note(path: Path) -> io.FileIO:
    """Open a file of ours, perhaps a new one, to read and to append to.

    A link could lead out of a folder that a stranger packed, and would let us change any file.
    There is no buffer: one that finds a full disk would be written again on closing.

    Raises:
        OSError: as `open` does; `errno.ELOOP` for a link, `errno.ENXIO` for anything but a file.
    """
    note = open(path, "ab+", buffering=0, opener=_open_no_link)  # noqa: SIM115 - given to the caller
    _require_regular(note)
    return note


def append(note: io.FileIO, data: bytes) -> None:
    """Write all of `data` to the end of a note, to the disk. Raises OSError."""
    while data:
        data = data[note.write(data) :]  # a full disk writes a part, and refuses the next
    os.fsync(note.fileno())


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY, 0o666)


def _open_at_once(path: str, flags: int) -> int:
    """Open a path without waiting for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def read_regular(path: Path) -> bytes:
    """All bytes of a file that `open_regular` opens."""
    with open_regular(path) as stream:
        return stream.read()


def require_writable(path: Path, *inputs: Path, index: Path | None = None) -> None:
    """Refuse an output file that would destroy something else, before any work is done for it.

    Refused are one of the `inputs`, a file within the `index`, and a link, pipe or device.

    Raises:
        PlaceSearchError: the file cannot be written.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise PlaceSearchError(f"{path} cannot be written; name a file in a folder that exists.")
    with telling_unwritable(path), suppress(FileNotFoundError):
        path.with_name(path.name + PART).lstat()  # raises if its name is too long
    if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
        raise PlaceSearchError(f"{path.parent} may not be written; name a file in another folder.")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise PlaceSearchError(f"{path} is a link, pipe or device; name a file.")
    real = path.resolve()
    if real in [source.resolve() for source in inputs]:
        raise PlaceSearchError(f"{path} is what is read; name another file to write.")
    if index is not None and real.is_relative_to(index.resolve()):
        raise PlaceSearchError(f"{path} is within the index; name a file outside of it.")


def require_own(path: Path, content: str, is_own: Callable[[Path], bool]) -> None:
    """Refuse to replace a file that holds something else than `content`, in words.

    Raises:
        PlaceSearchError: the file is not empty, and `is_own(path)` is False.
    """
    if path.exists() and path.stat().st_size and not is_own(path):
        raise PlaceSearchError(f"{path} holds something else than {content}; name another file.")


def first_bytes(path: Path) -> bytes:
    """The first bytes of a file, at most `HEAD_BYTES`, to recognise its format."""
    with open_regular(path) as stream:
        return stream.read(HEAD_BYTES)


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """A hidden folder beside `name` for unfinished files, which is deleted at the end.

    Folders for the same name whose processes were killed are deleted first.
    """
    prefix = f".{name}-"
    for leftover in parent.glob(escape(prefix) + "?" * _RANDOM):
        with suppress(OSError), (leftover / _LOCK).open("r+") as lock:
            # Fails where another process holds the lock, or the lock file does not exist.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(leftover, ignore_errors=True)
    scratch = Path(mkdtemp(dir=parent, prefix=prefix))
    try:
        with (scratch / _LOCK).open("w") as lock_file:
            fcntl.flock(lock_file, fcntl.LOCK_EX)
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data`; raises OSError. A full disk writes a part, and refuses the next."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A file that only this process reads and writes, by offsets."""

    path: Path
    descriptor: int

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """Write all of `data`.

        Raises:
            PlaceSearchError: the disk is full.
        """
        with telling_unwritable(self.path):
            write_at(self.descriptor, data, offset)

    def truncate(self, size: int) -> None:
        """Keep only the first `size` bytes."""
        with telling_unwritable(self.path):
            os.ftruncate(self.descriptor, size)


@contextmanager
def locked_file(path: Path) -> Iterator[LockedFile]:
    """Open the file that keeps an interrupted run's work; a new file is empty.

    Raises:
        PlaceSearchError: the file cannot be written, or another process has locked it.
    """
    with telling_unwritable(path):
        if path.is_symlink():
            raise OSError(errno.ELOOP, "it is a link")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        with telling_unwritable(path):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PlaceSearchError(
                    f"Another process is writing {path}; wait for it, or name another --out."
                ) from None
        yield LockedFile(path, descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that renames and removals in it survive a power cut.

    Some network drives and shared folders cannot sync a folder: they go without.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def size_and_time(path: Path) -> tuple[int, int] | None:
    """A file's size in bytes and time of change in nanoseconds; None where it cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def size_of(path: Path) -> int:
    """A file's size in bytes; -1 where it cannot be read."""
    facts = size_and_time(path)
    return -1 if facts is None else facts[0]


def changed_ns(status: os.stat_result) -> int:
    """The time of a file's last change, in nanoseconds since 1970, by a clock that may be wrong.

    A time after 2262, which 64 bits cannot hold, counts as the last one that they hold.
    """
    return min(status.st_mtime_ns, (1 << 63) - 1)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_own_folder(folder: Path, mark: str, key: str, error: type[PlaceSearchError]) -> None:
    """Refuse a folder with files of others; an own folder has the file `mark`.

    `mark` holds a JSON object with the key `key`, as others may have files of its name.

    Raises:
        PlaceSearchError: of the kind `error`.
    """
    if folder.is_dir() and not _is_marked(folder / mark, key):
        require_empty(folder, error)


def require_empty(folder: Path, error: type[PlaceSearchError]) -> None:
    """Refuse a folder that holds files. Raises an error of the type `error`."""
    for entry in sorted(folder.iterdir()):
        raise error(
            f"{folder} holds other files, such as '{entry.name}'; name a new or an empty folder."
        )


def begin_files(
    folder: Path, mark: str, key: str, kind: str, error: type[PlaceSearchError]
) -> None:
    """Make a folder if necessary, and check that files can be written into it.

    `mark` and `key` are those of `require_own_folder`, `kind` is that of `write_files`.

    Raises:
        PlaceSearchError: of the type `error`: the folder cannot be written, or holds other files.
    """
    with telling_unwritable(f"The {kind} {folder}", error):
        require_own_folder(folder, mark, key, error)
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass


def write_files(
    folder: Path, texts: Mapping[str, str], kind: str, error: type[PlaceSearchError]
) -> None:
    """Write texts by their names into a folder, all or none, as far as the disk has room.

    An error names them by `kind`, as "report".

    Raises:
        PlaceSearchError: of the type `error`: the folder cannot be written.
    """
    with telling_unwritable(f"The {kind} {folder}", error):
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as parts:  # renames the files at its end, the last one first
            for name, text in reversed([*texts.items()]):  # the first one marks the folder as ours
                part = parts.enter_context(replacing(folder / name))
                part.write_bytes(text.encode(errors="backslashreplace"))


def _is_marked(path: Path, key: str) -> bool:
    try:
        table = parse_json(read_regular(path))
    except (OSError, ValueError):
        return False
    return isinstance(table, dict) and key in table
