"""Finding photos that a list names: some lists say .jpg where the files are .png."""

import os
from pathlib import Path, PurePosixPath

from place_search.photos import EXTENSIONS


class PhotoFiles:
    """The photos under a root; each folder is listed once, however many photos are asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, tuple[set[str], dict[str, str]]] = {}

    def find(self, name: str) -> str | None:
        """The name of the file that a listed name stands for, or None where there is none.

        That is the name itself or, where there is no such file, the same with another ending.
        """
        path = PurePosixPath(name)
        files, by_stem = self._folder(path.parent.as_posix())
        if path.name in files:
            return name
        other = by_stem.get(path.stem)
        return None if other is None else path.with_name(other).as_posix()

    def _folder(self, folder: str) -> tuple[set[str], dict[str, str]]:
        if folder not in self._folders:
            try:
                files = {entry.name for entry in os.scandir(self.root / folder) if entry.is_file()}
            except OSError:
                files = set()
            stems: dict[str, str] = {}
            for file in sorted(files, reverse=True):
                stem, ending = os.path.splitext(file)  # noqa: PTH122 - of a name, 90,000 times
                if ending.lower() in EXTENSIONS:
                    stems[stem] = file
            self._folders[folder] = files, stems
        return self._folders[folder]
