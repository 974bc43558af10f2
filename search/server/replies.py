"""Places, hits and indexes as the replies show them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from place_search.core.geodesy import Position
from place_search.photos import Photo
from place_search.search.server.schemas import (
    IndexReply,
    LocationReply,
    PlaceReply,
    PositionReply,
    QueryReply,
    ResultReply,
    SkippedPhotoReply,
    SkippedReply,
    UtmReply,
    VerifiedReply,
)

if TYPE_CHECKING:
    from place_search.indexer import Hit, Index, Place
    from place_search.search.location import Location
    from place_search.search.verification import Verification

SKIPPED_SHOWN = 100


def place_reply(place: "Place", index_id: str) -> PlaceReply:
    """A place of the index with this id."""
    position, utm = place.position, place.utm
    return PlaceReply(
        place_id=place.place_id,
        name=place.name,
        position=_position(position),
        utm=None
        if utm is None
        else UtmReply(easting=utm.easting, northing=utm.northing, zone=utm.zone),
        image_url=f"/v1/places/{place.place_id}/image",
        thumbnail_url=f"/v1/places/{place.place_id}/thumbnail?v={index_id}",
    )


def result_reply(
    rank: int, hit: "Hit", place: "Place", index_id: str, verification: "Verification | None" = None
) -> ResultReply:
    """A place that was found; `rank` is 1 for the best."""
    # Rounding hides the last bits of float32, in which a photo's cosine with itself exceeds 1.
    similarity = min(round(float(hit.similarity), 6), 1.0)
    verified = None
    if verification is not None:
        verified = VerifiedReply(inliers=verification.inliers, score=round(verification.score, 3))
    return ResultReply(
        rank=rank, similarity=similarity, verified=verified, **dict(place_reply(place, index_id))
    )


def location_reply(location: "Location | None") -> LocationReply | None:
    """Where the photo was probably taken."""
    if location is None:
        return None
    latitude, longitude = location.position
    return LocationReply(
        latitude=round(latitude, 7),
        longitude=round(longitude, 7),
        radius_m=round(location.radius_m, 1),
    )


def query_reply(photo: Photo, notes: Sequence[str]) -> QueryReply:
    """The photo that was searched for."""
    return QueryReply(
        width=photo.width,
        height=photo.height,
        position=_position(photo.position),
        notes=list(notes),
    )


def index_reply(index: "Index", positions: int) -> IndexReply:
    """An index, of whose places so many have a position."""
    manifest = index.manifest
    shown = [
        SkippedPhotoReply(name=photo.name, reason=photo.reason)
        for photo in manifest.skipped[:SKIPPED_SHOWN]
    ]
    return IndexReply(
        index_id=index.index_id,
        model=index.model_id,
        fingerprint=index.fingerprint,
        precision=index.precision,
        places=index.count,
        positions=positions,
        dims=index.dims,
        created=manifest.created,
        format_version=manifest.to_json()["format_version"],
        skipped=SkippedReply(count=len(manifest.skipped), photos=shown),
    )


def _position(position: Position | None) -> PositionReply | None:
    if position is None:
        return None
    return PositionReply(latitude=position.latitude, longitude=position.longitude)
