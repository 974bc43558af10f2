"""`place-search sync`: an index follows its photos."""

from functools import partial
from typing import Annotated

import typer

from place_search.cli.changing import (
    AsJson,
    Data,
    IndexFolder,
    ModelOption,
    Threads,
    VerifyWith,
    take_photos,
)
from place_search.cli.indexes import require_order
from place_search.cli.megapixels import DEFAULT_MEGAPIXELS, MaxMegapixels
from place_search.cli.video_options import ClockOffset, Every, Fps, Gpx, Panoramas, VideoStart
from place_search.core.settings import THREADS, VERIFY_WITH


def command(
    index: IndexFolder,
    data: Data,
    model: ModelOption = None,
    verify_with: VerifyWith = VERIFY_WITH.default,
    threads: Threads = THREADS.default,
    max_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
    gpx: Gpx = None,
    every: Every = None,
    fps: Fps = None,
    video_start: VideoStart = None,
    clock_offset: ClockOffset = None,
    panoramas: Panoramas = "auto",
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Take in photos whose places were removed by hand, too."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make an index hold the photos of DATA: new and changed ones are added, others removed.

    Photos of the same size and time, or of the same content, are not described again: `touch` one
    that was replaced by another of its size and time. Those whose places were removed with
    `remove`, or over HTTP, stay out. What a CSV no longer says of a photo stays: position, name,
    heading and time until DATA is indexed anew, own fields until they are edited.
    """
    from place_search.indexer import sync_photos

    require_order(index, data, "sync {index} {other}")
    video = gpx, every, fps, video_start, clock_offset, panoramas
    models = model, verify_with
    change = partial(sync_photos, forget=forget)
    take_photos(change, index, data, models, threads, max_megapixels, as_json, video)
