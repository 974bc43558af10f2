"""Adding a photo that is no file of a folder, as a server adds what it is sent."""

import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from place_search.arguments import AnyModel, AnyPath, Photo, as_path, model_for, source_of
from place_search.core.errors import PlaceSearchError, unwritable

if TYPE_CHECKING:
    from place_search.annotations import Place
    from place_search.search.engine import Engine


SECONDS = 60.0
"""The time for decoding a photo, waiting for a busy machine included."""


def add_photo(
    index: AnyPath,
    photo: Photo,
    *,
    position: tuple[float, float] | None = None,
    name: str = "",
    panorama: bool | None = None,
    model: AnyModel = None,
) -> "Place":
    """Add one photo to an index, and return its place; it may be in memory only.

    As an upright JPEG of at most 2,048 pixels a side the photo is kept in the folder `INDEX-photos`
    beside the index, where a server keeps the photos that it is sent. `position` is (latitude,
    longitude) in degrees, by default the photo's own. Without a `name` the place is called by its
    file, or by the one there. A 360° `panorama` becomes a place for each of its views, of which the
    first is returned: by default if its metadata declares a panorama, with True if it is twice as
    wide as high. A photo that the index has already keeps its place. Each call makes a version of
    the index: many photos are quicker as files in a folder, with `add`.

    Raises:
        PlaceSearchError: index, photo, model or a parameter cannot be used; the text says why.
    """
    from place_search.core.files import read_regular
    from place_search.core.geodesy import NULL_ISLAND, is_null_island
    from place_search.core.text import is_shown
    from place_search.indexer import open_index
    from place_search.photos import Decoder
    from place_search.photos.sandbox.decoder import DecodeLimits
    from place_search.search.engine import Engine
    from place_search.search.errors import BusyError, CannotChangeError, StorageFullError
    from place_search.search.parameters import switch_of
    from place_search.search.positions import position_of
    from place_search.search.server.content.stored_photos import LONGEST_NAME
    from place_search.search.server.writer import Writer
    from place_search.search.stages import Stages

    folder, source, point = as_path(index), source_of(photo), position_of(position)
    if point is not None and is_null_island(point):
        raise PlaceSearchError(NULL_ISLAND)
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not is_shown(name):
        raise PlaceSearchError(
            f"The name of a place is up to {LONGEST_NAME} letters that can be printed, not "
            f"{name!r:.40}."
        )
    cut = switch_of("panorama", panorama)
    if isinstance(source, Path):
        try:
            name, source = name or source.name, read_regular(source)
        except OSError as error:
            raise PlaceSearchError(f"{photo!s} cannot be read ({error.strerror}).") from None
    opened = model_for(folder, model)
    limits = DecodeLimits(cpu_seconds=SECONDS, seconds=SECONDS, max_pixels=opened.max_pixels)

    def engine(_: object = None) -> "Engine":
        return Engine(open_index(folder), opened)

    with closing(Decoder(workers=1, limits=limits)) as decoder:
        service = _Service(engine())
        writer = Writer(service, folder, decoder, engine)
        try:
            answer = writer.add(source, point, name.strip(), panorama=cut, stages=Stages())
        except (BusyError, CannotChangeError, StorageFullError) as error:
            # What clients of a server must not see, such as the names of folders.
            cause = error.__context__
            if isinstance(cause, OSError):
                cause = PlaceSearchError(unwritable(folder, cause))
            raise cause or error from None
    return service.engine.index.place(answer.body["place_id"])


class _Service:
    """A service of one user, who waits."""

    decode_seconds = SECONDS
    max_body_bytes = sys.maxsize

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.opening = nullcontext()

    def replace(self, engine: "Engine") -> None:
        """Go on with the engine of the changed index."""
        self.engine = engine
