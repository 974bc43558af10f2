"""A connection to Milvus that recovers after an outage, and raises errors of one sentence."""

import logging
import logging.config
import os
import threading
import time
import weakref
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from place_search.core.text import parse_json
from place_search.indexer.errors import CollectionLostError, IndexFormatError, StoreOutageError

TOKEN_VARIABLE = "PLACE_SEARCH_MILVUS_TOKEN"  # noqa: S105 - its name
URI_VARIABLE = "PLACE_SEARCH_URI"
SECONDS = 5.0
"""The timeout of a call in seconds; calls that load a collection have `LONG`."""
LONG = 600.0
_PAUSE = 1.0
"""Seconds after a failure in which other calls fail at once."""
_NOT_FOUND, _NOT_LOADED = 100, 101

_importing = threading.Lock()
_connections: "WeakValueDictionary[str, MilvusConnection]" = WeakValueDictionary()
"""The connections of this process by address; each ends with the last index that uses it."""
_named: set[str] = set()
"""The addresses that the user has named to this process."""
log = logging.getLogger("place_search.index")
log.addHandler(logging.NullHandler())  # Python would print warnings of a log without handlers


class MilvusConnection:
    """A Milvus server, or a file of milvus-lite. Thread-safe."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._is_file = "://" not in uri
        self._is_here = self._is_file or _is_loopback(urlsplit(uri).hostname or "")
        self._client: Any = None
        self._lock = threading.Lock()
        self._down_until = 0.0
        self._state = ""

    def call(
        self, method: str, collection: str = "", *, seconds: float = SECONDS, **options: Any
    ) -> Any:
        """The result of a method of pymilvus.MilvusClient.

        Raises:
            StoreOutageError: Milvus does not answer, or pymilvus is not installed.
            CollectionLostError: the collection does not exist.
        """
        self._require_up()
        arguments = {"collection_name": collection} if collection else {}
        try:
            client = self._connect()
            try:
                return getattr(client, method)(**arguments, timeout=seconds, **options)
            except _failures() as error:
                if getattr(error, "code", None) != _NOT_LOADED:
                    raise
                # A restarted server may not have loaded the collection; it goes on by itself when
                # the time is up. A file is loaded by this process.
                client.load_collection(collection, timeout=LONG if self._is_file else seconds)
                return getattr(client, method)(**arguments, timeout=seconds, **options)
        except _failures() as error:
            if getattr(error, "code", None) == _NOT_FOUND:
                raise CollectionLostError(
                    f"Milvus at {self.uri} has lost the collection {collection}; make it again "
                    "with `place-search verify INDEX --repair`."
                ) from None
            raise self._began_outage(error) from error

    def _require_up(self) -> None:
        """Fail at once where another call has just failed."""
        if time.monotonic() < self._down_until:
            raise self._outage_error()

    def _connect(self) -> Any:
        with self._lock:
            if self._client is None:
                self._require_up()  # one of the calls that wait for the lock has tried, for all
                from pymilvus import MilvusClient

                try:
                    # Closing one that shares its connection leaves the connection open.
                    self._client = MilvusClient(
                        uri=self.uri,
                        token=self._token(),
                        timeout=LONG if self._is_file else SECONDS,
                        dedicated=True,
                        # A proxy of the environment would get the token and the vectors.
                        grpc_options={"grpc.enable_http_proxy": 0} if self._is_here else {},
                    )
                except _failures() as error:
                    raise self._began_outage(error) from error
                weakref.finalize(self, self._client.close).atexit = False
            return self._client

    def _began_outage(self, error: Exception) -> StoreOutageError:
        """Let other calls fail at once for a moment, by this error."""
        refusal = _refusal(error)
        reason = (refusal or _reason_of(error)) + self._unsent_token()
        self._state = (
            f"refuses this ({reason}); set {TOKEN_VARIABLE} to the token, or user:password, of a "
            "user who may do it."
            if refusal
            else f"does not answer ({reason}); once it does, try again."
        )
        self._down_until = time.monotonic() + _PAUSE
        log.warning("Milvus at %s %s", self.uri, self._state)
        return self._outage_error()

    def _token(self) -> str:
        """The user's token; "" for an address that only an index names, which may be anybody's."""
        named = {*_named, os.environ.get(URI_VARIABLE, "").rstrip("/")}
        return os.environ.get(TOKEN_VARIABLE, "") if self.uri.rstrip("/") in named else ""

    def _unsent_token(self) -> str:
        """The end of a reason, where the user has set a token that this address does not get."""
        if self._is_file or self._token() or not os.environ.get(TOKEN_VARIABLE):
            return ""
        return f"; {TOKEN_VARIABLE} is sent only to the address of --uri or {URI_VARIABLE}"

    def _outage_error(self) -> StoreOutageError:
        return StoreOutageError(f"The vector engine Milvus at {self.uri} {self._state}")


def _refusal(error: Exception) -> str:
    """Milvus's words where it does not accept the token, or the token's user may not do this."""
    from grpc import StatusCode

    cause = error.__cause__ or error  # pymilvus hides that of a connection behind its own error
    code = getattr(cause, "code", None)
    refusals = (StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED)
    return _reason_of(cause) if callable(code) and code() in refusals else ""


def _failures() -> tuple[type[Exception], ...]:
    """What pymilvus raises where Milvus refuses, with the number `code`, or does not answer."""
    from grpc import RpcError
    from pymilvus.exceptions import MilvusException

    return MilvusException, RpcError, OSError


def _reason_of(error: BaseException) -> str:
    """The first line of an error's text, without the names of classes."""
    details = getattr(error, "details", None)  # of an RpcError
    text = (details() if callable(details) else getattr(error, "message", "")) or error
    return (str(text).strip() or type(error).__name__).splitlines()[0][:200]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def name_address(uri: str) -> None:
    """Count an address as named by the user of this process, so that it gets the token."""
    if uri:
        _named.add(uri.rstrip("/"))


def milvus_connection(uri: str) -> MilvusConnection:
    """The connection of this process to a Milvus server.

    Raises:
        StoreOutageError: pymilvus is not installed.
    """
    with _importing:
        # Importing pymilvus configures logging anew, which closes handlers of others.
        configure = logging.config.dictConfig
        logging.config.dictConfig = _ignore_config
        try:
            import pymilvus  # noqa: F401 - imported late: an optional package
        except ImportError:
            raise StoreOutageError(
                "The Milvus client is not installed; run: pip install 'place-search[milvus]'."
            ) from None
        finally:
            logging.config.dictConfig = configure
    logger = logging.getLogger("pymilvus")
    if logger.level == logging.NOTSET:  # it logs errors that are raised anyway
        logger.setLevel(logging.CRITICAL)
    with _importing:
        return _connections.setdefault(uri, MilvusConnection(uri))


def _ignore_config(config: Any) -> None:
    """Configure nothing."""


def read_note(path: Path) -> dict[str, Any]:
    """The store's file: the name of the collection, its count and dimensions, and its kind.

    Raises:
        IndexFormatError: the file lacks one of these.
    """
    try:
        note = parse_json(path.read_text("utf-8"))
        return {
            "collection": str(note["collection"]),
            "count": int(note["count"]),
            "dims": int(note["dims"]),
            "searched": str(note["searched"]),
        }
    except (OSError, ValueError, KeyError, TypeError):
        raise IndexFormatError(
            f"{path} names no Milvus collection that this version reads; index the photos again."
        ) from None
