"""`place-search index`: photos in, an index out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.console import InterruptedRunError, print_json, progress, say
from place_search.settings import MODEL, THREADS

if TYPE_CHECKING:
    from indexer import BuildReport

SKIPPED_SHOWN = 50
STAGES = {"embed": "Describing", "index": "Indexing"}


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("index")(index)


def index(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder of photos, a CSV with path,latitude,longitude[,name], or a split "
            "(.mat, .npz) whose database to index.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="INDEX", help="Folder to write the index to.")
    ],
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Folder that a split's photos are under (default: that of the file).",
        ),
    ] = None,
    model: Annotated[str, MODEL.option()] = MODEL.default,
    threads: Annotated[int | None, THREADS.option(min=1)] = THREADS.default,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Index a folder of place photos.

    Photos that cannot be read are skipped and listed at the end. Positions come from the CSV or
    split, from names as in @easting@northing@…@.jpg, or from the photos' Exif GPS block.
    """
    from indexer import build_index, open_source
    from netvlad import open_model

    try:
        source = open_source(data, root)
        opened = open_model(model, mode="throughput", threads=threads)
        with progress() as advance:
            report = build_index(
                source,
                out,
                opened,
                progress=lambda stage, done, total: advance(STAGES[stage], done, total),
            )
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted; {out} keeps what was done, so the same command goes on from there, and "
            "an index that was there before still works."
        ) from None
    _list_skipped(report)
    if as_json:
        print_json(
            {
                "index_id": report.index_id,
                "places": report.places,
                "skipped": [photo._asdict() for photo in report.skipped],
                "reused": report.reused,
                "seconds": {stage: round(value, 3) for stage, value in report.seconds.items()},
            }
        )
        return
    typer.echo(_summary(report, out))


def _summary(report: "BuildReport", out: Path) -> str:
    seconds = report.seconds["total"]
    done = report.places + len(report.skipped) - report.reused
    rate = f", {done / seconds:.0f} photos/s" if done > 0 and seconds > 0 else ""
    again = f", {report.reused} done before" if report.reused else ""
    places = f"{report.places} {'place' if report.places == 1 else 'places'}"
    return f"{places} in {out} ({seconds:.1f} s{rate}{again})"


def _list_skipped(report: "BuildReport") -> None:
    if not report.skipped:
        return
    count = len(report.skipped)
    say(f"{count} {'photo was' if count == 1 else 'photos were'} skipped:")
    for photo in report.skipped[:SKIPPED_SHOWN]:
        say(f"  {photo.name}: {photo.reason}")
    if count > SKIPPED_SHOWN:
        say(f"  … and {count - SKIPPED_SHOWN} more; the index's manifest.json lists them all.")
