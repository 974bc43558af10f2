"""POST /v1/places and DELETE /v1/places/{id}, where the server was started with --writable."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response, UploadFile
from starlette.exceptions import HTTPException

from place_search.core.geodesy import Position, is_null_island
from place_search.search.errors import ParameterError
from place_search.search.results import place_dict
from place_search.search.server.fields import CHECKED_FIELDS, photo_in
from place_search.search.server.problems import (
    BAD_PARAMETER,
    BUSY,
    CANNOT_CHANGE,
    FORBIDDEN,
    METHOD_NOT_ALLOWED,
    NOT_READY,
    OF_PHOTOS,
    UNKNOWN_PLACE,
    documented,
)
from place_search.search.server.roles import allows
from place_search.search.server.schemas import PlaceReply
from place_search.search.server.state import CurrentState
from place_search.search.server.writer import Writer

router = APIRouter(prefix="/v1", tags=["places"], dependencies=[CHECKED_FIELDS])


async def _writer_of(request: Request) -> Writer:
    writer: Writer | None = request.app.state.writer
    if writer is None:
        raise HTTPException(405, headers={"Allow": "GET"})
    return writer


CurrentWriter = Annotated[Writer, Depends(_writer_of)]

_PROBLEMS = (FORBIDDEN, METHOD_NOT_ALLOWED, CANNOT_CHANGE, BUSY, NOT_READY)


@router.post(
    "/places",
    status_code=201,
    summary="Add a place",
    responses={
        200: {"model": PlaceReply, "description": "The photo is there already, as this place."},
        **documented(*OF_PHOTOS, *_PROBLEMS),
    },
)
@allows("write")
async def add_place(
    service: CurrentState,
    writer: CurrentWriter,
    request: Request,
    response: Response,
    photo: UploadFile,
    latitude: Annotated[
        float | None, Form(ge=-90, le=90, allow_inf_nan=False, description="Degrees north.")
    ] = None,
    longitude: Annotated[
        float | None, Form(ge=-180, le=180, allow_inf_nan=False, description="Degrees east.")
    ] = None,
    name: Annotated[str, Form(max_length=200, description="What the place is called.")] = "",
) -> PlaceReply:
    """Add a photo and where it was taken, by default what its Exif says; on disk before 201."""
    if (latitude is None) != (longitude is None):
        raise ParameterError("The fields latitude and longitude only work together; give both.")
    if not all(letter.isprintable() for letter in name):
        raise ParameterError("The field name holds letters that cannot be printed; leave them out.")
    content = await photo_in("photo", photo)
    position = None
    if latitude is not None and longitude is not None:
        given = Position(latitude, longitude)
        position = None if is_null_island(given) else given
    index_id, place, is_new = await service.run_change(request, writer.add, content, position, name)
    root_path = request.scope["root_path"]
    if not is_new:
        response.status_code = 200
    response.headers["Location"] = f"{root_path}/v1/places/{place.place_id}"
    return PlaceReply.model_validate(place_dict(place, index_id), context=root_path)


@router.delete(
    "/places/{place_id}",
    status_code=204,
    summary="Remove a place",
    responses=documented(BAD_PARAMETER, UNKNOWN_PLACE, *_PROBLEMS),
)
@allows("write")
async def remove_place(
    service: CurrentState, writer: CurrentWriter, request: Request, place_id: int
) -> None:
    """Remove a place; one that is removed already stays so."""
    await service.run_change(request, writer.remove, place_id)
