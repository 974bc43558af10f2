"""`place-search weights`: installed models, and published ones to fetch."""

from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from place_search.cli import options
from place_search.cli.console import print_json, print_message
from place_search.cli.reading import only_work
from place_search.cli.terminal import OUT, progress
from place_search.core.errors import shell_command

if TYPE_CHECKING:
    from place_search.models import ModelCard
    from place_search.models.registry import Published

DOWNLOADS = ".downloads"
BACKBONES = ".backbones"

command = typer.Typer(no_args_is_help=True, add_completion=False)


@command.callback()
def _command() -> None:
    """The models there are, and those that can be had."""


@command.command("list")
def list_weights(
    as_json: options.AsJson = False,
) -> None:
    """List the models in the weights folder, and the published ones that can be fetched."""
    from place_search.models import ModelError, read_card, weights_folder
    from place_search.models.registry import published

    cards = []
    for folder in sorted(card.parent for card in weights_folder().glob("*/card.toml")):
        try:
            cards.append((folder, read_card(folder)))
        except ModelError as error:  # the other models are of use
            print_message(f"Left out: {error}")
    installed_ids = {card.id for _, card in cards}
    fetchable = [model for model in published() if model.id not in installed_ids]
    if as_json:
        print_json(
            [
                *(
                    {
                        **asdict(card),
                        "fingerprint": card.fingerprint,
                        "folder": str(folder),
                        "installed": True,
                    }
                    for folder, card in cards
                ),
                *({**asdict(model), "installed": False} for model in fetchable),
            ]
        )
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", no_wrap=True)
    table.add_column("dims", justify="right")
    for heading in ("licence", "what it is"):
        table.add_column(heading, overflow="fold")
    for _, card in cards:
        table.add_row(card.id, str(card.dims), card.licence, card.title)
    OUT.print(table if cards else f"No models in {weights_folder()}.")
    if not fetchable:
        return
    OUT.print()
    OUT.print("To be had with `place-search weights fetch ID`:")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ID", no_wrap=True)
    for heading in ("licence", "what it is"):
        table.add_column(heading, overflow="fold")
    for model in fetchable:
        table.add_row(model.id, model.licence, model.title)
    OUT.print(table)


@command.command("fetch")
def fetch(
    context: typer.Context,
    model_id: Annotated[str, typer.Argument(metavar="ID", help="Published model, as listed.")],
    own_file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Its file, if you have it: no download."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="ID", help="Name to give it (default: its own).")
    ] = None,
) -> None:
    """Fetch a published model and make it ready to use.

    A download that breaks off goes on when the command is run again.
    """
    from place_search.models import weights_folder
    from place_search.models.registry import find_published

    model = find_published(model_id)
    folder = weights_folder()
    if model.kind == "backbone":
        only_work(context, f"with a model, and {model.id} is a backbone", "name")
        path = _file_of(model, folder / BACKBONES / model.backbone, own_file)
        source = () if own_file is None else ("--backbone-weights", path)
        backbone = ("--backbone", model.backbone, *source)
        print_message(
            f"{path} is ready; a model needs a vocabulary as well: run "
            f"{shell_command('cluster', 'PHOTOS', *backbone, '--out', 'MODEL')}."
        )
        return
    from place_search.models.new_folder import free_folder

    importing = _importing(own_file)
    out = free_folder(folder, name or model.id)
    path = _file_of(model, folder / DOWNLOADS, own_file)
    card = importing.import_weights(
        path,
        out,
        title=model.title,
        origin=model.sources[0].where,
        licence=model.licence,
        recall=model.recall,
    )
    _announce(card, out)
    if own_file is None:
        path.unlink()


@command.command("import", context_settings={"allow_extra_args": True})
def import_file(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Weights of any supported family, or a model.")
    ],
    *,
    name: Annotated[str, typer.Option("--as", metavar="ID", help="Name to give the model.")],
    size: Annotated[
        str,
        typer.Option(
            metavar="322x322|'multiple-of 14'",
            help="ONNX: what photos are resized to, width x height; or their own shape, in sides "
            "that are multiples.",
        ),
    ] = "",
    mean: Annotated[
        str, typer.Option(metavar="R,G,B", help="ONNX: mean of the RGB values, 0–1 or 0–255.")
    ] = "",
    std: Annotated[
        str,
        typer.Option(metavar="R,G,B", help="ONNX: what RGB values less the mean are divided by."),
    ] = "",
    channels: Annotated[
        Literal["rgb", "bgr"] | None,
        typer.Option(help="ONNX: the order of the channels, rgb if the graph does not say."),
    ] = None,
    output: Annotated[
        str, typer.Option(metavar="NAME", help="ONNX: the output that is the descriptor.")
    ] = "",
    title: Annotated[str, typer.Option(metavar="TEXT", help="What it is, for its card.")] = "",
    source: Annotated[
        str, typer.Option(metavar="URL", help="Where the file is from, for its card.")
    ] = "",
    licence: Annotated[
        str, typer.Option(metavar="NAME", help="Licence of the weights, for its card.")
    ] = "",
) -> None:
    """Turn a weight file of your own into a model.

    It is a published file of NetVLAD, CosPlace, MixVPR, SALAD, BoQ or another family in
    docs/weights.md, which is recognised from the file, a model folder, or an ONNX graph that turns
    a photo into a vector. Only an ONNX graph is ever run, and it needs no torch.
    """
    from place_search.models import weights_folder
    from place_search.models.card import CARD_NAME
    from place_search.models.new_folder import copy_model, free_folder

    if context.args:  # without quotes, the 14 of multiple-of 14 is an argument of its own
        if len(context.args) > 1 or not size.startswith("multiple"):
            raise typer.BadParameter(f"Got an unexpected argument: {context.args[-1]}")
        size = f"{size} {context.args[0]}"
    out = free_folder(weights_folder(), name)
    description = {"title": title, "origin": source, "licence": licence}
    from place_search.models.graphs.onnx_file import is_onnx

    if not is_onnx(file):
        of_graphs = ("size", "mean", "std", "channels", "output")
        only_work(context, "with an ONNX graph", *of_graphs)
        if (file / CARD_NAME).is_file():
            card = copy_model(file, out, **description)
        else:
            card = _importing(file).import_weights(file, out, **description)
    else:
        from place_search.models.graphs.importing import import_onnx
        from place_search.models.graphs.options import GraphOptions

        graph_options = GraphOptions(size, mean, std, channels or "", output)
        card = import_onnx(file, out, graph_options, **description)
    _announce(card, out)


@command.command("verify")
def verify(
    model: Annotated[
        str | None, typer.Argument(metavar="ID", help="Model id or folder (default: all).")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Check models: files whole, graph in agreement with the weights."""
    from place_search.models import find_model, weights_folder
    from place_search.models.verify import verify_model

    if model is not None:
        folders = [find_model(model)]
    else:
        folders = sorted(card.parent for card in weights_folder().glob("*/card.toml"))
    checks = [verify_model(folder) for folder in folders]
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            agreement = "" if check.parity is None else f", agreement with torch {check.parity:.6f}"
            OUT.print(f"{check.id}: {'; '.join(check.problems) or f'whole{agreement}'}")
    if any(check.problems for check in checks):
        raise typer.Exit(1)


def _file_of(model: "Published", folder: Path, own_file: Path | None) -> Path:
    from place_search.core.files import sha256_of
    from place_search.models.downloads import fetch_file

    if own_file is None and any(source.kind != "page" for source in model.sources):
        size = "" if model.megabytes is None else f" ({model.megabytes} MB)"
        print_message(
            f"Fetching {model.file}{size}, licence: {model.licence}. {model.note}".rstrip()
        )
    with progress("MB") as advance:
        path = fetch_file(
            model,
            folder,
            own_file=own_file,
            progress=advance,
        )
    if model.sha256 is None:
        print_message(f"Its publisher states no sha256; this file's is {sha256_of(path)}.")
    return path


def _importing(file: Path | None) -> ModuleType:
    """The module that imports weights by torch. Raises ModelError without torch or the file."""
    from place_search.models.weight_files import require_file

    if file is not None:
        require_file(file)
    try:
        from place_search.models.weight_files import importing
    except ImportError as error:
        from place_search.models import ModelError

        raise ModelError(
            f"Importing weights needs {error.name}; run: pip install 'place-search[train]'."
        ) from None
    return importing


def _announce(card: "ModelCard", out: Path) -> None:
    print_message(
        f"Wrote {out}: {card.title}; {card.family}, {card.dims} dimensions. Use it with "
        f"--model {card.id}."
    )
