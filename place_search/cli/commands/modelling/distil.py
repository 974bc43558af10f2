"""`place-search distil`: trains a model to describe altered views as it describes the photo."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.console import print_message
from place_search.cli.terminal import progress
from place_search.cli.training_room import training_room
from place_search.core.settings import MODEL
from place_search.core.text import counted


def command(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="CSV", help="Photos: image, and place, or video and frame; crops, if any."
        ),
    ],
    out: options.NewModel,
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Folder that the photos are under.")
    ] = None,
    model: Annotated[
        str | None, MODEL.option(help="Model to start from (default: lite0-netvlad).")
    ] = None,
    steps: Annotated[
        int, typer.Option("--steps", min=1, help="Steps, of 240 views unless told otherwise.")
    ] = 800,
    places: Annotated[
        int, typer.Option("--places", min=2, help="Places of a step, each in six views.")
    ] = 40,
    views: Annotated[
        int, typer.Option("--views", min=4, help="Views to draw of each from other standpoints.")
    ] = 8,
    dims: Annotated[
        int, typer.Option("--dims", min=1, help="Numbers that a whitening will leave.")
    ] = 1024,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", min=0, help="At the beginning.")
    ] = 6e-4,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    about: Annotated[str, typer.Option("--about", help="Origin and licence, for the card.")] = "",
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=options.MAX_SEED, help="Seed of all that is drawn.")
    ] = 1,
) -> None:
    """Train a network on views of photos by night, by other days and from elsewhere.

    The model itself is the teacher: what it gives of a photo as it is, it shall give of its views.
    Descriptors keep their size; whiten the new model, then quantize and calibrate it. It takes a
    few minutes on a GPU, and hours without one; a run that is stopped starts anew.
    """
    training = training_room("Training")
    config = replace(
        training.DistillationConfig(),
        steps=steps,
        places=places,
        moved=views,
        dims=dims,
        learning_rate=learning_rate,
        seed=seed,
    )
    with progress() as advance:
        card = training.distil(
            data,
            out,
            root=root,
            model=model,
            config=config,
            about=about,
            max_pixels=max_megapixels * 10**6,
            progress=advance,
        )
    taught = card.fitting["distillation"]
    print_message(
        f"Wrote {out}: taught by views of {counted(taught['parts'], 'photo')} and parts of photos."
    )
