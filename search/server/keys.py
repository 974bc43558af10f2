"""API keys with their roles, stored as hashes."""

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
"""The least time between two looks at the keys file, in seconds."""

Role = Literal["read", "write"]

_PREFIX = "ps_"
KEY_NAME = r"[A-Za-z0-9._-]{1,64}"
_LINE = re.compile(rf"({KEY_NAME})\s+(\w+)(?:\s+({KEY_NAME}))?\s+sha256:([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's name, role and SHA-256, and the one `index` that it may see, "" for all.

    Keys are 256 random bits, which nobody can guess: a slow hash would protect no better.
    """

    name: str
    role: Role
    digest: bytes
    index: str = ""

    @property
    def line(self) -> str:
        """The key's line in a keys file."""
        only = f" {self.index}" if self.index else ""
        return f"{self.name} {self.role}{only} sha256:{self.digest.hex()}"


def new_key(name: str, role: Role, index: str = "") -> tuple[str, ApiKey]:
    """A new random secret and its key; with an `index` the key is for that index only."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    return secret, ApiKey(name, role, _digest(secret), index)


def parse_keys(text: str, source: str) -> list[ApiKey]:
    """Read a key from each line: name, role, the index if any, and hash; # starts a comment.

    Raises:
        ServerError: a line of the `source` is no key, or two keys have one name.
    """
    keys: dict[str, ApiKey] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        match = _LINE.fullmatch(content)
        if match is None or match[2] not in get_args(Role) or match[1] in keys:
            raise ServerError(
                f"Line {number} of {source} is no new API key; write lines as "
                "`place-search key NAME` prints them."
            )
        role: Role = "write" if match[2] == "write" else "read"
        keys[match[1]] = ApiKey(match[1], role, bytes.fromhex(match[4]), match[3] or "")
    return list(keys.values())


def read_keys(file: Path | None, variable: str) -> list[ApiKey]:
    """The keys of a file and of an environment variable's text, where `;` ends a line too.

    Raises:
        ServerError: the file cannot be read or has no key, or a line of either is no key.
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
        # Some editors begin a file with a byte order mark.
        return parse_keys(read_regular(file).decode("utf-8-sig"), str(file))
    except (OSError, UnicodeDecodeError):
        raise ServerError(f"The keys file {file} cannot be read; check --keys.") from None


class KeyRing:
    """The valid keys of a server: those of its variable, and those of the present keys file.

    While the file is missing, damaged or unreadable the earlier keys stay valid; a file without
    keys leaves none.
    """

    def __init__(
        self,
        keys: Sequence[ApiKey],
        file: Path | None = None,
        variable: str = "",
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keys` are those that `read_keys` gave for the `file` and the `variable`."""
        self.required = bool(keys)
        """Whether requests need keys: fixed while the server runs, even if the file is removed."""
        self._keys = list(keys)
        self._file = file
        self._variable = variable
        self._clock = clock
        self._last_look = float("-inf")
        self._file_version: _Version | None = None

    def find(self, secret: str) -> ApiKey | None:
        """The key of a secret, None where no valid key has it."""
        if self._file is not None and self._clock() - self._last_look >= LOOK_SECONDS:
            self._last_look = self._clock()
            self._reload(self._file)
        return find_key(self._keys, secret)

    def _reload(self, file: Path) -> None:
        version = _version_of(file)
        if version == self._file_version:
            return
        self._file_version = version
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
    """The facts that change with a file; () for a missing file."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def find_key(keys: Sequence[ApiKey], secret: str) -> ApiKey | None:
    """The key of a secret, in a time that depends on the number of keys only."""
    digest = _digest(secret)
    match = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            match = key
    return match


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
