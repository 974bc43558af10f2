"""`place-search similar`: places that look like one of the index."""

from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.changing import index_model
from place_search.cli.console import print_json, print_message
from place_search.cli.reading import name_or_id, point_of
from place_search.cli.terminal import OUT
from place_search.core.settings import THREADS
from place_search.settings import K


def command(
    index: options.IndexFolder,
    place: Annotated[str, typer.Argument(metavar="NAME|ID", help="A place; `places` lists them.")],
    k: options.K = K.default,
    same_spot: Annotated[
        bool, typer.Option("--same-spot", help="The other photos of its own group too.")
    ] = False,
    near: options.Near = None,
    radius_m: options.NearRadius = None,
    folder: options.InFolder = None,
    taken_from: options.TakenFrom = None,
    taken_to: options.TakenTo = None,
    tag: options.Tags = None,
    field: options.Fields = None,
    model: options.OwnModel = None,
    threads: options.Threads = THREADS.default,
    as_json: options.AsJson = False,
) -> None:
    """Find the places that look most like a place of the index, by the descriptor kept of it.

    A number is an id.
    """
    from rich.table import Table

    from place_search.indexer import open_index, parse_filter
    from place_search.search.similar import open_similar, similar_places

    point = point_of(near, radius_m)
    opened = open_index(index)
    place_filter = parse_filter(
        opened.edits,
        folder=folder,
        taken_from=taken_from,
        taken_to=taken_to,
        tag=tag,
        field=field,
    )
    engine = open_similar(opened, lambda: index_model(index, model, threads, verify=False))
    reply = similar_places(
        engine,
        opened.id_of(name_or_id(place)),
        k=k,
        same_spot=same_spot,
        near=point,
        radius_m=radius_m,
        place_filter=place_filter,
    )
    if as_json:
        print_json(reply.to_dict())
        return
    for note in reply.notes:
        print_message(f"Note: {note}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("#", "id", "similarity", "probability"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("place", overflow="fold")
    for result in reply.results:
        numbers = f"{result.similarity:.3f}", f"{result.probability:.3f}"
        table.add_row(str(result.rank), str(result.place_id), *numbers, result.name)
    OUT.print(table)
