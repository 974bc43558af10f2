"""Positions of photos from a GPX track, by their capture times."""

from dataclasses import replace

from place_search.indexer.errors import SourceError
from place_search.indexer.pipeline import stored_path
from place_search.indexer.sources.gpx import GpxTrack, time_in_words
from place_search.indexer.sources.photo_list import PhotoList, Source
from place_search.photos import read_clock


def place_by_gpx(source: Source, track: GpxTrack, clock_offset_s: float = 0.0) -> Source:
    """The photos of a source, each with the position of the track at its capture time.

    The camera's clock was `clock_offset_s` seconds ahead of UTC, the clock of the track: for most
    cameras that is their time zone. It does not apply to photos that name their zone. Photos get
    the capture time in UTC. Photos without a time, or with a time outside of the track, keep their
    position.

    Raises:
        SourceError: no photo was taken while the track was recorded.
    """
    photos = PhotoList(source.root)
    times: list[float] = []
    placed = untimed = 0
    zoneless = ""
    for photo in source.photos:
        if photo.taken is not None:
            taken: float | None = photo.taken - clock_offset_s
        elif (clock := read_clock(photo.path)) is None:
            taken = None
        elif clock.names_zone:
            taken = clock.seconds
        else:
            taken = clock.seconds - clock_offset_s
            zoneless = zoneless or photo.name
        position, utm = photo.position, photo.utm
        if taken is None:
            untimed += 1
        else:
            times.append(taken)
            if (track_position := track.at(taken)) is not None:
                placed += 1
                position, utm = track_position, None
        path = stored_path(photo.path, source.root)
        photos.append_as(path, photo, position=position, utm=utm, taken=taken)
    if not placed:
        raise SourceError(_unplaced_reason(source, track, times))
    warnings = [*source.warnings, *track.warnings]
    if zoneless and not clock_offset_s:
        warnings.append(
            f"Photos such as {zoneless} name no time zone, so their times are taken for UTC; if "
            "the camera's clock was on another, their positions are wrong: say with --clock-offset "
            "how far it was ahead of UTC, as +02:00."
        )
    if unplaced := len(photos) - placed:
        warnings.append(
            f"{unplaced} of the {len(photos)} photos have no position by {track.path.name}: "
            f"{untimed} say no time, and {unplaced - untimed} were taken when it has no points; it "
            f"goes from {track.span}."
        )
    return replace(source, photos=photos, warnings=tuple(warnings), centres=None)


def _unplaced_reason(source: Source, track: GpxTrack, times: list[float]) -> str:
    if not times:
        return (
            f"None of the photos in {source.root} says when it was taken, so {track.path} cannot "
            "place them; give a CSV with the columns path and time."
        )
    return (
        f"{track.path} goes from {track.span}, but the photos in {source.root} were taken from "
        f"{time_in_words(min(times))} to {time_in_words(max(times))}; name the track of that time, "
        "or say with --clock-offset how far the camera's clock was ahead of UTC, as +02:00."
    )
