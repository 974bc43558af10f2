"""GET /v1/places: all places page by page, or those of a box of the map."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse

from place_search.indexer import Index
from place_search.indexer.filters import SORTS
from place_search.search.errors import ParameterError
from place_search.search.results import listed_dict
from place_search.search.server.content.fields import CHECKED_FIELDS, FilterFields
from place_search.search.server.content.listing import MAX_PAGE, list_places
from place_search.search.server.content.map_dots import cluster_places, parse_box
from place_search.search.server.content.place_schemas import PlacesReply
from place_search.search.server.problems import BAD_PARAMETER, NOT_READY, documented
from place_search.search.server.roles import allows
from place_search.search.server.served import CurrentState, served_of

router = APIRouter(prefix="/v1", tags=["places"], dependencies=[CHECKED_FIELDS])

MAX_DOTS = 20000
DOTS, PAGE = 4000, 100


class GeoJsonResponse(JSONResponse):
    """GeoJSON (RFC 7946)."""

    media_type = "application/geo+json"


@router.get(
    "/places",
    summary="The places of the index, or of a box of the map",
    response_model=PlacesReply,
    responses={
        200: {
            "description": "A page of places; with bbox, dots on a map.",
            "content": {
                "application/geo+json": {"schema": {"$ref": "#/components/schemas/DotsReply"}}
            },
        },
        **documented(BAD_PARAMETER, NOT_READY),
    },
)
@allows("read")
async def list_or_map_places(
    service: CurrentState,
    request: Request,
    filters: FilterFields,
    bbox: Annotated[
        str | None,
        Query(
            description="west,south,east,north in degrees; west > east crosses the date line. "
            "Gives GeoJSON: dots on a map.",
            examples=["11.4,48.1,11.7,48.2"],
        ),
    ] = None,
    limit: Annotated[
        int | None,
        Query(
            ge=1,
            le=MAX_DOTS,
            description="Places of a page, at most 1000 (default: 100); or dots at most (default: "
            "4000), of which each then stands for several places.",
        ),
    ] = None,
    cursor: Annotated[
        str | None, Query(description="next_cursor of the page before; the rest as there.")
    ] = None,
    sort: Annotated[str, Query(description=f"One of {', '.join(SORTS)}.")] = "id",
    spots: Annotated[
        bool, Query(description="Of each group of photos that show one spot the first alone.")
    ] = False,
    q: Annotated[
        str | None,
        Query(max_length=200, description="A text in name, note, a tag or the name of its group."),
    ] = None,
) -> Response:
    """Places page by page; with `bbox` the places with a position in the box, as points.

    A cursor stays valid when places are added or removed.
    """
    index = service.engine.index

    def listed() -> Response:
        place_filter = filters.of(index, q=q)
        if bbox is not None:
            if cursor is not None or place_filter or spots or sort != "id":
                raise ParameterError(
                    "The parameter bbox goes with limit only; leave out the others, or bbox.",
                    "bbox",
                )
            return dots_response(index, bbox, limit or DOTS)
        if limit is not None and limit > MAX_PAGE:
            raise ParameterError(
                f"The parameter limit is at most {MAX_PAGE} without bbox.", "limit"
            )
        page = list_places(
            index,
            place_filter,
            served=served_of(request).name,
            sort=sort,
            spots=spots,
            limit=limit or PAGE,
            cursor=cursor,
        )
        content = {
            "index_id": index.index_id,
            "total": page.total,
            "places": [listed_dict(place, index) for place in page.places],
            "next_cursor": page.next_cursor,
            "changed": page.changed,
        }
        reply = PlacesReply.model_validate(content, context=request.scope["root_path"])
        return Response(reply.model_dump_json(), media_type="application/json")

    # A text or a box is compared with every place, which may take as long as a search.
    return await service.run_small(request, listed)


def dots_response(index: Index, bbox: str, limit: int) -> GeoJsonResponse:
    """Places with a position in the box, as points; many places become a point for each area."""
    rows, counts = cluster_places(index.positions, parse_box(bbox), limit)
    # Thousands of models would take ten times as long as these dictionaries.
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Point",
                "coordinates": [round(longitude, 7), round(latitude, 7)],
            },
            "properties": {"place_id": place_id, "name": name, "count": count},
        }
        for (latitude, longitude), place_id, name, count in zip(
            index.positions[rows].tolist(),
            index.place_ids[rows].tolist(),
            index.names(rows),
            counts.tolist(),
            strict=True,
        )
    ]
    content = {"type": "FeatureCollection", "places": int(counts.sum()), "features": features}
    return GeoJsonResponse(content)
