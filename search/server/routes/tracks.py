"""POST /v1/tracks and the routes below: the place of a camera by the frames that it sends."""

from fastapi import APIRouter, Request, Response, UploadFile

from place_search.search.server.clients import client_of
from place_search.search.server.content.fields import CHECKED_FIELDS, photo_in
from place_search.search.server.content.track_schemas import (
    TrackedFrameReply,
    TrackPathReply,
    TrackReply,
)
from place_search.search.server.problems import (
    BAD_PARAMETER,
    BUSY,
    ENGINE_DOWN,
    INDEX_DAMAGED,
    NOT_READY,
    OF_PHOTOS,
    UNKNOWN_TRACK,
    documented,
)
from place_search.search.server.roles import allows
from place_search.search.server.served import CurrentState

router = APIRouter(prefix="/v1", tags=["tracks"], dependencies=[CHECKED_FIELDS])


@router.post(
    "/tracks",
    status_code=201,
    summary="Open a track",
    responses=documented(BAD_PARAMETER, BUSY, INDEX_DAMAGED, NOT_READY),
)
@allows("read", counted=True)
async def open_track(service: CurrentState, request: Request, response: Response) -> TrackReply:
    """Open a track for frames; it closes after ten minutes without a request, or sooner."""
    client = client_of(request.scope)
    track = await service.run_search(request, service.tracks.open, service.engine, client=client)
    root_path = request.scope["root_path"]
    response.headers["Location"] = f"{root_path}/v1/tracks/{track.track_id}"
    return TrackReply.model_validate(track.about())


@router.post(
    "/tracks/{track_id}/frames",
    summary="Where is the camera now?",
    responses=documented(
        *OF_PHOTOS,
        *(UNKNOWN_TRACK, BUSY, ENGINE_DOWN, INDEX_DAMAGED),
    ),
)
@allows("read", counted=True)
async def add_frame(
    service: CurrentState, request: Request, track_id: str, photo: UploadFile
) -> TrackedFrameReply:
    """Add the track's next frame; the answer has its place by all frames so far."""
    track = service.tracks.find(track_id)
    content = await photo_in("photo", photo)
    reply = await service.run_search(request, track.add, content)
    return TrackedFrameReply.model_validate(reply)


@router.get(
    "/tracks/{track_id}",
    summary="The path of a track",
    responses=documented(BAD_PARAMETER, UNKNOWN_TRACK, BUSY),
)
@allows("read")
async def read_track(service: CurrentState, request: Request, track_id: str) -> TrackPathReply:
    """The last thousand frames of a track, each located by itself and the frames before."""
    reply = await service.run_small(request, service.tracks.find(track_id).with_path)
    return TrackPathReply.model_validate(reply)


@router.delete(
    "/tracks/{track_id}",
    status_code=204,
    summary="Close a track",
    responses=documented(BAD_PARAMETER, UNKNOWN_TRACK),
)
@allows("read")
async def close_track(service: CurrentState, track_id: str) -> None:
    """Close a track, and forget it."""
    service.tracks.close(track_id)
