"""A client of a place-search server; it needs nothing but httpx.

with Client("http://127.0.0.1:8000") as client:
    for place in client.search("photo.jpg", k=3).results:
        print(place.rank, place.name, place.similarity)
"""

from place_search_client.client import AsyncClient, AsyncTrack, Client, Track
from place_search_client.errors import ProblemError
from place_search_client.replies import (
    IndexInfo,
    LocatedFrame,
    Location,
    Match,
    PlaceInfo,
    PointOnEarth,
    QueryInfo,
    Result,
    SearchResult,
    TrackInfo,
    UtmPoint,
    Verified,
)

__all__ = [
    "AsyncClient",
    "AsyncTrack",
    "Client",
    "IndexInfo",
    "LocatedFrame",
    "Location",
    "Match",
    "PlaceInfo",
    "PointOnEarth",
    "ProblemError",
    "QueryInfo",
    "Result",
    "SearchResult",
    "Track",
    "TrackInfo",
    "UtmPoint",
    "Verified",
]
