"""API keys: who may read and who may write, kept as hashes."""

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from place_search.core.files import read_regular
from place_search.search.errors import ServerError

log = logging.getLogger("place_search.keys")

LOOK_SECONDS = 1.0
"""The keys file is looked at this often at most."""

Role = Literal["read", "write"]

_PREFIX = "ps_"
_NAME = r"[A-Za-z0-9._-]{1,64}"
_LINE = re.compile(rf"({_NAME})\s+(\w+)(?:\s+({_NAME}))?\s+sha256:([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's name, what it may do, the SHA-256 of it, and the one `index` that it may see, if any.

    Keys are 256 random bits, which no search will find: a slow hash would protect no better.
    """

    name: str
    role: Role
    digest: bytes
    index: str = ""

    @property
    def line(self) -> str:
        """The key as a keys file lists it."""
        only = f" {self.index}" if self.index else ""
        return f"{self.name} {self.role}{only} sha256:{self.digest.hex()}"


def new_key(name: str, role: Role, index: str = "") -> tuple[str, ApiKey]:
    """A new random key, and what to keep of it; with an `index` it sees that one only."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    return secret, ApiKey(name, role, _digest(secret), index)


def parse_keys(text: str, where: str) -> list[ApiKey]:
    """Read keys, one a line: name, role, the one index if any, and hash; # starts a comment.

    Raises:
        ServerError: a line is no key, or two have one name.
    """
    keys: dict[str, ApiKey] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        found = _LINE.fullmatch(content)
        if found is None or found[2] not in get_args(Role) or found[1] in keys:
            raise ServerError(
                f"Line {number} of {where} is no new API key; write lines as "
                "`place-search key NAME` prints them."
            )
        role: Role = "write" if found[2] == "write" else "read"
        keys[found[1]] = ApiKey(found[1], role, bytes.fromhex(found[4]), found[3] or "")
    return list(keys.values())


def read_keys(file: Path | None, variable: str) -> list[ApiKey]:
    """The keys of a file and of an environment variable's text, where `;` ends a line too.

    Raises:
        ServerError: the file cannot be read or holds no key, or either holds something else.
    """
    keys = parse_keys(variable.replace(";", "\n"), "PLACE_SEARCH_API_KEYS")
    if file is not None:
        listed = _listed(file)
        if not listed:
            raise ServerError(
                f"The keys file {file} lists no key; add one with `place-search key NAME`."
            )
        keys += listed
    return keys


def _listed(file: Path) -> list[ApiKey]:
    """The keys of a file, perhaps none. Raises `ServerError`."""
    try:
        # Some editors begin a file with a mark of its encoding.
        return parse_keys(read_regular(file).decode("utf-8-sig"), str(file))
    except (OSError, UnicodeDecodeError):
        raise ServerError(f"The keys file {file} cannot be read; check --keys.") from None


class KeyRing:
    """The keys that open a server: those it began with, and those of its file as that is now.

    A file that is gone, damaged or cannot be read changes nothing; one without keys opens nothing.
    """

    def __init__(
        self,
        keys: Sequence[ApiKey],
        file: Path | None = None,
        variable: str = "",
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keys` are what `read_keys` gave for the `file` and the `variable`."""
        self.asked = bool(keys)
        """Whether keys are asked for: as long as the server runs, whatever becomes of the file."""
        self._keys = list(keys)
        self._file = file
        self._variable = variable
        self._clock = clock
        self._looked = float("-inf")
        self._seen: _Version | None = None

    def find(self, secret: str) -> ApiKey | None:
        """The key that a request shows, None where it is not, or no longer, among them."""
        if self._file is not None and self._clock() - self._looked >= LOOK_SECONDS:
            self._looked = self._clock()
            self._look(self._file)
        return find_key(self._keys, secret)

    def _look(self, file: Path) -> None:
        version = _version_of(file)
        if version == self._seen:
            return
        self._seen = version
        try:
            keys = [*read_keys(None, self._variable), *_listed(file)]
        except ServerError as error:
            log.error("%s Until then the keys of before stay valid.", error)
            return
        if keys != self._keys:
            self._keys = keys
            log.warning("The keys file %s has changed; valid keys now: %d.", file, len(keys))


_Version: TypeAlias = tuple[int, ...]


def _version_of(file: Path) -> _Version:
    """What changes with a file; nothing of one that is not there."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def find_key(keys: Sequence[ApiKey], secret: str) -> ApiKey | None:
    """The key that a request shows, in a time that tells nothing about the others."""
    digest = _digest(secret)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
