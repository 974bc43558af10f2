"""Is the process alive, is it ready, and what do its problem types mean?"""

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from place_search.search.reasons import REASONS
from place_search.search.server.content.schemas import LiveReply, ReadyReply
from place_search.search.server.metrics import MEDIA_TYPE as METRICS_TYPE
from place_search.search.server.problems import (
    FORBIDDEN,
    NOT_READY,
    PROBLEMS,
    documented,
    problem_response,
)
from place_search.search.server.roles import allows
from place_search.search.server.served import CurrentState

REFUSED = "A newer version of the index cannot be opened; the log says why."
DAMAGED = "A file of the index is damaged, and some searches fail; the log says which."

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Is the process alive?")
@allows("open")
async def live() -> LiveReply:
    """The answer comes at once, even while the index is loading."""
    return LiveReply()


@router.get(
    "/readyz",
    summary="Can it search?",
    responses=documented(NOT_READY),
    response_model_exclude_none=True,
)
@allows("open")
async def ready(service: CurrentState, request: Request) -> ReadyReply:
    """503 until the index and the model are loaded.

    On a server with keys, a client that may not read the index gets the `status` only.
    """
    index = service.engine.index
    if not request.scope["may_read"]:
        return ReadyReply()
    refused = REFUSED if index.folder.is_dir() else REASONS["index-removed"]
    # The reason is for the log alone: it names files, and this route is open to everybody.
    return ReadyReply(
        index_id=index.index_id,
        model=index.model_id,
        places=index.count,
        refused=None if service.refused is None else refused,
        damaged=DAMAGED if service.damage else None,
    )


@router.get("/metrics", include_in_schema=False)
@allows("read")
async def metrics(service: CurrentState, request: Request) -> Response:
    """Counters of all indexes for Prometheus; a key for a single index may not read them."""
    if request.scope["only_index"]:
        return problem_response(
            FORBIDDEN, "The metrics tell of all indexes; ask with a key that is not for one alone."
        )
    return Response(service.metrics.text(), media_type=METRICS_TYPE)


@router.get("/problems/{name}", include_in_schema=False)
@allows("open")
async def problem_type(name: str) -> dict[str, str | int]:
    """The kind of problem that a `type` refers to."""
    if name not in PROBLEMS:
        raise HTTPException(404)
    problem = PROBLEMS[name]
    return {"type": problem.type, "status": problem.status, "title": problem.title}
