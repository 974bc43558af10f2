"""`place-search quantize`: a model's graph in int8, and its loss."""

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli import options
from place_search.cli.console import print_message
from place_search.cli.reading import only_work, truth_files
from place_search.cli.terminal import print_table, progress

if TYPE_CHECKING:
    from place_search.models import ModelCard


def command(
    context: typer.Context,
    model: options.Model,
    photos: Annotated[
        Path,
        typer.Option(
            "--photos", metavar="DATA", help="Photos to calibrate on, as for `index`; varied ones."
        ),
    ],
    count: Annotated[
        int, typer.Option("--count", min=1, help="How many of the photos to calibrate on.")
    ] = 128,
    truths: Annotated[
        list[Path] | None,
        typer.Option(
            "--truth",
            metavar="FILE",
            help="CSV with the columns query,positives to measure the loss on; may be repeated.",
        ),
    ] = None,
    databases: Annotated[
        list[Path] | None,
        typer.Option(
            "--database", metavar="FILE|DIR", help="Database photos, once for each --truth."
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="Folder that the paths of --truth are under."),
    ] = None,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    first: Annotated[
        int | None,
        typer.Option(
            "--first",
            min=0,
            help="Convolutions at the beginning to leave in float32 (default: as few as it takes).",
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option(help="Measure verified searches too, which takes most of the time.")
    ] = True,
    views: Annotated[
        bool,
        typer.Option(
            "--views",
            help="Calibrate on the photos as they may look by night (half of them) and by another "
            "day (a quarter).",
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="ID", help="Make a new model of this name, and leave this one alone."
        ),
    ] = None,
) -> None:
    """Put an int8 graph beside a model's float32 one, and measure what it loses.

    A graph that is there already is never replaced: indexes may have been made with it.

    The card keeps the loss: --precision auto takes int8 where it is at most 1 point of Recall@1,
    and the processor is quicker with it. Without --truth nothing is measured, so that only
    --precision int8 takes it.
    """
    if not truths:
        only_work(context, "with --truth", "databases", "root", "verify")
    if len(databases or ()) not in (0, len(truths or ())):
        raise typer.BadParameter("Give --database once for each --truth, or never.")
    from place_search.quantizing import quantize

    with progress("steps") as advance:
        result = quantize(
            model,
            photos,
            name=name,
            count=count,
            views=views,
            first=first,
            truths=[
                truth_files(truth=truth, root=root, database=database)
                for truth, database in zip_longest(truths or (), databases or ())
            ],
            verify=verify,
            max_pixels=max_megapixels * 10**6,
            progress=advance,
        )
    for sentence in result.left_unread:
        print_message(sentence)
    for photo in result.skipped:
        print_message(f"Skipped: {photo.name}: {photo.reason}")
    _print(result.card)


def _print(card: "ModelCard") -> None:
    quantization = card.quantization
    assert quantization is not None  # noqa: S101 - it was just made
    print_message(
        f"'{card.id}' has an int8 graph: mean cosine {quantization.cosine:.4f} to float32, which "
        f"remains in {quantization.f32_layers}."
    )
    if quantization.loss is None:
        print_message("Its loss was not measured, so --precision auto stays with f32.")
        return
    rows = [
        (
            row.dataset,
            "verified" if row.verified else "plain",
            f"{row.f32:.1f} %",
            f"{row.int8:.1f} %",
        )
        for row in quantization.measured
    ]
    print_table(("data", "search", "R@1 f32", "R@1 int8"), rows, words=("data", "search"))
    print_message(f"The mean loss is {max(quantization.loss, 0.0):.1f} points.")
