"""The lock on an index that is being written, and sentences for errors of writing."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import FileIO
from pathlib import Path

from place_search.core.files import open_note, telling_unwritable
from place_search.indexer.errors import IndexBusyError, IndexWriteError

LOCK_NAME = ".lock"
FINISHING_SECONDS = 60.0
"""The seconds for which a command that has worked already waits for another program's change."""
_POLL_SECONDS = 0.05


@contextmanager
def lock(folder: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Lock a folder for writing; the system unlocks it when the process ends, even if killed.

    Raises:
        IndexBusyError: another process, or another thread of this one, holds it, even after
            `patience`, in seconds.
    """
    deadline = time.monotonic() + patience
    with open_note(folder / LOCK_NAME) as note:
        while not try_lock(note):
            if time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                continue
            note.seek(0)
            holder = note.read().strip().decode("ascii", "replace")
            process = f"process {holder}" if holder.isdigit() else "another process"
            raise IndexBusyError(
                f"{folder} is being written by {process}; wait until that is done."
            )
        note.truncate(0)
        note.write(f"{os.getpid()}\n".encode())
        yield


def try_lock(note: FileIO) -> bool:
    """Lock an open file; False where somebody else holds it."""
    try:
        fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def plain_write_errors(folder: Path) -> AbstractContextManager[None]:
    """Turn errors such as a full disk or a read-only folder into `IndexWriteError`."""
    return telling_unwritable(folder, IndexWriteError)
