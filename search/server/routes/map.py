"""GET /v1/places?bbox=: the places of a box of the map."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse

from place_search.search.server.content.map_dots import cluster_places, parse_box
from place_search.search.server.fields import CHECKED_FIELDS
from place_search.search.server.problems import BAD_PARAMETER, NOT_READY, documented
from place_search.search.server.roles import allows
from place_search.search.server.schemas import DotsReply
from place_search.search.server.state import CurrentState

router = APIRouter(prefix="/v1", tags=["places"], dependencies=[CHECKED_FIELDS])


class GeoJsonResponse(JSONResponse):
    """GeoJSON (RFC 7946)."""

    media_type = "application/geo+json"


@router.get(
    "/places",
    summary="The places of a box of the map",
    response_class=GeoJsonResponse,
    response_model=DotsReply,
    responses=documented(BAD_PARAMETER, NOT_READY),
)
@allows("read")
def places_in_box(
    service: CurrentState,
    bbox: Annotated[
        str,
        Query(
            description="west,south,east,north in degrees; west > east crosses the date line.",
            examples=["11.4,48.1,11.7,48.2"],
        ),
    ],
    limit: Annotated[
        int,
        Query(ge=1, le=20000, description="Dots at most; beyond, each stands for several."),
    ] = 4000,
) -> GeoJsonResponse:
    """Places with a position in the box, as points; where they are many, one for each area."""
    box = parse_box(bbox)
    index = service.engine.index
    rows, counts = cluster_places(index.positions, box, limit)
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
