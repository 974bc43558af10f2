"""POST /v1/search."""

from typing import Annotated

from fastapi import APIRouter, File, Query, Request, UploadFile

from place_search.photos import parse_box
from place_search.search.positions import parse_position
from place_search.search.server.content.fields import (
    CHECKED_FIELDS,
    Box,
    FilterFields,
    Near,
    RadiusM,
    photo_in,
)
from place_search.search.server.content.schemas import SearchReply
from place_search.search.server.problems import (
    BUSY,
    ENGINE_DOWN,
    INDEX_DAMAGED,
    NOT_READY,
    OF_PHOTOS,
    documented,
)
from place_search.search.server.roles import allows
from place_search.search.server.served import CurrentState
from place_search.search.several.fusion import of_photo, require_few

router = APIRouter(prefix="/v1", tags=["search"], dependencies=[CHECKED_FIELDS])

_PROBLEMS = documented(*OF_PHOTOS, BUSY, ENGINE_DOWN, INDEX_DAMAGED, NOT_READY)


@router.post("/search", summary="Find the place of a photo", responses=_PROBLEMS)
@allows("read", counted=True)
async def search_places(
    service: CurrentState,
    request: Request,
    photo: Annotated[
        list[UploadFile],
        File(description="The photo; or several of one spot, up to 16, each in a field `photo`."),
    ],
    filters: FilterFields,
    k: Annotated[int, Query(ge=1, le=100, description="How many places.")] = 10,
    spots: Annotated[
        bool,
        Query(
            description="Count photos of one group once: results go on until `k` spots are among "
            "them, 100 places at most."
        ),
    ] = False,
    verify: Annotated[
        bool | None,
        Query(description="Check the candidates spatially (default: where the index can)."),
    ] = None,
    box: Box = None,
    panorama: Annotated[
        bool | None,
        Query(
            description="Cut a 360° panorama into views and search with each: false never, true "
            "where the photo is twice as wide as high (default: where its XMP says GPano)."
        ),
    ] = None,
    near: Near = None,
    radius_m: RadiusM = None,
) -> SearchReply:
    """The places of the index that look most like the photo, best first.

    Several photos of one spot are one query, with one answer; `query` is about the first photo. A
    360° panorama by itself is cut into views, and `query_view` of a result is the view that shows
    the place.
    """
    engine = service.engine
    require_few(len(photo))
    place_filter = filters.of(engine.index)
    contents = []
    for number, upload in enumerate(photo, start=1):
        with of_photo(number, len(photo)):
            contents.append(await photo_in("photo", upload))
    result = await service.run_search(
        request,
        engine.search,
        contents,
        k=k,
        spots=spots,
        verify=verify,
        box=None if box is None else parse_box(box),
        panorama=panorama,
        near=None if near is None else parse_position(near),
        radius_m=radius_m,
        place_filter=place_filter,
    )
    return SearchReply.model_validate(result.to_dict(), context=request.scope["root_path"])
