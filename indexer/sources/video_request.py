"""The options for frames of a video, positions of a track, and panoramas."""

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from place_search.core.errors import WrongParameterError
from place_search.core.progress import Progress, silent
from place_search.core.tables import require_number
from place_search.indexer.errors import VideoOptionError
from place_search.indexer.sources.gpx import parse_time
from place_search.indexer.sources.kept_frames import frames_folder
from place_search.photos.video import require_sampling

Panoramas: TypeAlias = Literal["auto", "2:1", "off"]


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """The frames of a video as photos for `index`, kept as JPEGs in the folder beside it.

    `fps` frames a second are taken, or a frame every `every_m` metres along the track of `gpx`.
    `start` is the time of the first frame, with its time zone; by default that of the video's
    metadata. `gpx` gives positions to photos too, by their capture times; the clock of their camera
    was `clock_offset_s` seconds ahead of UTC. 360° `panoramas` are cut into views, which are kept
    beside the index: those with metadata, or with "2:1" all photos and frames of that shape. `root`
    is the folder to which the paths of panoramas are relative, by default the source's.
    """

    index: Path
    gpx: Path | None = None
    every_m: float | None = None
    fps: float | None = None
    start: datetime | None = None
    clock_offset_s: float = 0.0
    panoramas: Panoramas = "auto"
    root: Path | None = None
    progress: Progress = silent

    def __post_init__(self) -> None:
        """Raises WrongParameterError where options contradict each other or make no sense."""
        if self.panoramas not in get_args(Panoramas):
            raise VideoOptionError(
                f"Panoramas can be cut by {', '.join(get_args(Panoramas))}, not by "
                f"'{self.panoramas}'.",
                "panoramas",
            )
        if self.every_m is not None and self.fps is not None:
            raise VideoOptionError(
                "Give frames by metres or by fps: both say which frames are taken.", "every", "fps"
            )
        if self.every_m is not None and self.gpx is None:
            raise VideoOptionError(
                "Frames by metres (--every) need the track of the camera; name its GPX file "
                "(--gpx), or take frames by time (--fps).",
                "every",
                "gpx",
            )
        if self.every_m is not None:
            require_number("every_m", self.every_m, 0.1, 100_000)
        require_sampling(None, self.fps)
        require_number("clock_offset_s", self.clock_offset_s, -math.inf)
        if self.clock_offset_s and self.gpx is None:
            raise VideoOptionError(
                "What the camera's clock says counts only with a GPX file.", "clock_offset", "gpx"
            )
        if self.start is not None and self.gpx is None:
            raise VideoOptionError(
                "When a video starts counts only with the GPX file of its track.",
                "video_start",
                "gpx",
            )
        if self.start is not None and self.start.tzinfo is None:
            raise VideoOptionError(
                f"The video's start {self.start.isoformat()} has no time zone; write it as "
                f"{self.start.isoformat()}Z for UTC, or with the difference, as +02:00.",
                "video_start",
            )

    @property
    def folder(self) -> Path:
        """The folder of the frames, with a folder for each video."""
        return frames_folder(self.index)

    @property
    def is_for_video(self) -> bool:
        """Whether an option is set that applies to videos only."""
        return any(option is not None for option in (self.every_m, self.fps, self.start))


def start_of(start: datetime | str | None) -> datetime | None:
    """The start of a video, from a time or its text in ISO 8601; None where it is not given.

    Raises:
        WrongParameterError: `start` is no time.
    """
    time = parse_time(start) if isinstance(start, str) else start
    if isinstance(time, datetime) or start is None:
        return time
    raise WrongParameterError(
        f"The video's start {str(start)!r:.40} is no time; write it as 2026-05-01T10:00:00+02:00.",
        "video_start",
    )
