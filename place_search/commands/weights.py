"""`place-search weights`: the models there are."""

from dataclasses import asdict
from typing import Annotated

import typer

from place_search.console import OUT, print_json

weights = typer.Typer(help="The models there are.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.add_typer(weights, name="weights")


@weights.callback()
def _weights() -> None:
    """The models there are."""


@weights.command("list")
def list_weights(
    as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
) -> None:
    """List the models in the weights folder."""
    from netvlad import read_card, weights_folder

    folders = sorted(card.parent for card in weights_folder().glob("*/card.toml"))
    cards = [(folder, read_card(folder)) for folder in folders]
    if as_json:
        print_json(
            [
                {**asdict(card), "fingerprint": card.fingerprint, "folder": str(folder)}
                for folder, card in cards
            ]
        )
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "dims", "licence", "what it is"):
        table.add_column(heading, justify="right" if heading == "dims" else "left")
    for _, card in cards:
        table.add_row(card.id, str(card.dims), card.licence, card.title)
    OUT.print(table if cards else f"No models in {weights_folder()}.")
