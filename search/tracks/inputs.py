"""The frames of a track: photos of a folder or a list, in their order, or a video."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from place_search.core.files import size_and_time
from place_search.indexer import PlacePhoto, SourceError
from place_search.indexer.sources.walk import is_list
from place_search.models import Model
from place_search.photos import Photo, PhotoError, read_capture_time
from place_search.photos.video import Sampling, Video, is_video
from place_search.search.folders.query_photos import open_queries
from place_search.search.tracks.routes import Routes, find_routes
from place_search.search.tracks.smoothing import SequenceBreak, sequence_breaks


class Frame(NamedTuple):
    """A frame of an input: `photo` is None where it cannot be read, and `error` says why."""

    name: str
    seconds: float | None
    break_before: SequenceBreak
    photo: Photo | None
    error: str | None = None


class TrackInput(Protocol):
    """A source of frames."""

    @property
    def expected(self) -> int:
        """The approximate number of frames."""

    @property
    def notes(self) -> list[str]:
        """Sentences on peculiarities of the frames, such as their order."""

    @property
    def identity(self) -> str:
        """A text that changes when the frames may have changed."""

    def frames(self, model: Model, skipped: Set[int] = frozenset()) -> Iterator[Frame]:
        """All frames in their order; the photos of `skipped` frames are not read."""


@dataclass(slots=True)
class PhotoFrames:
    """Photos as the frames of tracks, one track for each sequence."""

    photos: Sequence[PlacePhoto]
    order: Sequence[int]
    breaks: Sequence[SequenceBreak]
    notes: list[str] = field(default_factory=list)

    @property
    def expected(self) -> int:
        """The number of photos."""
        return len(self.photos)

    @property
    def identity(self) -> str:
        """The paths of the photos with their sizes and times of change."""
        paths = [self.photos[at].path for at in self.order]
        return "\n".join(
            "\0".join(map(str, (path, *(size_and_time(path) or ())))) for path in paths
        )

    def frames(self, model: Model, skipped: Set[int] = frozenset()) -> Iterator[Frame]:
        """The photos, read as the model needs them."""
        for number, (at, break_before) in enumerate(zip(self.order, self.breaks, strict=True)):
            photo = self.photos[at]
            if number in skipped:
                yield Frame(photo.name, None, break_before, None)
                continue
            try:
                yield Frame(photo.name, None, break_before, model.read(photo.path))
            except PhotoError as error:
                yield Frame(photo.name, None, break_before, None, str(error))


@dataclass(slots=True)
class VideoFrames:
    """The frames of a video as one track."""

    video: Video

    @property
    def expected(self) -> int:
        """The approximate number of frames."""
        return self.video.expected

    @property
    def notes(self) -> list[str]:
        """Sentences on peculiarities of the video."""
        return self.video.notes

    @property
    def identity(self) -> str:
        """The file with its size and time of change, and the sampling of its frames."""
        status = self.video.path.stat()
        return f"{self.video.path}\0{status.st_size}\0{status.st_mtime_ns}\0{self.video.sampling}"

    def frames(self, model: Model, skipped: Set[int] = frozenset()) -> Iterator[Frame]:
        """The frames; skipped frames are decoded all the same, on the way to the others."""
        for at, (number, seconds, photo) in enumerate(self.video.frames()):
            break_before = SequenceBreak.NONE if at else SequenceBreak.NEW_FOLDER
            yield Frame(f"frame {number}", seconds, break_before, None if at in skipped else photo)


def open_input(path: Path, sampling: Sampling | None = None) -> PhotoFrames | VideoFrames:
    """The frames of a folder of photos, of a list of photos, or of a video.

    A list is a CSV file with a column `path`, or a text with a path a line. Photos whose names are
    numbered come in that order, each sequence as a track; others in the order of the list.

    Raises:
        SourceError: no photos in the folder, or a list that names photos that do not exist.
        VideoError: a video that cannot be read.
    """
    if is_video(path) and path.is_file():
        return VideoFrames(Video(path, sampling))
    if sampling is not None and sampling != Sampling():
        raise SourceError(f"{path} is no video, so frames a second make no sense; leave them out.")
    queries = open_queries(path)
    frames = _photo_frames(list(queries.photos), is_list(path))
    frames.notes.extend(queries.left_unread)
    return frames


def _photo_frames(photos: Sequence[PlacePhoto], listed: bool) -> PhotoFrames:
    routes = _routes(photos, [photo.taken for photo in photos])
    if len(photos) > 1 and not routes.is_ordered:
        routes = _routes(photos, [read_capture_time(photo.path) for photo in photos])
    if len(photos) > 1 and not routes.is_ordered:
        breaks = [SequenceBreak.NEW_FOLDER, *[SequenceBreak.NONE] * (len(photos) - 1)]
        note = (
            "Neither numbers in the photos' names nor times tell which follows which, so they are "
            "taken in the order given."
        )
        return PhotoFrames(photos, range(len(photos)), breaks, [note])
    order, breaks = sequence_breaks(routes)
    return PhotoFrames(photos, order.tolist(), breaks, _notes(routes, order.tolist(), listed))


def _routes(photos: Sequence[PlacePhoto], capture_times: Sequence[float | None]) -> Routes:
    return find_routes(
        [photo.name for photo in photos],
        sequences=[photo.sequence for photo in photos],
        capture_times=np.array(
            [np.nan if time is None else time for time in capture_times], np.float64
        ),
    )


def _notes(routes: Routes, order: list[int], listed: bool) -> list[str]:
    notes = []
    if listed and order != sorted(order):
        notes.append(
            "The list is not in the order of its photos' numbers or times; that order is taken."
        )
    if routes.sequences > 1:
        notes.append(f"The photos are of {routes.sequences} sequences, each a track of its own.")
    if (np.bincount(routes.sequence) == 1).all():
        notes.append("Each sequence has one frame only, so that nothing but itself says its place.")
    return notes
