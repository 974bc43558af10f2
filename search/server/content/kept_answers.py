"""Answers to requests with an Idempotency-Key, kept so that a repeat changes nothing again.

They are kept beside the photos that the server keeps, for a week and over restarts.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from place_search.core.files import write_whole
from place_search.search.errors import KeyReusedError

FILE = ".answers.jsonl"
KEPT_SECONDS = 7 * 86400.0
MOST = 2000


class RequestKey(NamedTuple):
    """Whose request, what its sender calls it, and a digest of all that it asks."""

    client: str
    key: str
    digest: str


class Answer(NamedTuple):
    """What a change is answered: the status, the JSON with addresses below no root path."""

    status: int
    body: Mapping[str, Any]


class KeptAnswers:
    """The answers of one index's server; to be used by one change at a time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._known: dict[tuple[str, str], tuple[float, str, Answer]] | None = None

    def find(self, asked: RequestKey) -> Answer | None:
        """The answer that this request was given before, None where it is new.

        Raises:
            KeyReusedError: another request was sent under this key.
        """
        found = self._all().get((asked.client, asked.key))
        if found is None or found[0] < time.time() - KEPT_SECONDS:
            return None
        if found[1] != asked.digest:
            raise KeyReusedError(
                "This Idempotency-Key was sent with another request before; take a new one for "
                "each request, and the same one only to repeat it."
            )
        return found[2]

    def keep(self, asked: RequestKey, answer: Answer) -> None:
        """Keep an answer; on disk when this returns."""
        known = self._all()
        now = time.time()
        expired = [key for key, kept in known.items() if kept[0] < now - KEPT_SECONDS]
        known[asked.client, asked.key] = now, asked.digest, answer
        if len(known) > MOST:
            expired = [key for key, _ in sorted(known.items(), key=_when)][: MOST // 2]
        if expired:
            for key in expired:
                del known[key]
            lines = (_line(*key, when, digest, kept) for key, (when, digest, kept) in known.items())
            write_whole(self._path, "".join(lines).encode())
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            # A line before it may have been cut short.
            file.write(b"\n" + _line(asked.client, asked.key, now, asked.digest, answer).encode())
            file.flush()
            os.fsync(file.fileno())

    def _all(self) -> dict[tuple[str, str], tuple[float, str, Answer]]:
        if self._known is None:
            self._known = {}
            try:
                lines = self._path.read_bytes().splitlines()
            except FileNotFoundError:
                lines = []
            for line in lines:
                try:
                    client, key, when, digest, status, body = json.loads(line)
                except ValueError:
                    continue
                self._known[client, key] = when, digest, Answer(status, body)
        return self._known


def _when(item: tuple[tuple[str, str], tuple[float, str, Answer]]) -> float:
    return item[1][0]


def _line(client: str, key: str, when: float, digest: str, answer: Answer) -> str:
    return json.dumps([client, key, when, digest, *answer]) + "\n"
