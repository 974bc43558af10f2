"""The answers to many photos, one after the other."""

from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from place_search.core.geodesy import Position
from place_search.core.progress import Progress, silent
from place_search.indexer import Filter, PlacePhoto
from place_search.photos import PhotoError
from place_search.search.engine import Engine
from place_search.search.results import SearchResult


class Question(NamedTuple):
    """The parameters of `Engine.search` for each photo.

    `standardize` chooses places by the differences between the photos; all photos are read for
    that first.
    """

    k: int
    verify: bool | None = None
    near: Position | None = None
    radius_m: float | None = None
    standardize: bool = False
    wanted: Filter | None = None
    spots: bool = False


class Answer(NamedTuple):
    """The answer to a photo, or in `error` the reason why the photo cannot be read."""

    photo: PlacePhoto
    result: SearchResult | None
    error: str = ""


def answer_photos(
    engine: Engine,
    photos: Sequence[PlacePhoto],
    question: Question,
    *,
    skip: Container[int] = (),
    progress: Progress = silent,
) -> Iterator[Answer]:
    """The answer to each photo in their order, but for the rows in `skip`, one after the other.

    Raises:
        ParameterError: k outside 1–100, or only one of `near` and `radius_m`.
        StoreOutageError: the engine that holds the vectors does not answer.
    """
    batch = engine.standards_of(_paths(photos, progress)) if question.standardize else None
    for row, photo in enumerate(photos):
        if row in skip:
            continue
        try:
            result = engine.search(
                photo.path,
                k=question.k,
                spots=question.spots,
                verify=question.verify,
                near=question.near,
                radius_m=question.radius_m,
                place_filter=question.wanted,
                batch=batch,
            )
        except PhotoError as error:
            yield Answer(photo, None, str(error))
        else:
            yield Answer(photo, result)


def _paths(photos: Sequence[PlacePhoto], progress: Progress) -> Iterator[Path]:
    for row, photo in enumerate(photos):
        yield photo.path
        progress("Describing", row + 1, len(photos))
