"""Changing the index of a running server: places come and go, and the next search knows."""

import hashlib
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from place_search.core.errors import PlaceSearchError
from place_search.core.files import write_whole
from place_search.core.geodesy import Position
from place_search.core.progress import silent
from place_search.core.text import capitalized, is_shown
from place_search.indexer import KeptPhotos
from place_search.models import NO_DESCRIPTOR
from place_search.photos import UPLOADS, Decoder, PhotoError, UnreadablePhotoError
from place_search.photos.photo import Facing
from place_search.photos.sandbox.deadline import decoding_until
from place_search.search.errors import CannotChangeError
from place_search.search.results import place_dict
from place_search.search.server.content.archives import SentPhoto, photos_of
from place_search.search.server.content.groups import group_edit
from place_search.search.server.content.kept_answers import Answer, KeptAnswers, RequestKey
from place_search.search.server.content.matching import place_tag, require_group, required_version
from place_search.search.server.content.plain_errors import plain_errors
from place_search.search.server.content.reasons import REASONS
from place_search.search.server.content.taken import TakenPhoto, panoramas_of, taken_photo
from place_search.search.stages import Stages

if TYPE_CHECKING:
    from place_search.indexer import Groups, Index, Place
    from place_search.search.engine import Engine
    from place_search.search.server.state import ServerState

log = logging.getLogger("place_search.index")

LONGEST_SIDE = 2048
LONGEST_NAME = 200


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
        self._answers = KeptAnswers(self._photos.folder)
        with suppress(OSError):  # the next change says what is wrong with the disk
            self._answers.forget_expired()

    def add(
        self,
        content: bytes,
        position: Position | None,
        name: str,
        *,
        panorama: bool | None = None,
        asked: RequestKey | None = None,
        stages: Stages,
    ) -> Answer:
        """Add a place, on disk and in the index when this returns.

        Without a `position` that of the photo's Exif is taken, without a `name` one of its content.
        A 360° `panorama` is added as its views: where its metadata says that it is one for None,
        where it is of 2:1 too for True.
        A photo that is there already keeps its place, whatever it is called this time. A request
        that was `asked` before is answered as then, and changes nothing.

        Raises:
            PhotoError: the photo cannot be read.
            KeyReusedError: another request was asked under this key.
            CannotChangeError: the index cannot be written.
        """
        known = self._answered(asked, stages)
        if known:
            return known
        (taken,) = self._take([SentPhoto(name, content)], panorama, stages)
        if isinstance(taken, PhotoError):
            raise taken
        taken = [one._replace(position=position or one.position) for one in taken]
        index_id, places, before = self._add([taken], stages)
        made = next((one for one in taken if one.file in places), None)
        if made is None:
            raise UnreadablePhotoError(NO_DESCRIPTOR)
        place = places[made.file]
        told = {**place_dict(place, index_id), "etag": place_tag(place)}
        status = 200 if made.file in before else 201
        return self._answer(Answer(status, told, _ids([place])), asked)

    def add_many(
        self,
        uploads: Sequence[tuple[str, bytes]],
        *,
        panorama: bool | None = None,
        asked: RequestKey | None = None,
        stages: Stages,
    ) -> Answer:
        """Add the places of photos by one change of the index; those that cannot be read are told.

        `uploads` are names and contents of files, photos and archives of them. Places are called by
        their files. `panorama` is that of `add`.

        Raises: as `add`, but for PhotoError, and ParameterError for a damaged archive, no photo, or
            too many.
        """
        known = self._answered(asked, stages)
        if known:
            return known
        sent = photos_of(uploads, self._service.max_body_bytes)
        taken = self._take(sent, panorama, stages)
        added = [parts for parts in taken if not isinstance(parts, PhotoError)]
        index_id, places, before = self._add(added, stages)
        told: list[dict[str, Any]] = []
        for photo, parts in zip(sent, taken, strict=True):
            readable = [] if isinstance(parts, PhotoError) else parts
            made = next((one for one in readable if one.file in places), None)
            if made is None:
                problem = str(parts) if isinstance(parts, PhotoError) else NO_DESCRIPTOR
                told.append({"status": 422, "place": None, "problem": capitalized(problem)})
            else:
                status = 200 if made.file in before else 201
                place = place_dict(places[made.file], index_id)
                told.append({"status": status, "place": place, "problem": None})
                before = before | {made.file}  # the same photo may be among them twice
            told[-1]["file"] = photo.file
        counts = Counter(photo["status"] for photo in told)
        body = {
            "index_id": index_id,
            "added": counts[201],
            "known": counts[200],
            "refused": counts[422],
            "photos": told,
        }
        return self._answer(Answer(200, body, _ids(places.values())), asked)

    def _take(
        self, photos: Sequence[SentPhoto], panorama: bool | None, stages: Stages
    ) -> list[list[TakenPhoto] | PhotoError]:
        """What is to be kept of photos, the views of panoramas, or why they cannot be read."""
        card = self._service.engine.model.card
        taken: list[list[TakenPhoto] | PhotoError] = []
        each = self._service.decode_seconds
        for file, content, problem in photos:
            # The time that a request's photos may take is for one photo.
            with stages.timed("decode"), decoding_until(time.monotonic() + each):
                try:
                    if problem:
                        raise UnreadablePhotoError(problem)
                    seen = self._decoder.photo(content, card.preprocessing, formats=UPLOADS)
                    pictures: list[tuple[Facing | None, bytes]] = []
                    if panorama is not False:
                        assumed = panorama is True
                        pictures += self._decoder.views(content, formats=UPLOADS, assumed=assumed)
                    if not pictures:
                        jpeg = self._decoder.picture(content, longest_side=LONGEST_SIDE)
                        pictures = [(None, jpeg)]
                except PhotoError as error:
                    taken.append(error)
                    continue
            name = file if is_shown(file) and len(file) <= LONGEST_NAME else ""
            original = hashlib.sha256(content).digest()
            taken.append(
                [taken_photo(name, original, seen, facing, jpeg) for facing, jpeg in pictures]
            )
        return taken

    def _add(self, sent: Sequence[Sequence[TakenPhoto]], stages: Stages) -> "_Added":
        """Add photos by one change; the views of a panorama are then a group."""
        from place_search.indexer import change_groups, with_views

        photos = list(chain.from_iterable(sent))
        with plain_errors():
            engine = self._current(stages)
            files = {photo.file for photo in photos}
            there = {file for file in files if (self._photos.folder / file).exists()}
            indexed = engine.index.places_holding({photo.original for photo in photos})
            known = {
                photo.file: indexed[photo.original] for photo in photos if photo.original in indexed
            } | _by_file(engine.index, there)
            new: dict[str, TakenPhoto] = {}
            for photo in photos:
                if photo.file not in known:
                    new.setdefault(photo.file, photo)  # called as it was the first time
            if new:
                engine = self._add_new(new, there, engine, stages)
            places = known | _by_file(engine.index, new)
            # Known views are in no group either where the change that added them failed then.
            panoramas = panoramas_of(sent, places)
            if any(engine.index.groups.of(view) is None for view in chain(*panoramas)):
                with stages.changing():
                    change_groups(self._index_folder, partial(with_views, panoramas))
                engine = self._changed(engine, stages)
        return _Added(engine.index.index_id, places, frozenset(known))

    def _add_new(
        self, new: Mapping[str, TakenPhoto], there: set[str], engine: "Engine", stages: Stages
    ) -> "Engine":
        """Add photos that the index does not have, by their files, some of which are `there`."""
        from place_search.indexer import PhotoList, Source, add_photos

        kept = self._photos
        listed = PhotoList(kept.folder)
        for file, photo in new.items():
            listed.append(
                file,
                name=photo.name,
                position=photo.position,
                taken=photo.taken,
                heading=photo.heading,
            )
        source = Source(kept.folder, listed, "csv")
        with kept.changing(*(new.keys() - there)) as folder:
            with stages.changing():
                for photo in new.values():
                    write_whole(folder / photo.file, photo.jpeg)
                add_photos(self._index_folder, source, engine.model)
                self._keep_calibrated(engine)
            engine = self._changed(engine, stages)
            for skipped in new.keys() - _by_file(engine.index, new).keys():
                (folder / skipped).unlink()
        return engine

    def _keep_calibrated(self, engine: "Engine") -> None:
        """Keep up the index's own calibration; what was added stays where that fails."""
        from place_search.search.calibrating.upkeep import keep_calibrated

        try:
            with decoding_until(math.inf):  # the request's time is for its own photos
                keep_calibrated(self._index_folder, engine.model, silent, read=engine.decode)
        except (PlaceSearchError, OSError) as error:
            log.warning("The calibration is not measured again: %s", error)

    def _answered(self, asked: RequestKey | None, stages: Stages) -> Answer | None:
        """What a request was answered before, None where it is new or the index was made anew."""
        with plain_errors():
            known = asked and self._answers.find(asked)
            return known if known and known.is_of(self._current(stages).index) else None

    def _answer(self, answer: Answer, asked: RequestKey | None) -> Answer:
        if asked is not None:
            try:
                self._answers.keep(asked, answer)
            except OSError as error:
                # The places are there, which an error would deny; a repeat finds them by content.
                log.warning("The answer to an Idempotency-Key is not on disk: %s", error)
        return answer

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

        with plain_errors():
            engine = self._current(stages)
            version = required_version(engine.index.place(place_id), if_match)
            with stages.changing():
                edit_place(self._index_folder, place_id, patch, version=version)
            index = self._changed(engine, stages).index
        return index.index_id, index.place(place_id)

    def change_group(
        self, place_id: int, patch: Mapping[str, Any], if_match: str | None, *, stages: Stages
    ) -> "Index":
        """Change the group that a place is in; returns the index as it is then.

        Raises:
            UnknownPlaceError: there is no such place.
            EditConflictError: the group is not what `if_match` names.
            FieldError, ParameterError: a value does not fit.
            CannotChangeError: the index cannot be written.
        """
        from place_search.indexer import change_groups

        with plain_errors():
            engine = self._current(stages)
            index = engine.index
            index.row_of(place_id)
            require_group(index.groups, place_id, if_match)
            edit = group_edit(index, place_id, patch)
            if edit is None:
                return index

            def changed(groups: "Groups") -> "Groups":
                # Another program may have changed them before they were locked.
                require_group(groups.only(index.place_ids), place_id, if_match)
                return edit.changed(groups)

            with stages.changing():
                change_groups(self._index_folder, changed)
            return self._changed(engine, stages).index

    def remove(self, place_id: int, if_match: str | None = None, *, stages: Stages) -> None:
        """Remove a place. Its photo, if it was added here, goes when the index is compacted.

        Raises:
            UnknownPlaceError: there never was such a place.
            EditConflictError: it is not what `if_match` names.
            CannotChangeError: the index cannot be written.
        """
        from place_search.indexer import UnknownPlaceError, remove_places

        version = None
        with plain_errors(f"There never was a place {place_id}."):
            engine = self._current(stages)
            with suppress(UnknownPlaceError):
                version = required_version(engine.index.place(place_id), if_match)
            with stages.changing():
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

        gone = f"Place {place_id} cannot be restored: it never was, or has gone for good."
        with plain_errors(gone):
            engine = self._current(stages)
            with stages.changing():
                restore_places(self._index_folder, [place_id])
            index = self._changed(engine, stages).index
        return index.index_id, index.place(place_id)

    def _current(self, stages: Stages) -> "Engine":
        """The engine of the version on disk, which another program may just have made.

        What was read of places of that version must not be said of those of another.
        """
        from place_search.indexer import read_manifest

        engine = self._service.engine
        if not self._index_folder.is_dir():
            raise CannotChangeError(REASONS["index-removed"])
        if read_manifest(self._index_folder) == engine.index.manifest:
            return engine
        return self._changed(engine, stages)

    def _changed(self, engine: "Engine", stages: Stages) -> "Engine":
        with stages.timed("reload"):
            changed = self._load(engine)
        self._service.replace(changed)
        return changed

    @property
    def _photos(self) -> "KeptPhotos":
        return KeptPhotos(self._index_folder)


class _Added(NamedTuple):
    """What the index has of photos afterwards: places by file, and the files it had `before`."""

    index_id: str
    places: Mapping[str, "Place"]
    before: frozenset[str]


def _ids(places: Iterable["Place"]) -> dict[str, int]:
    """The ids of places, by the names of their photos' files."""
    return {place.path.name: place.place_id for place in places}


def _by_file(index: "Index", files: Collection[str]) -> dict[str, "Place"]:
    """The places whose kept photos these are, by the names of the files."""
    kept = KeptPhotos(index.folder)
    return {place.path.name: place for place in index.places_of(files) if kept.holds(place.path)}
