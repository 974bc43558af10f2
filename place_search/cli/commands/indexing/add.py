"""`place-search add`: new photos into an index."""

from place_search.cli.changing import (
    AsJson,
    Data,
    IndexFolder,
    ModelOption,
    Threads,
    index_model,
    print_change,
    running,
)
from place_search.cli.indexes import require_order
from place_search.cli.megapixels import DEFAULT_MEGAPIXELS, MaxMegapixels
from place_search.core.settings import THREADS


def command(
    index: IndexFolder,
    data: Data,
    model: ModelOption = None,
    threads: Threads = THREADS.default,
    max_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
    as_json: AsJson = False,
) -> None:
    """Add the photos of DATA that an index lacks, and take up those that have changed.

    Places that are there already keep their ids and are not described again.
    """
    from place_search.evaluation import keep_calibrated
    from place_search.indexer import add_photos, open_source

    require_order(index, data, "add {index} {other}")
    with running(index) as advance:
        source, opened = open_source(data), index_model(index, model, threads)
        opened.max_pixels = max_megapixels * 10**6
        report = add_photos(index, source, opened, progress=advance)
        keep_calibrated(index, opened, progress=advance)
    print_change(report, index, as_json)
