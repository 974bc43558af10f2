"""The answers to many photos, one after the other."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from place_search.core.geodesy import Position
from place_search.indexer import PlacePhoto
from place_search.photos import PhotoError
from place_search.search.engine import Engine
from place_search.search.results import SearchResult


class Question(NamedTuple):
    """What is asked of each photo, as `Engine.search` takes it."""

    k: int
    verify: bool | None = None
    near: Position | None = None
    radius_m: float | None = None


class Answer(NamedTuple):
    """The answer to a photo, or in `error` why it cannot be read."""

    photo: PlacePhoto
    result: SearchResult | None
    error: str = ""


def answer_photos(
    engine: Engine, photos: Iterable[PlacePhoto], question: Question
) -> Iterator[Answer]:
    """The answer to each photo in their order, when it is there.

    Raises:
        ParameterError: k outside 1–100, or only one of `near` and `radius_m`.
        StoreOutageError: the engine that holds the vectors does not answer.
    """
    for photo in photos:
        try:
            yield Answer(photo, engine.search(photo.path, **question._asdict()))
        except PhotoError as error:
            yield Answer(photo, None, str(error))
