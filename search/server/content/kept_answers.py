"""Answers to requests with an Idempotency-Key, kept so that a repeat changes nothing again.

They are kept beside the photos that the server keeps, for a week and over restarts.
"""

import errno
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from place_search.core.files import open_regular, write_whole
from place_search.indexer import Index
from place_search.search.errors import KeyReusedError

FILE = ".answers.jsonl"
KEPT_SECONDS = 7 * 86400.0
MOST_BYTES = 32 << 20
"""Of all answers: tens of thousands that tell of one place each. Beyond it the older half goes."""


class RequestKey(NamedTuple):
    """Whose request, what its sender calls it, and a digest of all that it asks."""

    client: str
    key: str
    digest: str


class Answer(NamedTuple):
    """What a change is answered: the status, the JSON with addresses below no root path.

    `places` are the ids of those that it tells of, by the names of their photos' files.
    """

    status: int
    body: Mapping[str, Any]
    places: Mapping[str, int]

    def is_of(self, index: Index) -> bool:
        """Whether these are places of this index: in one that is made anew ids begin at 0 again.

        One that was removed since counts as a place of it.
        """
        there = np.intersect1d(list(self.places.values()), index.place_ids)
        return all(
            place_id < index.manifest.next_place_id
            and (place_id not in there or index.place(place_id).path.name == file)
            for file, place_id in self.places.items()
        )


class _Kept(NamedTuple):
    """An answer as its line in the file: parsed it would take several times as much memory."""

    when: float
    digest: str
    line: bytes


class KeptAnswers:
    """The answers of an index's servers; to be used by one change at a time in each."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._known: dict[tuple[str, str], _Kept] = {}
        self._bytes = 0
        self._inode, self._end = -1, 0  # of the file, as far as it was read

    def find(self, asked: RequestKey) -> Answer | None:
        """The answer that this request was given before, None where it is new.

        Raises:
            KeyReusedError: another request was sent under this key.
        """
        self._read()
        found = self._known.get((asked.client, asked.key))
        if found is None or found.when < time.time() - KEPT_SECONDS:
            return None
        if found.digest != asked.digest:
            raise KeyReusedError(
                "This Idempotency-Key was sent with another request before; take a new one for "
                "each request, and the same one only to repeat it."
            )
        return Answer(*json.loads(found.line)[4:])

    def keep(self, asked: RequestKey, answer: Answer) -> None:
        """Keep an answer; on disk when this returns."""
        self.forget_expired()
        now = time.time()
        line = json.dumps([asked.client, asked.key, now, asked.digest, *answer]).encode()
        self._add((asked.client, asked.key), _Kept(now, asked.digest, line))
        if self._bytes > MOST_BYTES:
            self._forget(now)
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(b"\n" + line + b"\n")  # the line before it may have been cut short
            file.flush()
            os.fsync(file.fileno())

    def forget_expired(self) -> None:
        """Take expired answers off the disk: they name places, which may have gone since."""
        self._read()
        now = time.time()
        oldest = next(iter(self._known.values()), None)  # they stand in the order of their times
        if oldest is not None and oldest.when < now - KEPT_SECONDS:
            self._forget(now)

    def _add(self, key: tuple[str, str], kept: _Kept) -> None:
        before = self._known.pop(key, None)
        self._bytes += len(kept.line) - (len(before.line) if before else 0)
        self._known[key] = kept

    def _forget(self, now: float) -> None:
        """Drop what is expired, and where there is too much the older half."""
        most = MOST_BYTES // 2 if self._bytes > MOST_BYTES else MOST_BYTES
        for key, kept in list(self._known.items()):
            if kept.when >= now - KEPT_SECONDS and self._bytes <= most:
                break
            del self._known[key]
            self._bytes -= len(kept.line)
        write_whole(self._path, b"".join(kept.line + b"\n" for kept in self._known.values()))

    def _read(self) -> None:
        """Read what was written since, by this server or another one of the index."""
        try:
            file = open_regular(self._path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENXIO):  # there is none
                return
            raise
        with file:
            now = os.fstat(file.fileno())
            if now.st_ino != self._inode or now.st_size < self._end:  # another file
                self._known, self._bytes, self._end, self._inode = {}, 0, 0, now.st_ino
            file.seek(self._end)
            for line in file:
                if line.endswith(b"\n"):
                    self._end += len(line)
                    self._parse(line.strip())

    def _parse(self, line: bytes) -> None:
        try:
            client, key, when, digest, _, _, _ = json.loads(line)
        except (ValueError, TypeError):  # cut short, or empty
            return
        self._add((client, key), _Kept(when, digest, line))
