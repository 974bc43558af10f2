"""The index, its places and their pictures."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from place_search.indexer import Place
from place_search.photos import THUMBNAIL_SIDE
from place_search.search.positions import parse_position
from place_search.search.results import place_dict
from place_search.search.server.content.fields import (
    CHECKED_FIELDS,
    FilterFields,
    Near,
    PlaceId,
    RadiusM,
)
from place_search.search.server.content.matching import is_named, place_tag
from place_search.search.server.content.pictures import (
    LONGEST_SIDE,
    SHORTEST_SIDE,
    picture_tag,
    pictures_form,
    place_picture,
    thumbnail_of,
    thumbnails_of,
)
from place_search.search.server.content.place_schemas import PlaceDetailsReply
from place_search.search.server.content.schemas import IndexReply, SimilarReply
from place_search.search.server.problems import (
    BAD_PARAMETER,
    BUSY,
    ENGINE_DOWN,
    INDEX_DAMAGED,
    NOT_READY,
    PHOTO_GONE,
    UNKNOWN_PLACE,
    documented,
)
from place_search.search.server.roles import allows
from place_search.search.server.served import CurrentState
from place_search.search.similar import similar_places

router = APIRouter(prefix="/v1", tags=["places"], dependencies=[CHECKED_FIELDS])

# Private: answers that need a key must be in no shared cache.
FOREVER = "private, max-age=31536000, immutable"
# An address without the index id may show the place of another index later.
ASK_AGAIN = "private, no-cache"
MAX_THUMBNAILS = 100
"""The largest number of places in a request."""

ThumbnailSide = Annotated[
    int,
    Query(ge=SHORTEST_SIDE, le=THUMBNAIL_SIDE, description="Pixels of its longer side, at most."),
]
IndexVersion = Annotated[
    str | None, Query(description="With the index id the answer may be cached for good.")
]

SAME: dict[int | str, dict[str, Any]] = {
    304: {"description": "If-None-Match names what there is: the client has it."}
}
FILE = {"type": "string", "format": "binary"}
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"description": "A JPEG.", "content": {"image/jpeg": {"schema": FILE}}},
    **SAME,
}


@router.get("/index", summary="About the index", responses=documented(BAD_PARAMETER, NOT_READY))
@allows("read")
def about_index(service: CurrentState) -> IndexReply:
    """The facts of the index, and the photos that could not be indexed."""
    return IndexReply.model_validate(service.engine.about().to_dict())


@router.get(
    "/places/{place_id}",
    summary="One place",
    responses={**SAME, **documented(BAD_PARAMETER, UNKNOWN_PLACE, NOT_READY)},
)
@allows("read")
def one_place(
    service: CurrentState, request: Request, response: Response, place_id: PlaceId
) -> PlaceDetailsReply:
    """The name and position of a place, and its note, tags and own fields.

    A change takes the ETag in If-Match, a read in If-None-Match.
    """
    index = service.engine.index
    response.headers["Cache-Control"] = ASK_AGAIN
    return place_reply(index.place(place_id), index.index_id, request, response)


def place_reply(
    place: Place, index_id: str, request: Request, response: Response
) -> PlaceDetailsReply:
    """The facts of a place as an answer, which gets the place's ETag."""
    response.headers["ETag"] = place_tag(place)
    content = place_dict(place, index_id)
    return PlaceDetailsReply.model_validate(content, context=request.scope["root_path"])


@router.get(
    "/places/{place_id}/similar",
    summary="Places like this one",
    responses=documented(BAD_PARAMETER, UNKNOWN_PLACE, BUSY, ENGINE_DOWN, INDEX_DAMAGED, NOT_READY),
)
@allows("read", counted=True)
async def places_like(
    service: CurrentState,
    request: Request,
    place_id: PlaceId,
    filters: FilterFields,
    k: Annotated[int, Query(ge=1, le=100, description="How many places.")] = 10,
    same_spot: Annotated[
        bool, Query(description="The other photos of the place's own group too.")
    ] = False,
    near: Near = None,
    radius_m: RadiusM = None,
) -> SimilarReply:
    """The places that look most like this place, by the descriptor in the index.

    The place itself and other photos of its group are left out. No geometry is compared.
    """
    engine = service.engine
    place_filter = filters.of(engine.index)
    result = await service.run_search(
        request,
        partial(similar_places, engine, place_id),
        k=k,
        same_spot=same_spot,
        near=None if near is None else parse_position(near),
        radius_m=radius_m,
        place_filter=place_filter,
    )
    return SimilarReply.model_validate(result.to_dict(), context=request.scope["root_path"])


@router.get(
    "/places/{place_id}/image",
    summary="A place's photo",
    response_class=Response,
    responses={**_JPEG, **documented(BAD_PARAMETER, UNKNOWN_PLACE, PHOTO_GONE, BUSY, NOT_READY)},
)
@allows("read")
async def place_image(
    service: CurrentState,
    request: Request,
    place_id: PlaceId,
    side: Annotated[
        int,
        Query(ge=SHORTEST_SIDE, le=LONGEST_SIDE, description="Pixels of its longer side, at most."),
    ] = LONGEST_SIDE,
) -> Response:
    """The photo upright, without its metadata, at most `side` pixels a side."""
    place = service.engine.index.place(place_id)
    headers = {"ETag": picture_tag(place, side), "Cache-Control": ASK_AGAIN}
    if _is_cached(request, headers):
        return Response(status_code=304, headers=headers)
    jpeg = await service.run_small(request, place_picture, place, side, service.decoder)
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@router.get(
    "/places/{place_id}/thumbnail",
    summary="A place's thumbnail",
    response_class=Response,
    responses={
        **_JPEG,
        **documented(BAD_PARAMETER, UNKNOWN_PLACE, BUSY, INDEX_DAMAGED, NOT_READY),
    },
)
@allows("read")
async def place_thumbnail(
    service: CurrentState,
    request: Request,
    place_id: PlaceId,
    v: IndexVersion = None,
    side: ThumbnailSide = THUMBNAIL_SIDE,
) -> Response:
    """The thumbnail of a place, a small JPEG."""
    index = service.engine.index
    place = index.place(place_id)
    headers = {
        "ETag": f'"{index.index_id}-{place.place_id}-{side}"',
        "Cache-Control": FOREVER if v == index.index_id else ASK_AGAIN,
    }
    if _is_cached(request, headers):
        return Response(status_code=304, headers=headers)
    jpeg = await service.run_small(request, thumbnail_of, index, place_id, side)
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@router.get(
    "/thumbnails",
    summary="The thumbnails of several places",
    response_class=Response,
    responses={
        200: {
            "description": "A form with a JPEG for each place, named by its id.",
            "content": {"multipart/form-data": {"schema": FILE}},
        },
        **documented(BAD_PARAMETER, BUSY, INDEX_DAMAGED, NOT_READY),
    },
)
@allows("read")
async def thumbnails(
    service: CurrentState,
    request: Request,
    place: Annotated[
        list[PlaceId],
        Query(min_length=1, max_length=MAX_THUMBNAILS, description="A place's id; repeatable."),
    ],
    v: IndexVersion = None,
    side: ThumbnailSide = THUMBNAIL_SIDE,
) -> Response:
    """The thumbnails of a page of a gallery in one answer; unknown places are left out."""
    index = service.engine.index
    pictures = await service.run_small(request, thumbnails_of, index, place, side)
    form, media_type = pictures_form(pictures)
    headers = {"Cache-Control": FOREVER if v == index.index_id else ASK_AGAIN}
    return Response(form, media_type=media_type, headers=headers)


def _is_cached(request: Request, headers: Mapping[str, str]) -> bool:
    """Whether the client has this version already."""
    return is_named(headers["ETag"], request.headers.get("if-none-match", ""))
