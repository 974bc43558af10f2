"""`place-search add`, `remove`, `sync` and `compact`: changing an index in place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli.commands.index import (
    STAGES,
    Store,
    list_duplicates,
    list_skipped,
    store_uri,
)
from place_search.cli.console import InterruptedRunError, print_json, progress
from place_search.cli.megapixels import MaxMegapixels
from place_search.cli.reports import count_positions, intake_json, list_notes, tell_source
from place_search.settings import MAX_MEGAPIXELS, MODEL, STORE, THREADS, URI

if TYPE_CHECKING:
    from place_search.indexer import ChangeReport, Progress, Source
    from place_search.models import Model

IndexFolder = Annotated[Path, typer.Argument(metavar="INDEX", help="Folder of an index.")]
Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA", help="Folder of photos, or a CSV with path,latitude,longitude[,name]."
    ),
]
ModelOption = Annotated[
    str | None, MODEL.option(help="Model folder or id (default: the index's own).")
]
Threads = Annotated[int | None, THREADS.option(min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("add")(add)
    app.command("remove")(remove)
    app.command("sync")(sync)
    app.command("compact")(compact)


def add(
    index: IndexFolder,
    data: Data,
    model: ModelOption = None,
    threads: Threads = THREADS.default,
    max_megapixels: MaxMegapixels = MAX_MEGAPIXELS.default,
    as_json: AsJson = False,
) -> None:
    """Add the photos of DATA that an index lacks, and take up those that have changed.

    Places that are there already keep their ids and are not described again.
    """
    from place_search.indexer import add_photos, open_source

    with _running(index) as advance:
        source, opened = open_source(data), index_model(index, model, threads)
        opened.max_pixels = max_megapixels * 10**6
        report = add_photos(index, source, opened, progress=advance)
    _print(report, index, as_json, source)


def sync(
    index: IndexFolder,
    data: Data,
    model: ModelOption = None,
    threads: Threads = THREADS.default,
    max_megapixels: MaxMegapixels = MAX_MEGAPIXELS.default,
    as_json: AsJson = False,
) -> None:
    """Make an index hold the photos of DATA: new and changed ones are added, others removed.

    Photos of the same size and time, or of the same content, are not described again.
    """
    from place_search.indexer import open_source, sync_photos

    with _running(index) as advance:
        source, opened = open_source(data), index_model(index, model, threads)
        opened.max_pixels = max_megapixels * 10**6
        report = sync_photos(index, source, opened, progress=advance)
    _print(report, index, as_json, source)


def remove(
    index: IndexFolder,
    places: Annotated[
        list[str], typer.Argument(metavar="NAME|ID…", help="Names or ids of places.")
    ],
    as_json: AsJson = False,
) -> None:
    """Remove places from an index, by name or by id; a number is an id. Photos are left alone."""
    from place_search.indexer import remove_places

    wanted = [int(place) if place.isdecimal() else place for place in places]
    with _running(index) as advance:
        report = remove_places(index, wanted, progress=advance)
    _print(report, index, as_json)


def compact(
    index: IndexFolder,
    store: Annotated[
        Store | None, STORE.option(help="Make this vector store, of the descriptors there are.")
    ] = None,
    uri: Annotated[str, URI.option()] = URI.default,
    as_json: AsJson = False,
) -> None:
    """Free the space of removed places and join small files. It happens by itself, but later."""
    from place_search.indexer import compact_index

    where = store_uri(store, uri)
    with _running(index) as advance:
        report = compact_index(index, store=store or "", uri=where, progress=advance)
    _print(report, index, as_json)


def index_model(index: Path, model: str | None, threads: int | None) -> "Model":
    """The model that is named, or that an index was made with."""
    from place_search.indexer import open_index_model, read_manifest

    return open_index_model(read_manifest(index), model, mode="throughput", threads=threads)


@contextmanager
def _running(index: Path) -> "Iterator[Progress]":
    try:
        with progress() as advance:
            yield _staged(advance)
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted; {index} is as it was, and the same command goes on from what was done."
        ) from None


def _staged(advance: Callable[[str, int, int], None]) -> "Progress":
    return lambda stage, done, total: advance(STAGES[stage], done, total)


def _print(
    report: "ChangeReport", index: Path, as_json: bool, source: "Source | None" = None
) -> None:
    if source is not None:
        tell_source(source)
    list_skipped(report.skipped)
    list_notes(report.notes)
    list_duplicates(report.duplicates)
    counts = {
        "added": report.added,
        "changed": report.changed,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "copied": report.copied,
        "reused": report.reused,
    }
    if as_json:
        print_json(
            {
                "index_id": report.index_id,
                "places": report.places,
                **intake_json(source, report),
                **counts,
                "compacted": report.compacted,
                "skipped": [photo._asdict() for photo in report.skipped],
                "duplicates": [photo._asdict() for photo in report.duplicates],
                "seconds": {stage: round(value, 3) for stage, value in report.seconds.items()},
            }
        )
        return
    said = [f"{counts[key]} {key}" for key in ("added", "changed", "removed") if counts[key]]
    said += ["compacted"] if report.compacted else []
    places = f"{report.places} {'place' if report.places == 1 else 'places'}"
    seconds = report.seconds["total"]
    positions = count_positions(report)
    outcome = ", ".join(said) or "nothing to do"
    typer.echo(f"{outcome}: {places} in {index} ({seconds:.1f} s), {positions}")
