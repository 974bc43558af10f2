"""`place-search add`: new photos into an index."""

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
    as_json: AsJson = False,
) -> None:
    """Add the photos of DATA that an index lacks, and take up those that have changed.

    Places that are there already keep their ids and are not described again.
    """
    from place_search.indexer import add_photos

    require_order(index, data, "add {index} {other}")
    video = gpx, every, fps, video_start, clock_offset, panoramas
    models = model, verify_with
    take_photos(add_photos, index, data, models, threads, max_megapixels, as_json, video)
