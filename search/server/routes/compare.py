"""POST /v1/compare, and the same at /compare."""

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, UploadFile

from place_search.photos import PhotoBox, parse_box
from place_search.search.compare import compare_photos
from place_search.search.results import CompareResult
from place_search.search.server.content.fields import CHECKED_FIELDS, Box, photo_in
from place_search.search.server.content.schemas import CompareReply
from place_search.search.server.problems import BUSY, NOT_READY, OF_PHOTOS, documented
from place_search.search.server.roles import allows
from place_search.search.server.served import CurrentState
from place_search.search.stages import Stages

if TYPE_CHECKING:
    from place_search.search.engine import Engine

router = APIRouter(tags=["compare"], dependencies=[CHECKED_FIELDS])

_PROBLEMS = documented(*OF_PHOTOS, BUSY, NOT_READY)


@router.post("/compare", include_in_schema=False)
@router.post("/v1/compare", summary="Do two photos show the same place?", responses=_PROBLEMS)
@allows("read", counted=True)
async def compare(
    service: CurrentState, request: Request, image1: UploadFile, image2: UploadFile, box: Box = None
) -> CompareReply:
    """Similarity, matched points, and the probability that both photos show one place.

    With a box, only that part of the first photo is compared.
    """
    engine = service.engine
    contents = [await photo_in("image1", image1), await photo_in("image2", image2)]
    part = None if box is None else parse_box(box)
    compared = await service.run_search(request, _compare, engine, *contents, box=part)
    return CompareReply.model_validate(compared.to_dict())


def _compare(
    engine: "Engine", first: bytes, second: bytes, *, box: PhotoBox | None, stages: Stages
) -> CompareResult:
    # A changed index reads its shared parts on first use, so this belongs in the queue.
    return compare_photos(
        engine.model,
        first,
        second,
        box=box,
        index=engine.index,
        chosen=engine.chosen,
        decode=engine.decode,
        stages=stages,
    )
