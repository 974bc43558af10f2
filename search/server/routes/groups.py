"""The groups of photos that show one spot: listed, and changed by hand."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from place_search.search.results import place_dict
from place_search.search.server.content.fields import CHECKED_FIELDS, PlaceId, json_object
from place_search.search.server.content.groups import group_dict, list_groups
from place_search.search.server.content.matching import group_tag
from place_search.search.server.content.place_schemas import (
    GroupPatch,
    GroupsReply,
    PlaceGroupReply,
)
from place_search.search.server.problems import (
    BAD_PARAMETER,
    EDIT_CONFLICT,
    NOT_READY,
    OF_CHANGES,
    UNFIT_VALUE,
    UNKNOWN_PLACE,
    documented,
)
from place_search.search.server.roles import allows
from place_search.search.server.routes.places import ASK_AGAIN, SAME
from place_search.search.server.routes.writing import CurrentWriter
from place_search.search.server.served import CurrentState, served_of

if TYPE_CHECKING:
    from place_search.indexer import Index

router = APIRouter(prefix="/v1", tags=["places"], dependencies=[CHECKED_FIELDS])

SHOWN = 500
"""The number of photos of a group that are listed with all facts."""

GroupIfMatch = Annotated[
    str | None, Header(description="ETag of GET /v1/places/{id}/group: change no other version.")
]


@router.get(
    "/groups",
    summary="The groups",
    response_model=GroupsReply,
    responses=documented(BAD_PARAMETER, NOT_READY),
)
@allows("read")
async def all_groups(
    service: CurrentState,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000, description="Groups of a page.")] = 100,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
) -> Response:
    """The groups of two photos or more, and those that have a name, by their ids.

    A group's id is that of one of its places, which may have been removed since.
    """
    index = service.engine.index

    def listed() -> Response:
        groups = list_groups(index, served_of(request).name, limit, cursor)
        reply = GroupsReply.model_validate(groups)
        return Response(reply.model_dump_json(), media_type="application/json")

    return await service.run_small(request, listed)


@router.get(
    "/places/{place_id}/group",
    summary="The group of a place",
    responses={**SAME, **documented(BAD_PARAMETER, UNKNOWN_PLACE, NOT_READY)},
)
@allows("read")
def group_of_place(
    service: CurrentState, request: Request, response: Response, place_id: PlaceId
) -> PlaceGroupReply:
    """The photos that show the same spot as this place, including its own photo.

    A change takes the ETag in If-Match, a read in If-None-Match.
    """
    response.headers["Cache-Control"] = ASK_AGAIN
    return _reply(service.engine.index, place_id, request, response)


@router.patch(
    "/places/{place_id}/group",
    summary="Change the group of a place",
    responses=documented(
        *(BAD_PARAMETER, UNKNOWN_PLACE, EDIT_CONFLICT, UNFIT_VALUE),
        *OF_CHANGES,
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/GroupPatch"},
                    "example": {"name": "Town hall", "add": [17], "remove": [5]},
                }
            },
        }
    },
)
@allows("write")
async def change_group(
    service: CurrentState,
    writer: CurrentWriter,
    request: Request,
    response: Response,
    place_id: PlaceId,
    if_match: GroupIfMatch = None,
) -> PlaceGroupReply:
    """Name the group that a place is in, add the groups of other places, or remove places.

    The removed places become another group together; places of other groups cannot be removed.
    Grouping never undoes such a change.
    """
    patch = await json_object(request, GroupPatch, '{"add": [17]}')
    index = await service.run_change(request, writer.change_group, place_id, patch, if_match)
    return _reply(index, place_id, request, response)


def _reply(index: "Index", place_id: int, request: Request, response: Response) -> PlaceGroupReply:
    index.row_of(place_id)
    group = group_dict(index.groups, place_id)
    response.headers["ETag"] = group_tag(group)
    places = [place_dict(index.place(id_), index.index_id) for id_ in group["place_ids"][:SHOWN]]
    content = {"index_id": index.index_id, **group, "places": places}
    return PlaceGroupReply.model_validate(content, context=request.scope["root_path"])
