"""GET /v1/indexes: the indexes of the server."""

from collections.abc import Mapping

from fastapi import APIRouter, Request

from place_search.search.server.content.fields import CHECKED_FIELDS
from place_search.search.server.content.schemas import IndexesReply, ServedIndexReply
from place_search.search.server.problems import BAD_PARAMETER, documented
from place_search.search.server.roles import allows
from place_search.search.server.served import ServedIndex

router = APIRouter(prefix="/v1", tags=["places"], dependencies=[CHECKED_FIELDS])


@router.get("/indexes", summary="The server's indexes", responses=documented(BAD_PARAMETER))
@allows("read")
def list_indexes(request: Request) -> IndexesReply:
    """The indexes that the client may read; all of /v1 is also below `/v1/indexes/NAME` for each.

    Addresses without a name lead to the first index.
    """
    indexes: Mapping[str, ServedIndex] = request.app.state.indexes
    scope = request.scope
    return IndexesReply(
        indexes=[
            _index_reply(served, scope["may_write"] and scope["key_index"] in ("", served.name))
            for served in indexes.values()
            if scope["only_index"] in ("", served.name)
        ]
    )


def _index_reply(served: ServedIndex, may_write: bool) -> ServedIndexReply:
    index = None if served.service.loaded is None else served.service.loaded.index
    fixed = served.writer is None or served.status == "removed"
    return ServedIndexReply(
        name=served.name,
        status=served.status,
        index_id=None if index is None else index.index_id,
        places=None if index is None else index.count,
        model=None if index is None else index.model_id,
        changes="never" if fixed else "allowed" if may_write else "needs_key",
    )
