"""Answers of a run that is not done, on disk, so that the same command goes on from there."""

import hashlib
import json
import os
from typing import Any, NamedTuple

from place_search.core.files import LockedFile
from place_search.indexer import PlacePhoto


class _Line(NamedTuple):
    """The answer to a photo that had this stamp: where it stands, and how many bytes it has."""

    stamp: str
    offset: int
    size: int


class AnswerJournal:
    """A line a photo, each whole when it is there: a killed run loses the photo it was at.

    A journal of other questions, or of another index, is begun anew. A photo that has changed since
    counts as one that has not been answered.
    """

    def __init__(self, file: LockedFile, identity: object) -> None:
        """Go on with a file, or begin it; `identity` is what answers depend on.

        Raises:
            PlaceSearchError: it cannot be written.
        """
        self._file = file
        self._lines: dict[str, _Line] = {}
        asked = hashlib.sha256(repr(identity).encode("utf-8", "replace")).hexdigest()
        head = json.dumps({"asked": asked}).encode() + b"\n"
        self._end = self._read(head)
        file.cut(self._end)
        if not self._end:
            file.write(head, 0)
            self._end = len(head)

    def _read(self, head: bytes) -> int:
        """Take note of the answers that are whole; returns where they end, 0 without this head."""
        end = 0
        with open(self._file.descriptor, "rb", closefd=False) as stream:
            for line in stream:
                if not end and line != head:
                    return 0
                try:
                    told = json.loads(line)
                except ValueError:
                    break
                if not line.endswith(b"\n"):
                    break
                if end:
                    self._lines[told["photo"]] = _Line(told["stamp"], end, len(line))
                end += len(line)
        return end

    def has(self, name: str, photo: PlacePhoto) -> bool:
        """Whether a photo, as it is now, has its answer here."""
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
        answer: dict[str, Any] = json.loads(content)["answer"]
        return answer


def _stamp(photo: PlacePhoto) -> str:
    """What changes with a photo's file."""
    try:
        status = photo.path.stat()
    except OSError:
        return "none"
    return f"{status.st_size} {status.st_mtime_ns}"
