"""A client of a place-search server; it needs nothing but httpx.

with Client("http://127.0.0.1:8000") as client:
    for place in client.search("photo.jpg", k=3).results:
        print(place.rank, place.name, place.similarity)
"""

from place_search_client.client import AsyncClient, AsyncTrack, Client, Track
from place_search_client.errors import ProblemError
from place_search_client.replies import (
    AddedPhoto,
    AddedPhotos,
    Comparison,
    Explanation,
    Facing,
    Group,
    IndexInfo,
    ListedPlace,
    LocatedFrame,
    Location,
    Match,
    ModelInfo,
    PlaceDetails,
    PlaceGroup,
    PlaceInfo,
    PointOnEarth,
    QueryInfo,
    Result,
    SearchResult,
    ServedIndex,
    SimilarPlaces,
    TrackInfo,
    UtmPoint,
    Verified,
)

__all__ = [
    "AddedPhoto",
    "AddedPhotos",
    "AsyncClient",
    "AsyncTrack",
    "Client",
    "Comparison",
    "Explanation",
    "Facing",
    "Group",
    "IndexInfo",
    "ListedPlace",
    "LocatedFrame",
    "Location",
    "Match",
    "ModelInfo",
    "PlaceDetails",
    "PlaceGroup",
    "PlaceInfo",
    "PointOnEarth",
    "ProblemError",
    "QueryInfo",
    "Result",
    "SearchResult",
    "ServedIndex",
    "SimilarPlaces",
    "Track",
    "TrackInfo",
    "UtmPoint",
    "Verified",
]
