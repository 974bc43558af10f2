"""Options of the commands that take frames of a video, or photos with a track, into an index."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

if TYPE_CHECKING:
    from place_search.core.progress import Progress
    from place_search.indexer import VideoRequest

Gpx = Annotated[
    Path | None,
    typer.Option(
        "--gpx", metavar="FILE", help="Where the camera was, by the times of photos or frames."
    ),
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

ClockOffset = Annotated[
    str | None,
    typer.Option(
        "--clock-offset",
        metavar="TIME",
        help="With --gpx: how far the clock of photos that name no time zone was ahead of UTC, as "
        "+02:00 or -00:01:30.",
    ),
]
Panoramas = Annotated[
    Literal["auto", "2:1", "off"],
    typer.Option(
        "--panoramas",
        help="Cut 360° panoramas into views: those whose metadata says so (auto), all photos and "
        "frames of 2:1 too, or none (off).",
    ),
]
VideoOptions: TypeAlias = tuple[
    Path | None, str | None, float | None, str | None, str | None, Literal["auto", "2:1", "off"]
]
"""What `video_request` takes of a command line."""
_OFFSET = re.compile(r"([+-]?)(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d+)?))?")


def video_request(
    index: Path,
    gpx: Path | None,
    every: str | None,
    fps: float | None,
    start: str | None,
    clock_offset: str | None,
    panoramas: Literal["auto", "2:1", "off"],
    progress: "Progress",
) -> "VideoRequest":
    """What is asked of a video or of panoramas for an index; frames and views are kept beside it.

    Raises:
        SourceError: wishes that contradict each other.
    """
    from place_search.indexer import VideoRequest, start_of

    try:
        metres = None if every is None else float(every.strip().removesuffix("m"))
    except ValueError:
        raise typer.BadParameter(
            f"--every '{every}' is no distance in metres; write it as 2m."
        ) from None
    ahead = _OFFSET.fullmatch((clock_offset or "0:00").strip())
    if ahead is None:
        raise typer.BadParameter(
            f"--clock-offset '{clock_offset}' is no time; write it as +02:00 or -00:01:30."
        )
    sign, hours, minutes, seconds = ahead.groups()
    offset_s = 3600 * int(hours) + 60 * int(minutes) + float(seconds or 0)
    return VideoRequest(
        index,
        gpx=gpx,
        every_m=metres,
        fps=fps,
        start=start_of(start),
        clock_offset_s=-offset_s if sign == "-" else offset_s,
        panoramas=panoramas,
        progress=progress,
    )
