"""Changing the index of a running server: places come and go, and the next search knows."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from place_search.core.files import write_whole
from place_search.core.geodesy import Position
from place_search.photos import UPLOADS, Decoder, PhotoError
from place_search.search.errors import CannotChangeError
from place_search.search.server.content.matching import required_version
from place_search.search.stages import Stages

if TYPE_CHECKING:
    from place_search.indexer import KeptPhotos, Place
    from place_search.search.engine import Engine
    from place_search.search.server.state import ServerState

log = logging.getLogger("place_search.index")

LONGEST_SIDE = 2048


class Writer:
    """Adds and removes places of the index that a service answers from; one change at a time.

    What is kept of a photo is an upright JPEG of at most 2048 pixels a side that the decoding
    processes have made: no metadata, and nothing of a stranger is decoded outside of them.
    """

    def __init__(
        self,
        service: "ServerState",
        index_folder: Path,
        decoder: Decoder,
        load: Callable[["Engine"], "Engine"],
    ) -> None:
        """`load` opens the version on disk."""
        self._service = service
        self._index_folder = index_folder
        self._decoder = decoder
        self._load = load

    def add(
        self, content: bytes, position: Position | None, name: str, *, stages: Stages
    ) -> tuple[str, "Place", bool]:
        """Add a place, on disk and in the index when this returns.

        Without a `position` that of the photo's Exif is taken, without a `name` one of its content.
        A photo that is there already keeps its place, whatever it is called this time.

        Returns: the index's id, the place, and whether it is new.

        Raises:
            PhotoError: the photo cannot be read.
            CannotChangeError: the index cannot be written.
        """
        from place_search.indexer import PhotoList, Source, add_photos

        engine = self._service.engine
        with stages.timed("decode"):
            seen = self._decoder.photo(content, engine.model.card.preprocessing, formats=UPLOADS)
            jpeg = self._decoder.picture(content, longest_side=LONGEST_SIDE)
        kept = self._photos
        file_name = f"{hashlib.sha256(jpeg).hexdigest()[:32]}.jpg"
        if (kept.folder / file_name).exists():
            for known in engine.index.places():
                if known.path.resolve() == kept.folder / file_name:
                    return engine.index.index_id, known, False
        photos = PhotoList(kept.folder)
        photos.append(file_name, name=name, position=position or seen.position)
        source = Source(kept.folder, photos, "csv")
        with _plain_errors(), kept.changing(file_name) as path:
            with stages.timed("change"):
                write_whole(path, jpeg)
                add_photos(self._index_folder, source, engine.model)
            index = self._changed(engine, stages).index
        return index.index_id, index.place(int(index.place_ids[-1])), True

    def edit(
        self, place_id: int, patch: Mapping[str, Any], if_match: str | None, *, stages: Stages
    ) -> tuple[str, "Place"]:
        """Say something of a place; see `place_search.indexer.edit_place`.

        Returns: the index's id, and the place as it is now.

        Raises:
            UnknownPlaceError: there is no such place.
            EditConflictError: it is not what `if_match` names.
            FieldError: a value does not fit.
            CannotChangeError: the index cannot be written.
        """
        from place_search.indexer import edit_place

        engine = self._service.engine
        version = required_version(engine.index.place(place_id), if_match)
        with _plain_errors(f"There is no place {place_id}; somebody has removed it."):
            with stages.timed("change"):
                edit_place(self._index_folder, place_id, patch, version=version)
            index = self._changed(engine, stages).index
        return index.index_id, index.place(place_id)

    def remove(self, place_id: int, if_match: str | None = None, *, stages: Stages) -> None:
        """Remove a place. Its photo, if it was added here, goes when the index is compacted.

        Raises:
            UnknownPlaceError: there never was such a place.
            EditConflictError: it is not what `if_match` names.
            CannotChangeError: the index cannot be written.
        """
        from place_search.indexer import UnknownPlaceError, remove_places

        engine = self._service.engine
        version = None
        with _plain_errors(f"There never was a place {place_id}."), suppress(UnknownPlaceError):
            place = engine.index.place(place_id)
            version = required_version(place, if_match)
            path = place.path.resolve()
            if path.parent == self._photos.folder:
                self._photos.note_removed(path.name)
        with _plain_errors(f"There never was a place {place_id}."):
            with stages.timed("change"):
                remove_places(self._index_folder, [place_id], version=version, compact=False)
            self._changed(engine, stages)

    def restore(self, place_id: int, *, stages: Stages) -> tuple[str, "Place"]:
        """Bring back a removed place, as it was.

        Returns: the index's id, and the place.

        Raises:
            UnknownPlaceError: there never was such a place, or the index was compacted since.
            CannotChangeError: the index cannot be written.
        """
        from place_search.indexer import restore_places

        engine = self._service.engine
        gone = f"Place {place_id} cannot be restored: it never was, or has gone for good."
        with _plain_errors(gone):
            with stages.timed("change"):
                restore_places(self._index_folder, [place_id])
            index = self._changed(engine, stages).index
        return index.index_id, index.place(place_id)

    def _changed(self, engine: "Engine", stages: Stages) -> "Engine":
        with stages.timed("reload"):
            changed = self._load(engine)
        self._service.replace(changed)
        return changed

    @property
    def _photos(self) -> "KeptPhotos":
        from place_search.indexer import KeptPhotos

        return KeptPhotos(self._index_folder)


_CANNOT = "The index cannot be changed now; the server's log says why."


class _plain_errors:  # noqa: N801 - used as a statement
    """What the indexer raises names folders, which only the log may."""

    def __init__(self, unknown: str = "") -> None:
        """`unknown` says that there is no such place."""
        self._unknown = unknown

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from place_search.indexer import (
            IndexBusyError,
            IndexFormatError,
            IndexWriteError,
            SourceError,
            UnknownPlaceError,
        )
        from place_search.search.errors import BusyError

        if isinstance(error, UnknownPlaceError):
            raise UnknownPlaceError(self._unknown or str(error)) from None
        if isinstance(error, IndexBusyError):
            raise BusyError("The index is being changed by another program; try again later.")
        if isinstance(error, (IndexWriteError, IndexFormatError, SourceError, PhotoError, OSError)):
            log.warning("%s", error)
            raise CannotChangeError(_CANNOT) from None
