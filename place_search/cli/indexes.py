"""Shared by the commands that write indexes: the store, the order of arguments."""

from pathlib import Path
from shlex import quote

import typer

from place_search.cli.reading import only_work
from place_search.core.errors import PlaceSearchError


def known_store(kind: str | None) -> str | None:
    """A kind of vector store. Raises BadParameter for an unknown kind."""
    if kind not in (None, "auto"):
        from place_search.indexer import IndexWriteError, require_store_kind

        try:
            require_store_kind(kind)
        except IndexWriteError as error:
            raise typer.BadParameter(str(error)) from None
    return kind


def store_uri(context: typer.Context, store: str | None, uri: str) -> str:
    """As `store_address`; "" for no store. Raises BadParameter, also for an unused --uri."""
    from place_search.indexer import IndexWriteError, store_address

    try:
        address = store_address(store, uri) if store else ""
    except IndexWriteError as error:
        raise typer.BadParameter(str(error)) from None
    if not address:
        only_work(context, "with a store that has one, as --store milvus", "uri")
    return address


def require_order(index: Path, other: Path, usage: str) -> None:
    """Refuse an index and another path in swapped order; `usage` holds {index} and {other}.

    Raises:
        PlaceSearchError: only `other` is an index.
    """
    from place_search.indexer import holds_index

    if holds_index(other) and not holds_index(index):
        command = usage.format(index=quote(str(other)), other=quote(str(index)))
        raise PlaceSearchError(
            f"{other} is an index and {index} is not: write `place-search {command}`."
        )


def require_out(data: Path, out: Path, command: str) -> None:
    """Refuse photos and the folder to write in swapped order.

    Raises:
        PlaceSearchError: `data` is an index or does not exist, and `out` is a folder with files.
    """
    from place_search.indexer import holds_index

    swapped = holds_index(data) or not data.exists()
    if swapped and out.is_dir() and any(out.iterdir()) and not holds_index(out):
        fault = "is an index" if data.exists() else "does not exist"
        raise PlaceSearchError(
            f"{data} {fault}, and {out} holds files already: were they meant the other way round, "
            f"as `place-search {command} {quote(str(out))} --out {quote(str(data))}`?"
        )
