"""A client of a place-search server; it needs nothing but httpx.

with Client("http://127.0.0.1:8000") as client:
    for place in client.search("photo.jpg", k=3).results:
        print(place.rank, place.name, place.similarity)
"""

from place_search_client.client import AsyncClient, AsyncTrack, Client, Track
from place_search_client.errors import ProblemError
from place_search_client.photos import Photo
from place_search_client.place_methods import GroupChange, Listing, PlaceChange
from place_search_client.queries import Filters
from place_search_client.replies import (
    AddedPhoto,
    AddedPhotos,
    AddedPlace,
    Comparison,
    Explanation,
    Facing,
    Grid,
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
    Size,
    Skipped,
    SkippedPhoto,
    Spot,
    TrackInfo,
    UtmPoint,
    Verified,
)

__all__ = [
    "AddedPhoto",
    "AddedPhotos",
    "AddedPlace",
    "AsyncClient",
    "AsyncTrack",
    "Client",
    "Comparison",
    "Explanation",
    "Facing",
    "Filters",
    "Grid",
    "Group",
    "GroupChange",
    "IndexInfo",
    "ListedPlace",
    "Listing",
    "LocatedFrame",
    "Location",
    "Match",
    "ModelInfo",
    "Photo",
    "PlaceChange",
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
    "Size",
    "Skipped",
    "SkippedPhoto",
    "Spot",
    "Track",
    "TrackInfo",
    "UtmPoint",
    "Verified",
]
