"""The searches of the Python interface."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, Unpack

from place_search.arguments import (
    AnyModel,
    AnyPath,
    Filters,
    Photo,
    model_for,
    opened_index,
    sources_of,
    switch,
)
from place_search.core.errors import PlaceSearchError

if TYPE_CHECKING:
    from place_search.indexer import Index
    from place_search.search.engine import Engine
    from place_search.search.results import SearchResult, SearchTable
    from place_search.search.similar import SimilarPlaces


def search(
    index: "Index | AnyPath",
    photo: Photo | Sequence[Photo],
    *,
    model: AnyModel = None,
    k: int = 10,
    spots: bool = False,
    verify: bool | None = None,
    box: tuple[float, float, float, float] | None = None,
    panorama: bool | None = None,
    near: tuple[float, float] | None = None,
    radius_m: float | None = None,
    **filters: Unpack[Filters],
) -> "SearchResult":
    """Find the `k` places of an index that look most like a photo, best first.

    With `spots` the places of a group count once, so that `k` spots are found; the results include
    all photos ranked before the last spot, at most 100. Up to 16 photos of one spot are one query
    with one answer. `match` of the answer is the verdict whether the photo's place is among the
    results. `verify` ranks the most similar places by how well their geometry agrees with the
    photo's; by default where the index holds local features. With a `box` (x, y, width, height in
    pixels of the upright photo) only that part of the photo is the query. A 360° `panorama` is cut
    into views: by default if its metadata declares a panorama, with True if it is twice as wide as
    high. `near` is (latitude, longitude) in degrees; results are at most `radius_m` metres from
    there, and fulfil the `filters`. Without `model` the index's own is opened, which takes most of
    a second: for many searches use `search_many`, or open the model once and pass it.

    Raises:
        PlaceSearchError: an index, photo or parameter that cannot be used; the text says why.
    """
    from place_search.indexer import parse_filter
    from place_search.photos import box_of
    from place_search.search.positions import position_of

    engine = opened_engine(index, model, verify=verify)
    return engine.search(
        list(sources_of(photo)),
        k=k,
        spots=spots,
        verify=verify,
        box=box_of(box),
        panorama=panorama,
        near=position_of(near),
        radius_m=radius_m,
        place_filter=parse_filter(engine.index.edits, **filters),
    )


def search_many(
    index: "Index | AnyPath",
    photos: Iterable[Photo],
    *,
    model: AnyModel = None,
    k: int = 10,
    spots: bool = False,
    verify: bool | None = None,
    near: tuple[float, float] | None = None,
    radius_m: float | None = None,
    standardize: bool = False,
    **filters: Unpack[Filters],
) -> "Iterator[SearchResult]":
    """Search for one photo after the other; yields the answers in the order of the photos.

    `standardize` reads all photos first, and chooses places by descriptors that are centred and
    scaled by the photos' own statistics (Schubert et al. 2020). Twenty photos of one drive by night
    gain much; few photos, or photos of many kinds, lose. Otherwise as `search`.
    """
    from place_search.indexer import parse_filter
    from place_search.search.positions import position_of

    point = position_of(near)
    engine = opened_engine(index, model, verify=verify)
    place_filter = parse_filter(engine.index.edits, **filters)
    batch = None
    sources: Iterable[bytes | Path] = sources_of(photos)
    if switch("standardize", standardize):
        sources = list(sources)
        batch = engine.standards_of(sources)
    return (
        engine.search(
            source,
            k=k,
            spots=spots,
            verify=verify,
            near=point,
            radius_m=radius_m,
            place_filter=place_filter,
            batch=batch,
        )
        for source in sources
    )


def similar(
    index: "Index | AnyPath",
    place_id: SupportsIndex | str,
    *,
    model: AnyModel = None,
    k: int = 10,
    same_spot: bool = False,
    near: tuple[float, float] | None = None,
    radius_m: float | None = None,
    **filters: Unpack[Filters],
) -> "SimilarPlaces":
    """Find the `k` places that look most like a place of the index, given by its id or its name.

    The query is the place's descriptor in the index, so that no model is needed where descriptors
    were made elsewhere. The place itself is left out, and other photos of its group too, unless
    `same_spot`. `near`, `radius_m` and `filters` are those of `search`.

    Raises:
        PlaceSearchError: an index, place or parameter that cannot be used; the text says why.
    """
    from place_search.indexer import parse_filter
    from place_search.search.positions import position_of
    from place_search.search.similar import open_similar, similar_places

    opened = opened_index(index)
    engine = open_similar(opened, lambda: model_for(opened, model, verify=False))
    return similar_places(
        engine,
        opened.id_of(place_id),
        k=k,
        same_spot=switch("same_spot", same_spot),
        near=position_of(near),
        radius_m=radius_m,
        place_filter=parse_filter(opened.edits, **filters),
    )


def table(answers: "Iterable[SearchResult]") -> "SearchTable":
    """The answers of `search_many` as a table: a row a photo, with verdict and best result.

    Raises:
        PlaceSearchError: an item that is no answer of a search.
    """
    from place_search.search.results import SearchResult, SearchTable

    iterable: Any = answers
    rows = tuple(iterable) if isinstance(iterable, Iterable) else (iterable,)
    for row in rows:
        if not isinstance(row, SearchResult):
            raise PlaceSearchError(
                "A table is made of the answers of `search` or `search_many`, not of the type "
                f"{type(row).__name__}."
            )
    return SearchTable(rows)


def opened_engine(
    index: "Index | AnyPath", model: AnyModel, *, verify: bool | None = None
) -> "Engine":
    """An engine that searches an index with `model`, by default with the index's own."""
    from place_search.search.engine import Engine

    opened = opened_index(index)
    return Engine(opened, model_for(opened, model, verify=verify is not False))
