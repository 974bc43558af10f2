"""Reads options of several commands: a point, the ground truth, a video, whether one is given."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import typer

from place_search.core.tables import parse_number, parse_whole

if TYPE_CHECKING:
    from place_search.core.geodesy import Position
    from place_search.core.progress import Progress
    from place_search.evaluation import TruthFiles
    from place_search.indexer import VideoRequest

VideoOptions: TypeAlias = tuple[
    Path | None, str | None, float | None, str | None, str | None, Literal["auto", "2:1", "off"]
]
"""The options of a command line for `video_request`."""
_OFFSET = re.compile(r"([+-]?)(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d+)?))?", re.ASCII)


def is_typed(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line, not in a variable or nowhere."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def only_work(context: typer.Context, where: str, *names: str) -> None:
    """Refuse options that stand on the command line and only work `where`, not in this run.

    Variables stay free: they are set for other runs too. Raises BadParameter.
    """
    flags = [
        (option.opts, option.secondary_opts)[value is False and bool(option.secondary_opts)][0]
        for option in context.command.params
        if (value := context.params.get(str(option.name))) is not None
        and option.name in names
        and is_typed(context, option.name)
    ]
    if flags:
        *others, last = flags
        named = f"{', '.join(others)} and {last} only work" if others else f"{last} only works"
        raise typer.BadParameter(f"{named} {where}.")


def point_of(near: str | None, radius_m: float | None) -> "Position | None":
    """The point of --near. Raises BadParameter for one of --near and --radius-m alone."""
    from place_search.search.positions import parse_position

    if (near is None) != (radius_m is None):
        raise typer.BadParameter("--near and --radius-m only work together.")
    return None if near is None else parse_position(near)


def name_or_id(place: str) -> str | int:
    """A place as a command line names it: digits are an id, anything else is a name."""
    place_id = parse_whole(place)
    return place if place_id is None else place_id


def truth_files(*, index: Path | None = None, **options: Any) -> "TruthFiles":
    """`TruthFiles` of the options, which an `index` to examine does not need.

    Raises:
        BadParameter: the options contradict each other.
    """
    from place_search.evaluation import TruthFiles

    files = TruthFiles(**options)
    if reason := files.why_not(index=index):
        raise typer.BadParameter(reason)
    return files


def parse_ks(text: str) -> list[int]:
    """The N of Recall@N from `1,5,10`."""
    from place_search.evaluation import TruthError, checked_ks

    try:
        return checked_ks([parse_whole(part.strip()) or 0 for part in text.split(",")])
    except TruthError:
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
    """The options for a video or for panoramas; frames and views are kept beside the index.

    Raises:
        SourceError: options that contradict each other.
    """
    from place_search.indexer import VideoRequest, start_of

    metres = None if every is None else parse_number(every.strip().removesuffix("m"))
    if metres is not None and math.isnan(metres):
        raise typer.BadParameter(f"--every '{every}' is no distance in metres; write it as 2m.")
    offset = _OFFSET.fullmatch((clock_offset or "0:00").strip())
    if offset is None:
        raise typer.BadParameter(
            f"--clock-offset '{clock_offset}' is no time; write it as +02:00 or -00:01:30."
        )
    sign, hours, minutes, seconds = offset.groups()
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
