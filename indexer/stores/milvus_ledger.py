"""The list of the collections that an index has made in Milvus, so that none is left behind."""

from collections.abc import Sequence
from pathlib import Path

from place_search.core.files import write_whole

LEDGER = "collections.txt"
_FOLDER = "# of the folder "
_OTHER = "# of another index: "


class Ledger:
    """The file with a line `NAME URI` for each collection of an index.

    The first line has the number of the index's folder on its disk. The folder keeps it where it is
    moved, but a copy gets another: there the collections are those of the index that it is a copy
    of, and are listed as comments. A file of an earlier version has no number, and counts as own.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER
        self._first = f"{_FOLDER}{folder.stat().st_ino}"
        lines = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        is_copy = False
        if lines and lines[0].startswith(_FOLDER):
            is_copy = lines.pop(0) != self._first
        self.lines = [
            f"{_OTHER}{line}" if is_copy and not line.startswith("#") else line for line in lines
        ]

    def owns(self, collection: str) -> bool:
        """Whether the index has made a collection, rather than the one that it is a copy of."""
        return any(line.partition(" ")[0] == collection for line in self.lines)

    def write(self, lines: Sequence[str]) -> None:
        """Replace the lines."""
        self.lines = [*lines]
        write_whole(self._path, "".join(f"{line}\n" for line in (self._first, *lines)).encode())
