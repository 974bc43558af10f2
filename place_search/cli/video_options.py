"""Options of the commands that take frames of a video into an index."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from place_search.core.progress import Progress
    from place_search.indexer import VideoRequest

Gpx = Annotated[
    Path | None,
    typer.Option("--gpx", metavar="FILE", help="Where the camera of a video was, by its times."),
]
Every = Annotated[
    str | None,
    typer.Option(
        "--every", metavar="METRES", help="A frame of a video every 2m, say, along its --gpx."
    ),
]
Fps = Annotated[
    float | None,
    typer.Option("--fps", metavar="N", help="Frames a second of a video (default: 2)."),
]
VideoStart = Annotated[
    str | None,
    typer.Option(
        "--video-start",
        metavar="TIME",
        help="When a video starts, as 2026-05-01T10:00:00+02:00 (default: as it says itself).",
    ),
]


def video_request(
    index: Path,
    gpx: Path | None,
    every: str | None,
    fps: float | None,
    start: str | None,
    progress: "Progress",
) -> "VideoRequest":
    """What is asked of a video for an index; frames are kept beside it.

    Raises:
        SourceError: wishes that contradict each other.
    """
    from place_search.indexer import VideoRequest
    from place_search.indexer.sources.gpx import parse_time

    time = None if start is None else parse_time(start)
    if start is not None and time is None:
        raise typer.BadParameter(
            f"--video-start '{start}' is no time; write it as 2026-05-01T10:00:00+02:00."
        )
    metres = None if every is None else re.fullmatch(r"(\d{1,6}(?:\.\d+)?) ?m?", every.strip())
    if every is not None and metres is None:
        raise typer.BadParameter(f"--every '{every}' is no distance in metres; write it as 2m.")
    return VideoRequest(
        index,
        gpx=gpx,
        every_m=None if metres is None else float(metres[1]),
        fps=fps,
        start=time,
        progress=progress,
    )
