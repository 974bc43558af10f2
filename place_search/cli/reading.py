"""What is read of options that several commands take: a point, what is right, a video."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import typer

if TYPE_CHECKING:
    from place_search.core.geodesy import Position
    from place_search.core.progress import Progress
    from place_search.evaluation import TruthFiles
    from place_search.indexer import VideoRequest

VideoOptions: TypeAlias = tuple[
    Path | None, str | None, float | None, str | None, str | None, Literal["auto", "2:1", "off"]
]
"""What `video_request` takes of a command line."""
_OFFSET = re.compile(r"([+-]?)(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d+)?))?")


def point_of(near: str | None, radius_m: float | None) -> "Position | None":
    """The point that --near names. Raises BadParameter where one of the two is missing."""
    from place_search.search.positions import parse_position

    if (near is None) != (radius_m is None):
        raise typer.BadParameter("--near and --radius-m only work together.")
    return None if near is None else parse_position(near)


def truth_files(**given: Any) -> "TruthFiles":
    """The options as `TruthFiles` names them, or a usage error where they contradict each other."""
    from place_search.evaluation import TruthFiles

    files = TruthFiles(**given)
    if reason := files.why_not():
        raise typer.BadParameter(reason)
    return files


def parse_ks(text: str) -> list[int]:
    """The N of Recall@N from `1,5,10`."""
    from place_search.evaluation import TruthError, checked_ks

    try:
        return checked_ks([int(part) for part in text.split(",")])
    except (ValueError, TruthError):
        raise typer.BadParameter(
            f"--at {text}: write whole numbers from 1, as in 1,5,10."
        ) from None


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
