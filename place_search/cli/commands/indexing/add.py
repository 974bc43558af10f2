"""`place-search add`: new photos into an index."""

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
    as_json: options.AsJson = False,
) -> None:
    """Add the photos of DATA that an index lacks, and take up those that have changed.

    Places that are there already keep their ids and are not described again.
    """
    from place_search.indexer import add_photos

    require_order(index, data, "add {index} {other}")
    video = gpx, every, fps, video_start, clock_offset, panoramas
    models = model, verify_with
    take_photos(context, add_photos, index, data, models, threads, max_megapixels, as_json, video)
