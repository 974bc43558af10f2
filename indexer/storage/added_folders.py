"""Folders of files that indexing writes beside an index: frames of videos, views of panoramas.

Each folder is noted before it is written, in the file `.adding`. The next change of the index
deletes noted folders that no place uses, as after a failed addition, unless a process that adds
such folders still lives: it locks the note.
"""

import fcntl
import json
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from place_search.core.files import append, open_note
from place_search.indexer.storage.kept_photos import make_beside

NOTE = ".adding"


class Adding:
    """Keeps the files of an addition from being deleted, until this object is garbage."""

    def __init__(self, folder: Path) -> None:
        """`folder` is `INDEX-frames` or the like, which is made if it does not exist."""
        self._refusal: PermissionError | None = None
        try:
            make_beside(folder)
            self._note = open_note(folder / NOTE)
        except PermissionError as error:  # what is there already can be used
            self._refusal = error
            return
        weakref.finalize(self, self._note.close)
        fcntl.flock(self._note, fcntl.LOCK_SH)

    def note(self, name: str) -> None:
        """Note a folder, by its path below that of all, before anything is written into it."""
        if self._refusal is not None:
            raise self._refusal
        append(self._note, json.dumps(name).encode() + b"\n")


def settle(folder: Path, uses: Callable[[str], bool], delete: Callable[[str], None]) -> None:
    """Delete noted folders that no place uses, once no process adds any; the index is locked."""
    # No change fails because of what others have left, such as a user whose files these are.
    with suppress(OSError):
        if not (folder / NOTE).stat().st_size:
            return
        with open_note(folder / NOTE) as note:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
            note.seek(0)
            for name in _names(note.read()):
                if not uses(name):
                    delete(name)
            note.truncate(0)


def _names(lines: bytes) -> set[str]:
    """The folders that a note names; none outside its own, to which a stranger's note may lead."""
    names = set()
    for line in lines.splitlines():
        # A full disk may have cut a line short, before the folder was made.
        with suppress(ValueError, RecursionError):
            names.add(str(json.loads(line)))
    return {name for name in names if _is_inside(name)}


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/") and "\0" not in name
