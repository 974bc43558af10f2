"""The model: its facts, and its steps from a photo to a descriptor."""

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, UploadFile

from place_search.search.explain import Explanation, explain
from place_search.search.server.content.fields import CHECKED_FIELDS, photo_in
from place_search.search.server.content.schemas import ExplainReply, ModelReply
from place_search.search.server.problems import (
    BAD_PARAMETER,
    BUSY,
    NO_VOCABULARY,
    NOT_READY,
    OF_PHOTOS,
    documented,
)
from place_search.search.server.roles import allows
from place_search.search.server.served import CurrentState
from place_search.search.stages import Stages

if TYPE_CHECKING:
    from place_search.search.engine import Engine

router = APIRouter(prefix="/v1", tags=["model"], dependencies=[CHECKED_FIELDS])

_PROBLEMS = documented(*OF_PHOTOS, BUSY, NO_VOCABULARY, NOT_READY)


@router.post("/explain", summary="See what the model sees", responses=_PROBLEMS)
@allows("read", counted=True)
async def explain_photo(service: CurrentState, request: Request, photo: UploadFile) -> ExplainReply:
    """The cells of a photo with the cluster of each, and the photo's descriptor."""
    engine = service.engine
    content = await photo_in("photo", photo)
    explained = await service.run_search(request, _explain, engine, content)
    return ExplainReply.model_validate(explained.to_dict())


def _explain(engine: "Engine", content: bytes, *, stages: Stages) -> Explanation:
    with stages.timed("decode"):
        decoded = engine.decode(content)
    return explain(engine.model, decoded, stages)


@router.get("/model", summary="About the model", responses=documented(BAD_PARAMETER, NOT_READY))
@allows("read")
def about_model(service: CurrentState) -> ModelReply:
    """The facts of the model that turns photos into descriptors."""
    card = service.engine.model.card
    return ModelReply(
        id=card.id,
        title=card.title,
        family=card.family,
        backbone=card.backbone,
        dims=card.dims,
        **card.in_0_1_words,
        photo_side=2 * max(card.preprocessing.width, card.preprocessing.height),
        whitened=card.whitened,
        licence=card.licence,
        fitted=card.fitted_in_words,
    )
