"""Changing the index of a running server; the next search uses the changed index."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from place_search.core.errors import PlaceSearchError
from place_search.core.geodesy import Position
from place_search.core.text import capitalized
from place_search.indexer import KeptPhotos
from place_search.models import NO_DESCRIPTOR
from place_search.photos import Decoder, PhotoError, UnreadablePhotoError
from place_search.photos.sandbox.deadline import decoding_until
from place_search.search.errors import CannotChangeError
from place_search.search.reasons import REASONS
from place_search.search.results import place_dict
from place_search.search.server.content.archives import SentPhoto, photos_of
from place_search.search.server.content.groups import group_edit
from place_search.search.server.content.kept_answers import Answer, KeptAnswers, RequestKey
from place_search.search.server.content.matching import place_tag, require_group, required_version
from place_search.search.server.content.plain_errors import plain_errors
from place_search.search.server.content.stored_photos import (
    StoredPhoto,
    panoramas_of,
    stored_photos,
)
from place_search.search.stages import Stages

if TYPE_CHECKING:
    from place_search.indexer import Groups, Index, Place
    from place_search.search.engine import Engine

log = logging.getLogger("place_search.index")


class Service(Protocol):
    """Answers from an index: what a `Writer` needs of it."""

    decode_seconds: float
    max_body_bytes: int

    @property
    def engine(self) -> "Engine":
        """The engine of the index version that it answers from."""

    @property
    def opening(self) -> AbstractContextManager[object]:
        """Held while a new version is opened."""

    def replace(self, engine: "Engine") -> None:
        """Answer from another engine from now on."""


class Writer:
    """Changes the index that a service answers from, one change at a time.

    Added photos are stored as upright JPEGs of at most 2048 pixels a side, without metadata. The
    decoding processes make them, so that no photo of a stranger is decoded in this process.
    """

    def __init__(
        self,
        service: Service,
        index_folder: Path,
        decoder: Decoder,
        load: Callable[["Engine"], "Engine"],
    ) -> None:
        """`load` opens the version on disk."""
        self._service = service
        self._index_folder = index_folder
        self._decoder = decoder
        self._load = load
        self._answers = KeptAnswers(self._photos.folder)
        with suppress(OSError):  # the next change will report it
            self._answers.forget_expired()

    def add(
        self,
        content: bytes,
        position: Position | None,
        name: str,
        *,
        panorama: bool | None = None,
        request_key: RequestKey | None = None,
        stages: Stages,
    ) -> Answer:
        """Add a place, on disk and in the index when this returns.

        Without a `position` it is the photo's own, without a `name` a hash of its content. A
        360° `panorama` is added as its views: for None where its metadata calls it a panorama, for
        True also where its sides are 2:1. A photo that the index has already keeps its place as it
        is. A request whose `request_key` was answered before changes nothing.

        Raises:
            PhotoError: the photo cannot be read.
            KeyReusedError: another request was sent under this key.
            CannotChangeError: the index cannot be written.
        """
        previous_answer = self._answered(request_key)
        if previous_answer:
            return previous_answer
        (parts,) = self._stored([SentPhoto(name, content)], panorama, stages)
        if isinstance(parts, PhotoError):
            raise parts
        parts = [part._replace(position=position or part.position) for part in parts]
        index_id, places, before = self._add([parts], stages)
        added = next((part for part in parts if part.file in places), None)
        if added is None:
            raise UnreadablePhotoError(NO_DESCRIPTOR)
        place = places[added.file]
        is_known = added.file in before
        notes = added.notes_beside(place, position, name) if is_known else list(added.notes)
        body = place_dict(place, index_id) | {"notes": notes, "etag": place_tag(place)}
        return self._answer(Answer(200 if is_known else 201, body, _ids([place])), request_key)

    def add_many(
        self,
        uploads: Sequence[tuple[str, bytes]],
        *,
        panorama: bool | None = None,
        request_key: RequestKey | None = None,
        stages: Stages,
    ) -> Answer:
        """Add the places of photos by one change of the index; the answer lists unreadable photos.

        `uploads` are names and contents of files, photos and archives of photos. Places have the
        names of their files. `panorama` and `request_key` are those of `add`.

        Raises: as `add`, but for PhotoError, and ParameterError for a damaged archive, no photo, or
            too many.
        """
        previous_answer = self._answered(request_key)
        if previous_answer:
            return previous_answer
        sent = photos_of(uploads, self._service.max_body_bytes)
        decoded = self._stored(sent, panorama, stages)
        readable = [parts for parts in decoded if not isinstance(parts, PhotoError)]
        index_id, places, before = self._add(readable, stages)
        photos: list[dict[str, Any]] = []
        for photo, parts in zip(sent, decoded, strict=True):
            candidates = [] if isinstance(parts, PhotoError) else parts
            added = next((part for part in candidates if part.file in places), None)
            answer: dict[str, Any] = {"file": photo.file, "place": None, "problem": None}
            if added is None:
                problem = str(parts) if isinstance(parts, PhotoError) else NO_DESCRIPTOR
                answer |= {"status": 422, "problem": capitalized(problem)}
            else:
                status = 200 if added.file in before else 201
                place = place_dict(places[added.file], index_id)
                answer |= {"status": status, "place": place, "notes": list(added.notes)}
                before = before | {added.file}  # the request may have the same photo twice
            photos.append(answer)
        counts = Counter(photo["status"] for photo in photos)
        body = {
            "index_id": index_id,
            "added": counts[201],
            "known": counts[200],
            "refused": counts[422],
            "photos": photos,
        }
        return self._answer(Answer(200, body, _ids(places.values())), request_key)

    def _stored(
        self, sent: Sequence[SentPhoto], panorama: bool | None, stages: Stages
    ) -> list[list[StoredPhoto] | PhotoError]:
        """For each photo the photo or views to store, or the error why it cannot be read."""
        preprocessing = self._service.engine.model.card.preprocessing
        seconds = self._service.decode_seconds
        stored: list[list[StoredPhoto] | PhotoError] = []
        for photo in sent:
            # Each photo may take the time that a request with one photo has.
            with stages.timed("decode"), decoding_until(time.monotonic() + seconds):
                try:
                    stored.append(stored_photos(photo, self._decoder, preprocessing, panorama))
                except PhotoError as error:
                    stored.append(error)
        return stored

    def _add(self, sent: Sequence[Sequence[StoredPhoto]], stages: Stages) -> "_Added":
        """Add photos by one change of the index, and group the views of each panorama."""
        from place_search.indexer import change_groups, with_views

        photos = list(chain.from_iterable(sent))
        with plain_errors():
            engine = self._current()
            files = {photo.file for photo in photos}
            on_disk = {file for file in files if (self._photos.folder / file).exists()}
            indexed = engine.index.places_holding({photo.original for photo in photos})
            known_places = {
                photo.file: indexed[photo.original] for photo in photos if photo.original in indexed
            } | _by_file(engine.index, on_disk)
            new: dict[str, StoredPhoto] = {}
            for photo in photos:
                if photo.file not in known_places:
                    new.setdefault(photo.file, photo)  # the first of equal photos gives the name
            if new:
                engine = self._add_new(new, engine, stages)
            places = known_places | _by_file(engine.index, new)
            # Known views have no group where the earlier change failed after adding them.
            panoramas = panoramas_of(sent, places)
            if any(engine.index.groups.of(view) is None for view in chain(*panoramas)):
                with stages.changing():
                    change_groups(self._index_folder, partial(with_views, panoramas))
                engine = self._changed(stages)
        return _Added(engine.index.index_id, places, frozenset(known_places))

    def _add_new(
        self, new: Mapping[str, StoredPhoto], engine: "Engine", stages: Stages
    ) -> "Engine":
        """Add photos that the index lacks, by their files."""
        from place_search.indexer import PhotoList, Source, add_photos

        storage = self._photos
        listed = PhotoList(storage.folder)
        for file, photo in new.items():
            listed.append(
                file,
                name=photo.name,
                position=photo.position,
                taken=photo.taken,
                heading=photo.heading,
            )
        source = Source(storage.folder, listed, "csv")
        stages.commit()
        with storage.adding({file: photo.jpeg for file, photo in new.items()}) as folder:
            with stages.changing():
                add_photos(self._index_folder, source, engine.model)
                self._keep_calibrated(engine)
            engine = self._changed(stages)
            for skipped in new.keys() - _by_file(engine.index, new).keys():
                (folder / skipped).unlink()
        return engine

    def _keep_calibrated(self, engine: "Engine") -> None:
        """Renew the index's own calibration; where that fails, the added places stay."""
        from place_search.search.calibrating.upkeep import keep_calibrated

        try:
            with decoding_until(math.inf):  # the request's deadline is for its own photos
                keep_calibrated(self._index_folder, engine.model, read=engine.decode, patience=0.0)
        except (PlaceSearchError, OSError) as error:
            log.warning("The calibration is not measured again: %s", error)

    def _answered(self, request_key: RequestKey | None) -> Answer | None:
        """The earlier answer to a request; None for a new request, or an index made anew."""
        with plain_errors():
            answer = request_key and self._answers.find(request_key)
            return answer if answer and answer.is_of(self._current().index) else None

    def _answer(self, answer: Answer, request_key: RequestKey | None) -> Answer:
        if request_key is not None:
            try:
                self._answers.keep(request_key, answer)
            except OSError as error:
                # The places were added, so no error; a repeat finds their photos by content.
                log.warning("The answer to an Idempotency-Key is not on disk: %s", error)
        return answer

    def edit(
        self, place_id: int, patch: Mapping[str, Any], if_match: str | None, *, stages: Stages
    ) -> tuple[str, "Place"]:
        """Edit a place; see `place_search.indexer.edit_place`.

        Returns: the index's id, and the edited place.

        Raises:
            UnknownPlaceError: there is no such place.
            EditConflictError: the place is not the version that `if_match` names.
            FieldError: a value does not fit.
            CannotChangeError: the index cannot be written.
        """
        from place_search.indexer import edit_place

        with plain_errors():
            engine = self._current()
            version = required_version(engine.index.place(place_id), if_match)
            with stages.changing():
                edit_place(self._index_folder, place_id, patch, version=version)
            index = self._changed(stages).index
        return index.index_id, index.place(place_id)

    def change_group(
        self, place_id: int, patch: Mapping[str, Any], if_match: str | None, *, stages: Stages
    ) -> "Index":
        """Change the group that a place is in; returns the changed index.

        Raises:
            UnknownPlaceError: there is no such place.
            EditConflictError: the group is not the version that `if_match` names.
            FieldError, ParameterError: a value does not fit.
            CannotChangeError: the index cannot be written.
        """
        from place_search.indexer import change_groups

        with plain_errors():
            engine = self._current()
            index = engine.index
            index.row_of(place_id)
            require_group(index.groups, place_id, if_match)
            edit = group_edit(index, place_id, patch)
            if edit is None:
                return index

            def changed(groups: "Groups") -> "Groups":
                # Another program may have changed the groups before they were locked.
                require_group(groups.only(index.place_ids), place_id, if_match)
                return edit.changed(groups)

            with stages.changing():
                change_groups(self._index_folder, changed)
            return self._changed(stages).index

    def remove(self, place_id: int, if_match: str | None = None, *, stages: Stages) -> None:
        """Remove a place. A photo that the server stored is deleted when the index is compacted.

        Raises:
            UnknownPlaceError: there never was such a place.
            EditConflictError: the place is not the version that `if_match` names.
            CannotChangeError: the index cannot be written.
        """
        from place_search.indexer import UnknownPlaceError, remove_places

        version = None
        with plain_errors(f"There never was a place {place_id}."):
            engine = self._current()
            with suppress(UnknownPlaceError):
                version = required_version(engine.index.place(place_id), if_match)
            with stages.changing():
                remove_places(self._index_folder, [place_id], version=version, compact=False)
            self._changed(stages)

    def restore(self, place_id: int, *, stages: Stages) -> tuple[str, "Place"]:
        """Bring back a removed place, as it was.

        Returns: the index's id, and the place.

        Raises:
            UnknownPlaceError: there never was such a place, or the index was compacted since.
            CannotChangeError: the index cannot be written.
        """
        from place_search.indexer import restore_places

        unknown = f"Place {place_id} cannot be restored: it never was, or has gone for good."
        with plain_errors(unknown):
            self._current()
            with stages.changing():
                restore_places(self._index_folder, [place_id])
            index = self._changed(stages).index
        return index.index_id, index.place(place_id)

    def _current(self) -> "Engine":
        """The engine of the version on disk, which another program may just have made.

        The facts of one version's places must not enter an answer on another version.
        """
        from place_search.search.server.reload import is_newest

        if not self._index_folder.is_dir():
            raise CannotChangeError(REASONS["index-removed"])
        with self._service.opening:  # the reloader may be opening this version
            engine = self._service.engine
            if not is_newest(engine, self._index_folder):
                engine = self._load(engine)
                self._service.replace(engine)
        return engine

    def _changed(self, stages: Stages) -> "Engine":
        with stages.timed("reload"):
            return self._current()

    @property
    def _photos(self) -> "KeptPhotos":
        return KeptPhotos(self._index_folder)


class _Added(NamedTuple):
    """The result of an addition: places by file, and the files that the index had `before`."""

    index_id: str
    places: Mapping[str, "Place"]
    before: frozenset[str]


def _ids(places: Iterable["Place"]) -> dict[str, int]:
    """The ids of places, by the names of their photos' files."""
    return {place.path.name: place.place_id for place in places}


def _by_file(index: "Index", files: Collection[str]) -> dict[str, "Place"]:
    """The places of the server's photos with these names of files, by the names."""
    storage = KeptPhotos(index.folder)
    return {place.path.name: place for place in index.places_of(files) if storage.holds(place.path)}
