"""A video as a source: frames of it, kept as JPEGs beside the index, placed by a GPX track."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from place_search.core.files import PART, open_regular, read_regular, write_whole
from place_search.indexer.errors import IndexWriteError, SourceError
from place_search.indexer.sources.gpx import GpxTrack, in_utc, in_words
from place_search.indexer.sources.photo_list import PhotoList, Source
from place_search.indexer.sources.video_request import VideoRequest
from place_search.indexer.storage.commit import check_folder
from place_search.photos import encode_jpeg
from place_search.photos.video import FPS, Sampling, Video, is_video

ACCEPTS = "a video"
MARK = ".frames.json"
"""Says of a folder which frames of which video are in it; hidden, so that no listing has it."""
QUALITY = 92
_ENDS = 1 << 20


def reads(data: Path) -> bool:
    """Whether this is a video, by its ending."""
    return is_video(data) and data.is_file()


def extract(data: Path, video: VideoRequest | None) -> Source:
    """The frames of a video in their order; those that are kept already are not taken again.

    Raises:
        SourceError: nothing says where to keep frames, or the track is not that of the video.
        VideoError: the video cannot be read.
        IndexWriteError: the frames or the index cannot be written.
    """
    if video is None:
        raise SourceError(
            f"{data} is a video, whose frames only `index`, `add`, `sync` and `track` take; name a "
            "folder of photos."
        )
    check_folder(video.index)
    sampling = Sampling(fps=video.fps or FPS)
    opened = Video(data, sampling)
    track = None if video.gpx is None else _Timed(opened, GpxTrack(video.gpx), video)
    if track is not None and video.every_m is not None:
        opened = Video(data, track.every(video.every_m))
    kept = _folder(video.folder, opened)
    if not kept.is_whole:
        try:
            _take(opened, kept, video)
        except OSError as error:
            raise IndexWriteError(
                f"Frames cannot be kept in {kept.path} ({error.strerror}); mend that, and the same "
                "command goes on."
            ) from error
    photos = PhotoList(video.folder)
    places = [None if track is None else track.place(seconds) for seconds in kept.seconds]
    for number, place in enumerate(places):
        photos.append(f"{kept.path.name}/{_name(number)}", position=place)
    warnings = list(kept.notes)
    if track is not None:
        warnings += track.warnings
        if missing := places.count(None):
            warnings.append(
                f"{missing} of the {len(places)} frames of {data.name} have no position: the video "
                f"starts at {in_words(track.start)}, and {track.gpx.path.name} goes from "
                f"{track.gpx.span}."
            )
    return Source(video.folder, photos, "video", warnings=tuple(warnings))


class _Timed:
    """A GPX track on the clock of a video: `start` is the time of the first frame."""

    def __init__(self, video: Video, gpx: GpxTrack, request: VideoRequest) -> None:
        self.gpx = gpx
        self.warnings = list(gpx.warnings)
        first, last = float(gpx.times[0]), float(gpx.times[-1])
        recorded = request.start or video.recorded
        if request.start is None and last < 366 * 86_400:
            self.start = 0.0  # A track by the seconds of a video, as `place-search track` writes.
        elif recorded is not None:
            self.start = in_utc(recorded).timestamp()
        else:
            self.start = first
            self.warnings.append(
                f"{video.path.name} does not say when it was recorded, so it is taken to start "
                f"with {gpx.path.name} at {in_words(first)}; --video-start says otherwise."
            )
        if self.start > last or (video.seconds and self.start + video.seconds < first):
            whence = "as was said" if request.start else "by its metadata"
            raise SourceError(
                f"{gpx.path} goes from {gpx.span}, but {video.path.name} starts at "
                f"{in_words(self.start)} {whence}; name the track of that time, or say "
                "with --video-start when the video starts, where the camera's clock or zone was "
                "wrong."
            )

    def place(self, seconds: float) -> Any:
        """The position at a time of the video, None where it is not known."""
        return self.gpx.at(self.start + seconds)

    def every(self, metres: float) -> Sampling:
        """The frames at each so many metres along the track."""
        seconds = self.gpx.times_every(metres) - self.start
        return Sampling(times=tuple(round(float(at), 3) for at in seconds if at >= 0) or (0.0,))


@dataclass(slots=True)
class _Kept:
    """A folder of frames: the times of those that were taken, once all were."""

    path: Path
    identity: str
    seconds: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    whole: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all frames were taken and are still there."""
        return self.whole and all(
            (self.path / _name(number)).is_file() for number in range(len(self.seconds))
        )

    def write_mark(self) -> None:
        """Say in the folder what is in it."""
        told = {"video_frames": self.identity, "seconds": self.seconds, "notes": self.notes}
        write_whole(self.path / MARK, json.dumps({**told, "whole": self.whole}).encode())


def _name(number: int) -> str:
    return f"frame_{number:06d}.jpg"


def _folder(root: Path, video: Video) -> _Kept:
    """The folder for these frames of this video: its own, or one that is not there yet.

    Another video of the same name, or other frames of it, have a folder with a number.
    """
    identity = _identity(video)
    number = 1
    while True:
        name = video.path.stem + (f" {number}" if number > 1 else "")
        kept = _Kept(root / name, identity)
        told = _mark(kept.path)
        if told.get("video_frames") == identity:
            kept.seconds, kept.notes, kept.whole = told["seconds"], told["notes"], told["whole"]
            return kept
        if not kept.path.exists():
            return kept
        if not told and (not kept.path.is_dir() or _holds_files(kept.path)):
            raise SourceError(
                f"{kept.path} holds other files, where frames of {video.path.name} would be kept; "
                "move it away, or write the index elsewhere."
            )
        if not told:
            return kept
        number += 1


def _holds_files(folder: Path) -> bool:
    return any(entry.name != MARK + PART for entry in folder.iterdir())


def _mark(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads(read_regular(folder / MARK))
    except (OSError, ValueError):
        return {}
    keys = {"video_frames", "seconds", "notes", "whole"}
    return told if isinstance(told, dict) and keys <= told.keys() else {}


def _identity(video: Video) -> str:
    """What changes with the video or with the frames that are taken of it."""
    with open_regular(video.path) as stream:
        size = stream.seek(0, 2)
        found = hashlib.sha256(f"{size} {video.sampling}".encode())
        for start in (0, max(size - _ENDS, 0)):
            stream.seek(start)
            found.update(stream.read(_ENDS))
    return found.hexdigest()


def _take(video: Video, kept: _Kept, request: VideoRequest) -> None:
    """Write the frames that are not there yet."""
    kept.path.mkdir(parents=True, exist_ok=True)
    kept.seconds, kept.whole = [], False
    kept.write_mark()
    for number, frame in enumerate(video.frames()):
        request.progress("Taking frames", number, max(video.expected, number + 1))
        path = kept.path / _name(number)
        if not path.is_file():
            size = frame.photo.width, frame.photo.height
            write_whole(path, encode_jpeg(frame.photo.pixels, size, quality=QUALITY))
        kept.seconds.append(round(frame.seconds, 3))
    request.progress("Taking frames", len(kept.seconds), len(kept.seconds))
    kept.notes, kept.whole = list(video.notes), True
    kept.write_mark()
