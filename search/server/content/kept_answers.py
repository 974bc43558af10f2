"""Answers to requests with an Idempotency-Key, kept so that a repeat does not change the index.

The file is beside the photos that the server stores; it keeps answers for a week, over restarts.
"""

import errno
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from place_search.core.files import append, open_note, open_regular, write_whole
from place_search.core.text import parse_json
from place_search.indexer import Index
from place_search.indexer.storage.kept_photos import make_beside
from place_search.search.errors import KeyReusedError

FILE = ".answers.jsonl"
KEPT_SECONDS = 7 * 86400.0
MAX_BYTES = 32 << 20
"""The size of all answers, some ten thousands with one place each, above which the older half is
dropped."""


class RequestKey(NamedTuple):
    """The client of a request, its Idempotency-Key, and a digest of its content."""

    client: str
    key: str
    digest: str


class Answer(NamedTuple):
    """The answer to a change: its status, and its JSON, whose addresses have no root path.

    `places` are the ids of the places in it, by the names of their photos' files.
    """

    status: int
    body: Mapping[str, Any]
    places: Mapping[str, int]

    def is_of(self, index: Index) -> bool:
        """Whether the answer's places are of this index: an index made anew reuses ids from 0 on.

        Places that were removed since count as places of the index.
        """
        present = np.intersect1d(list(self.places.values()), index.place_ids)
        return all(
            place_id < index.manifest.next_place_id
            and (place_id not in present or index.place(place_id).path.name == file)
            for file, place_id in self.places.items()
        )


class _Entry(NamedTuple):
    """An answer as its line in the file: parsed it would take several times as much memory."""

    time: float
    digest: str
    line: bytes


class KeptAnswers:
    """The answers of an index's servers. Not thread-safe: a server makes one change at a time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._bytes = 0
        self._inode, self._end = -1, 0  # of the file, as far as it was read

    def find(self, request: RequestKey) -> Answer | None:
        """The answer to this request, None for a new request.

        Raises:
            KeyReusedError: another request was sent under this key.
        """
        self._read()
        entry = self._entries.get((request.client, request.key))
        if entry is None or entry.time < time.time() - KEPT_SECONDS:
            return None
        if entry.digest != request.digest:
            raise KeyReusedError(
                "This Idempotency-Key was sent with another request before; take a new one for "
                "each request, and the same one only to repeat it."
            )
        return Answer(*parse_json(entry.line)[4:])

    def keep(self, request: RequestKey, answer: Answer) -> None:
        """Keep an answer; it is on disk when this returns."""
        self.forget_expired()
        now = time.time()
        line = json.dumps([request.client, request.key, now, request.digest, *answer]).encode()
        self._add((request.client, request.key), _Entry(now, request.digest, line))
        if self._bytes > MAX_BYTES:
            self._forget(now)
            return
        make_beside(self._path.parent)
        with open_note(self._path) as note:
            append(note, b"\n" + line + b"\n")  # the last line may have been cut short

    def forget_expired(self) -> None:
        """Remove expired answers from the disk: their places may have been removed since."""
        self._read()
        now = time.time()
        oldest = next(iter(self._entries.values()), None)  # entries are in the order of their times
        if oldest is not None and oldest.time < now - KEPT_SECONDS:
            self._forget(now)

    def _add(self, key: tuple[str, str], entry: _Entry) -> None:
        previous = self._entries.pop(key, None)
        self._bytes += len(entry.line) - (len(previous.line) if previous else 0)
        self._entries[key] = entry

    def _forget(self, now: float) -> None:
        """Drop expired answers, and the older half where all take more than `MAX_BYTES`."""
        limit = MAX_BYTES // 2 if self._bytes > MAX_BYTES else MAX_BYTES
        for key, entry in list(self._entries.items()):
            if entry.time >= now - KEPT_SECONDS and self._bytes <= limit:
                break
            del self._entries[key]
            self._bytes -= len(entry.line)
        write_whole(self._path, b"".join(entry.line + b"\n" for entry in self._entries.values()))

    def _read(self) -> None:
        """Read the lines that this server or another has written since the last time."""
        try:
            file = open_regular(self._path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENXIO):  # no answers yet
                return
            raise
        with file:
            status = os.fstat(file.fileno())
            if status.st_ino != self._inode or status.st_size < self._end:  # another file
                self._entries, self._bytes, self._end, self._inode = {}, 0, 0, status.st_ino
            file.seek(self._end)
            for line in file:
                if line.endswith(b"\n"):
                    self._end += len(line)
                    self._parse(line.strip())

    def _parse(self, line: bytes) -> None:
        try:
            client, key, when, digest, _, _, _ = parse_json(line)
        except (ValueError, TypeError):  # cut short, or empty
            return
        self._add((client, key), _Entry(when, digest, line))
