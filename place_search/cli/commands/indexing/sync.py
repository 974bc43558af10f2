"""`place-search sync`: an index follows its photos."""

from functools import partial
from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.changing import take_photos
from place_search.cli.indexes import require_order
from place_search.core.settings import THREADS, VERIFY_WITH


def command(
    context: typer.Context,
    index: options.IndexFolder,
    data: options.Data,
    model: options.OwnModel = None,
    verify_with: options.VerifyWith = VERIFY_WITH.default,
    threads: options.Threads = THREADS.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    gpx: options.Gpx = None,
    every: options.Every = None,
    fps: options.Fps = None,
    video_start: options.VideoStart = None,
    clock_offset: options.ClockOffset = None,
    panoramas: options.Panoramas = "auto",
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Take in photos whose places were removed by hand, too."),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Make an index hold the photos of DATA: new and changed ones are added, others removed.

    That removes the places of photos in other folders, too: sync the folder that holds all of them.

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
    take_photos(context, change, index, data, models, threads, max_megapixels, as_json, video)
