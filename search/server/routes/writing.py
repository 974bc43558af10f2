"""Adding, editing, removing and restoring places, where the server was started with --writable."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Header, Request, Response, UploadFile
from fastapi.routing import APIRoute
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from place_search.core.geodesy import NULL_ISLAND, Position, is_null_island
from place_search.core.text import is_shown
from place_search.search.errors import ParameterError
from place_search.search.server.clients import client_of
from place_search.search.server.content.fields import CHECKED_FIELDS, PlaceId, json_object, photo_in
from place_search.search.server.content.kept_answers import RequestKey
from place_search.search.server.content.place_schemas import (
    AddedPhotosReply,
    AddedPlaceReply,
    PlaceDetailsReply,
    PlacePatch,
)
from place_search.search.server.problems import (
    BAD_PARAMETER,
    BODY_TOO_LARGE,
    EDIT_CONFLICT,
    KEY_REUSED,
    OF_CHANGES,
    OF_PHOTOS,
    UNFIT_VALUE,
    UNKNOWN_PLACE,
    documented,
)
from place_search.search.server.roles import allows
from place_search.search.server.routes.places import place_reply
from place_search.search.server.served import CurrentState, served_of
from place_search.search.server.writer import Writer


class _NamedRoute(APIRoute):
    """A route whose path `/places/{place_id}` would match too: it allows its own method only."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return Match.FULL if match is Match.PARTIAL else match, child_scope


router = APIRouter(prefix="/v1", tags=["places"], dependencies=[CHECKED_FIELDS])
named_router = APIRouter(
    prefix="/v1", tags=["places"], dependencies=[CHECKED_FIELDS], route_class=_NamedRoute
)
"""The routes that come before all routes of places."""


async def _writer_of(request: Request) -> Writer:
    writer = served_of(request).writer
    if writer is None:
        raise HTTPException(405)
    return writer


MAX_KEY = 255
IdempotencyKey = Annotated[
    str | None,
    Header(description="A new one for each request: a repeat is answered alike, and adds nothing."),
]
AsPanorama = Annotated[
    bool | None,
    Form(
        description="Add a 360° panorama as its views: false never, true where the photo is twice "
        "as wide as high (default: where its XMP says GPano)."
    ),
]
IfMatch = Annotated[
    str | None, Header(description="ETag of GET /v1/places/{id}: change no other version.")
]


CurrentWriter = Annotated[Writer, Depends(_writer_of)]


@router.post(
    "/places",
    status_code=201,
    summary="Add a place",
    responses={
        200: {
            "model": AddedPlaceReply,
            "description": "The photo is there already, as this place.",
        },
        **documented(*OF_PHOTOS, KEY_REUSED, *OF_CHANGES),
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
    panorama: AsPanorama = None,
    idempotency_key: IdempotencyKey = None,
) -> AddedPlaceReply:
    """Add a photo at a position, by default its own; the place is on disk before the 201.

    The `notes` say why a photo's own position was left out.
    A 360° panorama is added as its views, which are a group; the answer has the first view's place.
    """
    if (latitude is None) != (longitude is None):
        raise ParameterError(
            "The fields latitude and longitude only work together; give both.",
            "longitude" if longitude is None else "latitude",
        )
    if not is_shown(name):
        raise ParameterError(
            "The field name holds letters that cannot be printed; leave them out.", "name"
        )
    name = name.strip()
    content = await photo_in("photo", photo)
    position = None
    if latitude is not None and longitude is not None:
        position = Position(latitude, longitude)
        if is_null_island(position):
            raise ParameterError(NULL_ISLAND, "latitude", "longitude")
    fields = [str(position), name, *_panorama_text(panorama)]
    key = request_key(request, idempotency_key, content, fields)
    answer = await service.run_change(
        request, writer.add, content, position, name, panorama=panorama, request_key=key
    )
    root_path = request.scope["root_path"]
    body = dict(answer.body)
    response.status_code = answer.status
    response.headers["Location"] = f"{root_path}/v1/places/{body['place_id']}"
    response.headers["ETag"] = body.pop("etag")
    return AddedPlaceReply.model_validate(body, context=root_path)


@named_router.post(
    "/places/bulk",
    summary="Add several places",
    responses=documented(BAD_PARAMETER, BODY_TOO_LARGE, KEY_REUSED, *OF_CHANGES),
)
@allows("write")
async def add_places(
    service: CurrentState,
    writer: CurrentWriter,
    request: Request,
    photo: Annotated[
        list[UploadFile], File(description="Photos, and zip or tar archives of photos.")
    ],
    panorama: AsPanorama = None,
    idempotency_key: IdempotencyKey = None,
) -> AddedPhotosReply:
    """Add all readable photos by one change of the index; the answer has a result for each photo.

    Places have the photos' own positions, and the names of their files. A 360° panorama is one
    photo, added as its views; its result has the first view's place.
    """
    uploads = [(upload.filename or "", await upload.read()) for upload in photo]
    digests = b"".join(hashlib.sha256(content).digest() for _, content in uploads)
    fields = [*(file for file, _ in uploads), *_panorama_text(panorama)]
    key = request_key(request, idempotency_key, digests, fields)
    answer = await service.run_change(
        request, writer.add_many, uploads, panorama=panorama, request_key=key
    )
    return AddedPhotosReply.model_validate(answer.body, context=request.scope["root_path"])


def _panorama_text(panorama: bool | None) -> list[str]:
    """The field `panorama` in the digest of a request; none by default, as in older versions."""
    return [] if panorama is None else [f"panorama {panorama}"]


def request_key(
    request: Request, key: str | None, content: bytes, fields: Sequence[str]
) -> RequestKey | None:
    """The key of a request with an Idempotency-Key, None without. Raises `ParameterError`."""
    if key is None:
        return None
    if not (key.isascii() and key.isprintable() and 0 < len(key) <= MAX_KEY):
        raise ParameterError(
            f"The Idempotency-Key must be 1 to {MAX_KEY} letters of ASCII, such as a UUID.",
            "Idempotency-Key",
        )
    # The path without a proxy's prefix or the index's name, so that a repeat may use another.
    identity = [get_route_path(request.scope), hashlib.sha256(content).hexdigest(), *fields]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    return RequestKey(client_of(request.scope), key, digest)


@router.delete(
    "/places/{place_id}",
    status_code=204,
    summary="Remove a place",
    responses=documented(BAD_PARAMETER, UNKNOWN_PLACE, EDIT_CONFLICT, *OF_CHANGES),
)
@allows("write")
async def remove_place(
    service: CurrentState,
    writer: CurrentWriter,
    request: Request,
    place_id: PlaceId,
    if_match: IfMatch = None,
) -> None:
    """Remove a place, if it is not removed already; it can be restored until a compaction."""
    await service.run_change(request, writer.remove, place_id, if_match)


@router.post(
    "/places/{place_id}/restore",
    summary="Bring back a removed place",
    responses=documented(BAD_PARAMETER, UNKNOWN_PLACE, *OF_CHANGES),
)
@allows("write")
async def restore_place(
    service: CurrentState,
    writer: CurrentWriter,
    request: Request,
    response: Response,
    place_id: PlaceId,
) -> PlaceDetailsReply:
    """Bring back a removed place as it was, until the index is compacted."""
    index_id, place = await service.run_change(request, writer.restore, place_id)
    return place_reply(place, index_id, request, response)


@router.patch(
    "/places/{place_id}",
    summary="Edit a place",
    responses=documented(BAD_PARAMETER, UNKNOWN_PLACE, EDIT_CONFLICT, UNFIT_VALUE, *OF_CHANGES),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/PlacePatch"},
                    "example": {"name": "North gate", "tags": ["gate"], "fields": {"floor": 3}},
                }
            },
        }
    },
)
@allows("write")
async def edit_place(
    service: CurrentState,
    writer: CurrentWriter,
    request: Request,
    response: Response,
    place_id: PlaceId,
    if_match: IfMatch = None,
) -> PlaceDetailsReply:
    """Edit a place's name, note, tags, own fields or position.

    Fields that the JSON object leaves out stay, and null removes a value.
    """
    patch = await json_object(request, PlacePatch, '{"name": "North gate"}')
    index_id, place = await service.run_change(request, writer.edit, place_id, patch, if_match)
    return place_reply(place, index_id, request, response)
