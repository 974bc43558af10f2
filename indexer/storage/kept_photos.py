"""The photos that a server keeps for places added over HTTP: `INDEX-photos`, beside the index.

A photo is written before the first version of the index that names it, and deleted after the last.
A process that is killed in between leaves a note that names the photo, and the next change of the
index settles it. The photo of a removed place stays as long as the place can be restored. Photos
that no note names are never touched: the folder may be a user's own.
"""

import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from place_search.core.files import PART, append, open_note, write_whole
from place_search.indexer.errors import IndexBusyError
from place_search.indexer.storage.contents import current_paths
from place_search.indexer.storage.lock import plain_write_errors, try_lock
from place_search.indexer.storage.manifest import Manifest

SUFFIX = "-photos"
NOTE = ".changing"
REMOVED = ".removed"
_OWN = re.compile(r"[0-9a-f]{32}\.jpg")


def beside(index: Path, suffix: str) -> Path:
    """The folder `INDEX-photos`, or the like, where it lies for an index that a link names."""
    whole = index.resolve()
    return whole.parent / f"{whole.name}{suffix}"


def make_beside(folder: Path) -> None:
    """Make the folder `INDEX-photos`, or the like, for those alone who may read INDEX."""
    index = folder.parent / folder.name.rpartition("-")[0]
    mode = stat.S_IMODE(index.stat().st_mode) if index.is_dir() else 0o777
    folder.mkdir(mode, parents=True, exist_ok=True)


class KeptPhotos:
    """The folder of kept photos of one index."""

    def __init__(self, index: Path) -> None:
        self.index = index
        self.folder = beside(index, SUFFIX)
        self._note = self.folder / NOTE

    def require_short_name(self) -> None:
        """Raises an OSError if the index has so long a name that its folder can have none."""
        with suppress(FileNotFoundError, NotADirectoryError):
            self.folder.lstat()

    @contextmanager
    def adding(self, photos: Mapping[str, bytes]) -> Iterator[Path]:
        """Write photos by their names, noted until the index has a version with them.

        Yields the folder of kept photos. Photos that it holds already are not noted: they may be a
        user's own.

        Raises:
            IndexBusyError: another process adds photos.
            IndexWriteError: a full disk or a read-only folder.
        """
        with plain_write_errors(self.folder):
            make_beside(self.folder)
            note = open_note(self._note)
        with note:
            if not try_lock(note):
                raise IndexBusyError(
                    f"{self.folder} is being changed by another program; wait until that is done."
                )
            try:
                with plain_write_errors(self.folder):
                    self._settle(note)
                    self._write(photos, note)
                yield self.folder
            except BaseException:
                self._settle(note)
                raise
            note.truncate(0)

    def _write(self, photos: Mapping[str, bytes], note: FileIO) -> None:
        new = [name for name in photos if not (self.folder / name).exists()]
        append(note, "".join(f"{name}\n" for name in new).encode())
        for name, content in photos.items():
            write_whole(self.folder / name, content)

    def is_unsettled(self) -> bool:
        """Whether a process was killed, or is at work, while it added photos."""
        try:
            return self._note.stat().st_size > 0
        except OSError:
            return False

    def find(self, path: Path) -> Path:
        """The path of a photo now: a kept photo moves with its index, as into a container."""
        if not _OWN.fullmatch(path.name):
            return path
        kept_path = self.folder / path.name
        return kept_path if path != kept_path and kept_path.is_file() else path

    def holds(self, path: Path) -> bool:
        """Whether the photo at this path is a kept photo of this index."""
        kept_path = self.find(path)
        return (
            _OWN.fullmatch(kept_path.name) is not None and kept_path.parent.resolve() == self.folder
        )

    def keeps(self, path: Path, root: Path) -> bool:
        """Whether the photo at this path is a kept photo, even if an index was moved without it.

        A folder of the source itself, under its `root`, may have such a name too.
        """
        if self.holds(path):
            return True
        folder = path.parent
        if path.is_relative_to(root) or not folder.name.endswith(SUFFIX):
            return False
        return bool(_OWN.fullmatch(path.name)) and ((folder / NOTE).exists() or not folder.exists())

    def note_removed(self, photos: Iterable[Path]) -> None:
        """Note the photos of removed places: they are deleted once these cannot be restored.

        The caller has locked the index.
        """
        names = "".join(f"{photo.name}\n" for photo in photos)
        if names:
            make_beside(self.folder)
            with open_note(self.folder / REMOVED) as note:
                append(note, f"\n{names}".encode())  # a full disk may have cut the last line short

    def settle(self, manifest: Manifest) -> None:
        """Delete photos that killed processes and removed places have left; the index is locked.

        Photos of killed processes stay while a living process adds photos, and photos of removed
        places while the shards hold these places.
        """
        # No change fails because of what another user has left, such as a server.
        with suppress(PermissionError):
            removed = self.folder / REMOVED
            if not manifest.removed and removed.exists() and removed.stat().st_size:
                with open_note(removed) as note:
                    names = _names(note)
                still_used = self._used_by_places(names)
                for name in names - still_used:
                    (self.folder / name).unlink(missing_ok=True)
                # A process may have been killed between its note and the removal.
                write_whole(removed, "".join(f"{name}\n" for name in sorted(still_used)).encode())
            if self.is_unsettled():
                with open_note(self._note) as note:
                    if try_lock(note):
                        self._settle(note)

    def _settle(self, note: FileIO) -> None:
        names = _names(note)
        for name in names:
            (self.folder / f"{name}{PART}").unlink(missing_ok=True)
        for name in names - self._used_by_places(names):
            (self.folder / name).unlink(missing_ok=True)
        note.truncate(0)

    def _used_by_places(self, names: set[str]) -> set[str]:
        """The subset of these photos that belong to places of the index."""
        if not names:
            return set()
        # Other processes may change the index.
        return names & {path.decode().rpartition("/")[2] for _, path in current_paths(self.index)}


def _names(note: FileIO) -> set[str]:
    """The photos that a note names."""
    note.seek(0)
    return {name for name in note.read().decode("ascii").split("\n") if _OWN.fullmatch(name)}
