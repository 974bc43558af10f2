"""Finding the files of listed photos, which the list may spell otherwise than the disk."""

import os
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path, PurePosixPath

from place_search.core.text import folded
from place_search.photos import EXTENSIONS


@dataclass(slots=True)
class _Folder:
    """The names in a folder: its files, and files, stems of photos and folders by `folded`."""

    files: set[str] = field(default_factory=set)
    by_key: dict[str, str] = field(default_factory=dict)
    by_stem: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)


class PhotoFiles:
    """The photos under a root; each folder is listed only once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, _Folder] = {}

    def find(self, name: str) -> str | None:
        """The name of the file that a listed name stands for; None where there is no such file.

        It is the name itself, or else a name that differs only in backslashes, spaces at its ends,
        capital letters, the composition of accents, or the ending.
        """
        path = PurePosixPath(name)
        folder = path.parent.as_posix()
        if path.name in self._list(folder).files:
            return path.as_posix()
        cleaned = PurePosixPath(name.replace("\\", "/").strip())
        folder = self._find_folder(cleaned.parent)
        names = self._list(folder)
        file = (
            cleaned.name if cleaned.name in names.files else names.by_key.get(folded(cleaned.name))
        )
        stems = [cleaned.name]
        # What follows a dot may be no ending, but coordinates behind a name, or parts of a second.
        ending = cleaned.suffix[1:]
        if ending.isalnum() and not ending.isdigit():
            stems.append(cleaned.stem)
        for stem in stems:
            file = file or names.by_stem.get(stem) or names.by_stem.get(folded(stem))
        return None if file is None else PurePosixPath(folder, file).as_posix()

    def _find_folder(self, path: PurePosixPath) -> str:
        """The folder of a listed path, each part as the disk spells it."""
        if (self.root / path).is_dir():
            return path.as_posix()
        folder = PurePosixPath()
        for part in path.parts:
            names = self._list(folder.as_posix()).folders
            folder /= part if part in names.values() else names.get(folded(part), part)
        return folder.as_posix()

    def _list(self, folder: str) -> _Folder:
        if folder not in self._folders:
            names = self._folders[folder] = _Folder()
            try:
                entries = list(os.scandir(self.root / folder))
            except (OSError, ValueError):
                entries = []
            for entry in sorted(entries, key=attrgetter("name"), reverse=True):
                try:
                    is_folder, is_file = entry.is_dir(), entry.is_file()
                except OSError:  # a link to itself
                    continue
                if is_folder:
                    names.folders[folded(entry.name)] = entry.name
                if not is_file:
                    continue
                names.files.add(entry.name)
                names.by_key[folded(entry.name)] = entry.name
                stem, ending = os.path.splitext(entry.name)  # noqa: PTH122 - 90,000 times
                if ending.lower() in EXTENSIONS:
                    names.by_stem[folded(stem)] = entry.name
                    names.by_stem[stem] = entry.name
        return self._folders[folder]
