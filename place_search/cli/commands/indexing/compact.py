"""`place-search compact`: the space of removed places."""

from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.changing import print_change, running
from place_search.cli.indexes import known_store, store_uri
from place_search.settings import STORE, URI


def command(
    context: typer.Context,
    index: options.IndexFolder,
    store: Annotated[
        str | None,
        STORE.option(
            help="Make this vector store, of the descriptors there are: those of `index --store`.",
            callback=known_store,
        ),
    ] = None,
    uri: options.Uri = URI.default,
    as_json: options.AsJson = False,
) -> None:
    """Free the space of removed places and join small files. It happens by itself, but later."""
    from place_search.indexer import compact_index

    address = store_uri(context, store, uri)
    with running(index) as advance:
        report = compact_index(index, store=store or "", uri=address, progress=advance)
    print_change(report, index, as_json)
