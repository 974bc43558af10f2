"""The lock on an index that is being written, and sentences for errors of writing."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from place_search.core.files import open_note, telling_unwritable
from place_search.indexer.errors import IndexBusyError, IndexWriteError

LOCK_NAME = ".lock"


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Lock a folder for writing; the system unlocks it when the process ends, even if killed.

    Raises:
        IndexBusyError: another process, or another thread of this one, holds it.
    """
    with open_note(folder / LOCK_NAME) as note:
        try:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note.seek(0)
            holder = note.read().strip().decode("ascii", "replace")
            process = f"process {holder}" if holder.isdigit() else "another process"
            raise IndexBusyError(
                f"{folder} is being written by {process}; wait until that is done."
            ) from None
        note.truncate(0)
        note.write(f"{os.getpid()}\n".encode())
        yield


def plain_write_errors(folder: Path) -> AbstractContextManager[None]:
    """Turn errors such as a full disk or a read-only folder into `IndexWriteError`."""
    return telling_unwritable(folder, IndexWriteError)
