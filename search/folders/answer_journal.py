"""Answers of a run that is not done, on disk, so that the same command goes on from there."""

import contextlib
import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from place_search.core.errors import PlaceSearchError
from place_search.indexer import PlacePhoto


class AnswerJournal:
    """A line a photo, each whole when it is there: a killed run loses the photo it was at.

    A journal of other questions, or of another index, is begun anew. A photo that has changed since
    counts as one that has not been answered.
    """

    def __init__(self, path: Path, identity: object) -> None:
        """Open or begin the file; `identity` is what answers depend on.

        Raises:
            PlaceSearchError: it cannot be written, or another process writes it.
        """
        self.path = path
        self._offsets: dict[str, int] = {}
        self._stamps: dict[str, str] = {}
        asked = hashlib.sha256(repr(identity).encode("utf-8", "replace")).hexdigest()
        try:
            self._file = path.open("a+b", buffering=0)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not self._read(asked):
                    self._file.truncate(0)
                    self._file.write(json.dumps({"asked": asked}).encode() + b"\n")
            except BaseException:
                self._file.close()
                raise
        except BlockingIOError:
            raise PlaceSearchError(
                f"Another process is writing {path}; wait for it, or name another --out."
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error

    def _read(self, asked: str) -> bool:
        """Take note of what is there, and cut off what is not whole; whether it fits."""
        self._file.seek(0)
        end = 0
        with open(self._file.fileno(), "rb", closefd=False) as stream:
            for line in stream:
                try:
                    told = json.loads(line)
                except ValueError:
                    break
                if not line.endswith(b"\n"):
                    break
                if end == 0 and told != {"asked": asked}:
                    return False
                if end:
                    self._note(told, end)
                end += len(line)
        self._file.truncate(end)
        return end > 0

    def _note(self, told: dict[str, Any], offset: int) -> None:
        self._offsets[told["photo"]] = offset
        self._stamps[told["photo"]] = told["stamp"]

    def has(self, name: str, photo: PlacePhoto) -> bool:
        """Whether a photo, as it is now, has its answer here."""
        return self._stamps.get(name, "") == _stamp(photo)

    def add(self, name: str, photo: PlacePhoto, answer: dict[str, Any]) -> None:
        """Keep the answer to a photo.

        Raises:
            PlaceSearchError: the disk is full.
        """
        told = {"photo": name, "stamp": _stamp(photo), "answer": answer}
        line = json.dumps(told).encode() + b"\n"
        try:
            offset = self._file.seek(0, os.SEEK_END)
            if self._file.write(line) != len(line):
                raise OSError(0, "the disk is full")
        except OSError as error:
            raise self._unwritable(error) from error
        self._note(told, offset)

    def read(self, name: str) -> dict[str, Any]:
        """The answer to a photo."""
        self._file.seek(self._offsets[name])
        answer: dict[str, Any] = json.loads(self._file.readline())["answer"]
        return answer

    def close(self, *, remove: bool = False) -> None:
        """Close the file, and remove it when all is done."""
        if remove:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
        self._file.close()

    def _unwritable(self, error: OSError) -> PlaceSearchError:
        return PlaceSearchError(
            f"{self.path} cannot be written ({error.strerror}); make room, or write to another "
            "folder."
        )


def _stamp(photo: PlacePhoto) -> str:
    """What changes with a photo's file."""
    try:
        status = photo.path.stat()
    except OSError:
        return "none"
    return f"{status.st_size} {status.st_mtime_ns}"
