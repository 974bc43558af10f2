"""`place-search export`: a model as a checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.console import print_message
from place_search.cli.training_room import training_room


def command(
    model: options.Model,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Checkpoint to write.")],
) -> None:
    """Write a model as a checkpoint in pytorch-NetVlad's layout."""
    card = training_room("Training").export_checkpoint(model, out)
    print_message(
        f"Wrote {out}. Its photos are resized to {card.preprocessing.in_words}: only `place-search "
        "weights import` reads that in the file, so tell other programs."
    )
