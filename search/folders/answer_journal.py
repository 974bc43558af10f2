"""The answers of an unfinished run on disk, so that the same command can continue it."""

import hashlib
import json
import os
from typing import Any, NamedTuple

from place_search.core.files import LockedFile, size_and_time
from place_search.core.text import parse_json
from place_search.indexer import PlacePhoto


class _Line(NamedTuple):
    """The line of an answer: the stamp of its photo, its offset in the file and size in bytes."""

    stamp: str
    offset: int
    size: int


class AnswerJournal:
    """A file with a line for each photo; a killed run loses only the line that it was writing.

    A journal of another question or index is begun anew. A photo that has changed since its answer
    counts as unanswered.
    """

    def __init__(self, file: LockedFile, identity: object) -> None:
        """Continue a file, or begin it; `identity` is all that the answers depend on.

        Raises:
            PlaceSearchError: the file cannot be written.
        """
        self._file = file
        self._lines: dict[str, _Line] = {}
        digest = hashlib.sha256(repr(identity).encode("utf-8", "replace")).hexdigest()
        head = json.dumps({"asked": digest}).encode() + b"\n"
        self._end = self._read(head)
        file.truncate(self._end)
        if not self._end:
            file.write(head, 0)
            self._end = len(head)

    def _read(self, head: bytes) -> int:
        """Note the lines of whole answers; returns the offset of their end, 0 without this head."""
        end = 0
        with open(self._file.descriptor, "rb", closefd=False) as stream:
            for line in stream:
                if not end and line != head:
                    return 0
                try:
                    record = parse_json(line)
                except ValueError:
                    break
                if not line.endswith(b"\n"):
                    break
                if end:
                    self._lines[record["photo"]] = _Line(record["stamp"], end, len(line))
                end += len(line)
        return end

    def has(self, name: str, photo: PlacePhoto) -> bool:
        """Whether the journal has the answer to a photo, which has not changed since."""
        return name in self._lines and self._lines[name].stamp == _stamp(photo)

    def add(self, name: str, photo: PlacePhoto, answer: dict[str, Any]) -> None:
        """Keep the answer to a photo.

        Raises:
            PlaceSearchError: the disk is full.
        """
        stamp = _stamp(photo)
        line = json.dumps({"photo": name, "stamp": stamp, "answer": answer}).encode() + b"\n"
        self._file.write(line, self._end)
        self._lines[name] = _Line(stamp, self._end, len(line))
        self._end += len(line)

    def read(self, name: str) -> dict[str, Any]:
        """The answer to a photo."""
        line = self._lines[name]
        content = os.pread(self._file.descriptor, line.size, line.offset)
        answer: dict[str, Any] = parse_json(content)["answer"]
        return answer


def _stamp(photo: PlacePhoto) -> str:
    """The size and time of change of a photo's file, by which a changed photo is noticed."""
    facts = size_and_time(photo.path)
    return "none" if facts is None else f"{facts[0]} {facts[1]}"
