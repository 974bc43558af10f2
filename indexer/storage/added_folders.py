"""Folders of files that indexing writes beside an index: frames of videos, views of panoramas.

Each folder is noted before it is written, in the file `.adding`. The next change of the index
deletes noted folders that no place uses, as after a failed addition, unless a process that adds
such folders still lives: it locks the note.
"""

import fcntl
import json
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from place_search.indexer.storage.kept_photos import make_beside

NOTE = ".adding"


class Adding:
    """Keeps the files of an addition from being deleted, until this object is garbage."""

    def __init__(self, folder: Path) -> None:
        """`folder` is `INDEX-frames` or the like, which is made if it does not exist."""
        self._refusal: PermissionError | None = None
        try:
            make_beside(folder)
            self._note = os.open(folder / NOTE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except PermissionError as error:  # what is there already can be used
            self._refusal = error
            return
        weakref.finalize(self, os.close, self._note)
        fcntl.flock(self._note, fcntl.LOCK_SH)

    def note(self, name: str) -> None:
        """Note a folder, by its path below that of all, before anything is written into it."""
        if self._refusal is not None:
            raise self._refusal
        os.write(self._note, json.dumps(name).encode() + b"\n")
        os.fsync(self._note)


def settle(folder: Path, uses: Callable[[str], bool], delete: Callable[[str], None]) -> None:
    """Delete noted folders that no place uses, once no process adds any; the index is locked."""
    # No change fails because of what others have left, such as a user whose files these are.
    with suppress(OSError):
        if not (folder / NOTE).stat().st_size:
            return
        with (folder / NOTE).open("r+", encoding="ascii") as note:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in _names(note.read()):
                if not uses(name):
                    delete(name)
            note.truncate(0)


def _names(lines: str) -> set[str]:
    names = set()
    for line in lines.splitlines():
        try:
            names.add(str(json.loads(line)))
        except ValueError:  # a full disk has cut the line short, before the folder was made
            continue
    return names
