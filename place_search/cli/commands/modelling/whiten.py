"""`place-search whiten`: fewer, decorrelated dimensions for a model's descriptors."""

from pathlib import Path
from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.console import print_message
from place_search.cli.reading import only_work
from place_search.cli.terminal import progress
from place_search.cli.training_room import training_room
from place_search.core.settings import MODEL, THREADS
from place_search.core.text import counted


def command(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(
            metavar="INDEX|DATA",
            help="An index, or photos as for `index`: many, and not those to be searched.",
        ),
    ],
    out: options.NewModel,
    dims: Annotated[
        int, typer.Option("--dims", min=1, help="Dimensions of the new model's descriptors.")
    ] = 4096,
    views: Annotated[
        bool,
        typer.Option(
            "--views",
            help="Learn from altered views of each photo of a CSV image[,crops], by night, from "
            "another spot, of low resolution, what does not tell places apart.",
        ),
    ] = False,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="Folder of the photos of --views' CSV."),
    ] = None,
    model: Annotated[
        str | None,
        MODEL.option(
            help="Model to whiten: an id or a folder (default: the index's own, or lite0-netvlad)."
        ),
    ] = None,
    threads: options.Threads = THREADS.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=options.MAX_SEED, help="Seed of the sample.")
    ] = 0,
) -> None:
    """Fit a PCA whitening on descriptors, or one on views of photos, and write the model with it.

    It needs two photos a dimension, and at least 1000; of --views, five are drawn of each photo and
    of each of its crops, and a whitening that the model has is fitted anew. Descriptors of a
    whitened model can be cropped: --dims of `index`, `describe` and `eval`.
    """
    from place_search.indexer import holds_index

    if holds_index(data):
        only_work(context, "with photos, not with an index", "max_megapixels")
    training = training_room("Fitting a whitening")
    with progress() as advance:
        card = training.whiten(
            data,
            out,
            dims=dims,
            views=views,
            root=root,
            model=model,
            threads=threads,
            seed=seed,
            max_pixels=max_megapixels * 10**6,
            progress=advance,
            print_message=print_message,
        )
    fitted = card.fitting["whitening"]
    print_message(
        f"Wrote {out}: {card.dims} dimensions, which keep {100 * fitted['variance_kept']:.1f} % "
        f"of the variance of {counted(fitted['samples'], 'descriptor')}."
    )
