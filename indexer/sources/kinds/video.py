"""A video as a source: frames of it, kept as JPEGs beside the index, placed by a GPX track."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from place_search.core.files import PART, open_regular, read_regular, write_whole
from place_search.core.text import parse_json
from place_search.indexer.errors import IndexWriteError, SourceError, VideoOptionError
from place_search.indexer.sources.gpx import GpxTrack, in_utc, time_in_words
from place_search.indexer.sources.kept_frames import MARK, frame_name
from place_search.indexer.sources.photo_list import PhotoList, Source
from place_search.indexer.sources.video_request import VideoRequest
from place_search.indexer.storage.added_folders import Adding
from place_search.indexer.storage.commit import check_folder
from place_search.photos import encode_jpeg
from place_search.photos.video import FPS, Sampling, Video, is_video

ACCEPTS = "a video"
QUALITY = 92
_ENDS = 1 << 20


def reads(data: Path) -> bool:
    """Whether this is a video, by its ending."""
    return is_video(data) and data.is_file()


def extract(data: Path, video: VideoRequest | None) -> Source:
    """The frames of a video in their order; frames that are kept already are not taken again.

    Raises:
        SourceError: no folder for frames is given, or the track is not that of the video.
        VideoError: the video cannot be read.
        IndexWriteError: the frames or the index cannot be written.
    """
    if video is None:
        raise SourceError(
            f"{data} is a video, whose frames only `index`, `add`, `sync` and `track` take; name a "
            "folder of photos."
        )
    if video.clock_offset_s:
        raise VideoOptionError(
            f"{data} is a video, which has no clock of photos; say with --video-start when it "
            "starts, and leave out --clock-offset.",
            "clock_offset",
        )
    check_folder(video.index)
    sampling = Sampling(fps=video.fps or FPS)
    opened = Video(data, sampling)
    track = None if video.gpx is None else _VideoTrack(opened, GpxTrack(video.gpx), video)
    if track is not None and video.every_m is not None:
        opened = Video(data, track.every(video.every_m))
    try:
        adding = Adding(video.folder)
        frames = _find_folder(video.folder, opened)
        if not frames.is_whole:
            adding.note(frames.path.name)
            _write_frames(opened, frames, video)
    except OSError as error:
        raise IndexWriteError(
            f"Frames cannot be kept in {video.folder} ({error.strerror}); mend that, and the same "
            "command goes on."
        ) from error
    photos = PhotoList(video.folder)
    positions = [None if track is None else track.place(seconds) for seconds in frames.seconds]
    for number, position in enumerate(positions):
        photos.append(f"{frames.path.name}/{frame_name(number)}", position=position)
    warnings = list(frames.notes)
    if track is not None:
        warnings += track.warnings
        missing = positions.count(None)
        if missing == len(positions):
            raise track.refusal()
        if missing:
            warnings.append(
                f"{missing} of the {len(positions)} frames of {data.name} have no position: the "
                f"video starts at {time_in_words(track.start)}, and {track.gpx.path.name} goes "
                f"from {track.gpx.span}."
            )
    return Source(video.folder, photos, "video", warnings=tuple(warnings), adding=(adding,))


class _VideoTrack:
    """A GPX track on the clock of a video: `start` is the time of the first frame."""

    def __init__(self, video: Video, gpx: GpxTrack, request: VideoRequest) -> None:
        self.gpx = gpx
        self._video_name = video.path.name
        self._origin = "as was said" if request.start else "by its metadata"
        self.warnings = list(gpx.warnings)
        first, last = float(gpx.times[0]), float(gpx.times[-1])
        recorded = request.start or video.recorded
        if request.start is None and last < 366 * 86_400:
            # The track's times are seconds of the video, as `place-search track` writes.
            self.start = 0.0
        elif recorded is not None:
            self.start = in_utc(recorded).timestamp()
        else:
            self.start = first
            self.warnings.append(
                f"{video.path.name} does not say when it was recorded, so it is taken to start "
                f"with {gpx.path.name} at {time_in_words(first)}; --video-start says otherwise."
            )
        if self.start > last or self.start + video.longest < first:
            raise self.refusal()

    def refusal(self) -> SourceError:
        """The error to raise where the track has no position for any frame."""
        return SourceError(
            f"{self.gpx.path} goes from {self.gpx.span}, but {self._video_name} starts at "
            f"{time_in_words(self.start)} {self._origin}; name the track of that time, or say with "
            "--video-start when the video starts, where the camera's clock or zone was wrong."
        )

    def place(self, seconds: float) -> Any:
        """The position at a time of the video; None where it is unknown."""
        return self.gpx.at(self.start + seconds)

    def every(self, metres: float) -> Sampling:
        """A sampling with a frame every `metres` metres along the track."""
        seconds = self.gpx.times_every(metres) - self.start
        return Sampling(times=tuple(round(float(at), 3) for at in seconds if at >= 0) or (0.0,))


@dataclass(slots=True)
class _FrameFolder:
    """A folder of frames: their times, and whether the folder is `whole`."""

    path: Path
    identity: str
    seconds: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    whole: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all frames were written and still exist."""
        return self.whole and all(
            (self.path / frame_name(number)).is_file() for number in range(len(self.seconds))
        )

    def write_mark(self) -> None:
        """Write the mark: the folder's video, frames and notes."""
        mark = {"video_frames": self.identity, "seconds": self.seconds, "notes": self.notes}
        write_whole(self.path / MARK, json.dumps({**mark, "whole": self.whole}).encode())


def _find_folder(root: Path, video: Video) -> _FrameFolder:
    """The folder for these frames of this video, which may not exist yet.

    Another video of the same name, or other frames of this video, have a numbered folder.
    """
    identity = _identity(video)
    number = 1
    while True:
        name = video.path.stem + (f" {number}" if number > 1 else "")
        frames = _FrameFolder(root / name, identity)
        mark = _read_mark(frames.path)
        if mark.get("video_frames") == identity:
            frames.seconds, frames.notes, frames.whole = (
                mark["seconds"],
                mark["notes"],
                mark["whole"],
            )
            return frames
        if not frames.path.exists():
            return frames
        if not mark and (not frames.path.is_dir() or _holds_files(frames.path)):
            raise SourceError(
                f"{frames.path} holds other files, where frames of {video.path.name} would be "
                "kept; move it away, or write the index elsewhere."
            )
        if not mark:
            return frames
        number += 1


def _holds_files(folder: Path) -> bool:
    return any(entry.name != MARK + PART for entry in folder.iterdir())


def _read_mark(folder: Path) -> dict[str, Any]:
    try:
        mark = parse_json(read_regular(folder / MARK))
    except (OSError, ValueError):
        return {}
    keys = {"video_frames", "seconds", "notes", "whole"}
    return mark if isinstance(mark, dict) and keys <= mark.keys() else {}


def _identity(video: Video) -> str:
    """A hash of the video and of the sampling of its frames."""
    with open_regular(video.path) as stream:
        size = stream.seek(0, 2)
        digest = hashlib.sha256(f"{size} {video.sampling}".encode())
        for start in (0, max(size - _ENDS, 0)):
            stream.seek(start)
            digest.update(stream.read(_ENDS))
    return digest.hexdigest()


def _write_frames(video: Video, frames: _FrameFolder, request: VideoRequest) -> None:
    """Write the frames that do not exist yet."""
    frames.path.mkdir(exist_ok=True)
    frames.seconds, frames.whole = [], False
    frames.write_mark()
    for number, frame in enumerate(video.frames()):
        request.progress("Taking frames", number, max(video.expected, number + 1))
        path = frames.path / frame_name(number)
        if not path.is_file():
            size = frame.photo.width, frame.photo.height
            write_whole(path, encode_jpeg(frame.photo.pixels, size, quality=QUALITY))
        frames.seconds.append(round(frame.seconds, 3))
    request.progress("Taking frames", len(frames.seconds), len(frames.seconds))
    frames.notes, frames.whole = list(video.notes), True
    frames.write_mark()
