"""New versions of an index are served as soon as they are on disk; broken versions are refused."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from place_search.core.errors import PlaceSearchError
from place_search.indexer.errors import IndexFormatError, IndexReadError
from place_search.indexer.storage.manifest import MANIFEST, read_manifest
from place_search.search.index_calibration import FILE as CALIBRATION
from place_search.search.index_calibration import calibration_for
from place_search.search.server.log import json_line

if TYPE_CHECKING:
    from place_search.search.engine import Engine
    from place_search.search.server.state import ServerState

log = logging.getLogger("place_search.index")

POLL_SECONDS = 0.5
RETRY_POLLS = 20
"""The number of polls after which a refused version is opened again: its files may be complete."""

STEP_POLLS = 5
"""The number of polls until a further change gets another time: FAT counts in steps of 2 s."""


def version_on_disk(folder: Path) -> tuple[tuple[int, ...], ...] | None:
    """The facts that change with a version of an index or calibration; None without an index."""
    manifest = _status(folder / MANIFEST)
    return (manifest, _status(folder / CALIBRATION)) if manifest else None


def _status(file: Path) -> tuple[int, ...]:
    """The facts that change when a file is written; () for a missing file."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def is_newest(served: "Engine", folder: Path) -> bool:
    """Whether the version on disk is the served version, with the same calibration."""
    try:
        if read_manifest(folder) != served.index.manifest:
            return False
        return calibration_for(served.index, served.model).calibration == served.calibration
    except (IndexFormatError, IndexReadError):
        return False


class Reloader:
    """Watches the manifest and the calibration of the index that a service answers from."""

    def __init__(
        self,
        service: "ServerState",
        folder: Path,
        load: Callable[["Engine"], "Engine"],
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`load` opens the version on disk, given the engine that it replaces."""
        self._service = service
        self._folder = folder
        self._load = load
        self._poll_seconds = poll_seconds
        self.seen = version_on_disk(folder)
        """The version that was opened last."""

    async def run(self) -> None:
        """Watch until cancelled."""
        polls, recent = 0, STEP_POLLS
        while True:
            await asyncio.sleep(self._poll_seconds)
            polls += 1
            if self._service.loaded is None:
                recent = polls + STEP_POLLS
                continue
            version = version_on_disk(self._folder)
            retry = self._service.refused is not None and polls % RETRY_POLLS == 0
            if version != self.seen:
                recent = polls + STEP_POLLS
            is_recent = polls <= recent and self._service.refused is None
            if retry or version != self.seen or is_recent:
                self.seen = version
                await asyncio.to_thread(self._open_version)

    def _open_version(self) -> None:
        """Serve the version on disk, unless it is served: the server may have made it itself."""
        with self._service.opening:
            served = self._service.engine
            if self._service.refused is None and is_newest(served, self._folder):
                return
            try:
                engine = self._load(served)
            except Exception as error:
                self._refuse(served, error)
                return
            self._service.replace(engine)
        _log_event("index replaced", engine.index.index_id, was=served.index.index_id)

    def _refuse(self, served: "Engine", error: Exception) -> None:
        reason = str(error) if isinstance(error, PlaceSearchError) else type(error).__name__
        if self._service.refused != reason:
            self._service.refused = reason
            self._service.metrics.reloaded("refused")
            _log_event("index refused", served.index.index_id, reason=reason)


def _log_event(event: str, index_id: str, **more: Any) -> None:
    log.warning(json_line(event=event, serving=index_id, **more))
