"""`place-search compare`: do two photos show the same place?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from place_search.cli import options
from place_search.cli.console import print_json, print_message
from place_search.cli.terminal import OUT
from place_search.core.errors import PlaceSearchError, shell_command
from place_search.core.settings import MODEL, PRECISION, THREADS
from place_search.core.text import counted

if TYPE_CHECKING:
    from place_search.search.results import CompareResult


def command(
    photo1: Annotated[
        Path, typer.Argument(metavar="PHOTO", help="A photo, asked as the query of a search is.")
    ],
    photo2: Annotated[
        Path,
        typer.Argument(metavar="PHOTO", help="Another photo, asked as a place of an index is."),
    ],
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="INDEX", help="Compare as searches of this index do: its model and calibration."
        ),
    ] = None,
    model: Annotated[
        str | None,
        MODEL.option(help=f"Model folder or id (default: that of --index, else {MODEL.default})."),
    ] = None,
    threads: options.Threads = THREADS.default,
    precision: options.Precision = PRECISION.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    as_json: options.AsReply = False,
) -> None:
    """Say whether two photos show the same place, and how sure that is.

    The other way round, a borderline answer may be a little different.
    """
    from place_search.indexer import holds_index, open_index, open_index_model
    from place_search.models import open_model
    from place_search.search.compare import compare_photos

    for path, other in ((photo1, photo2), (photo2, photo1)):
        if holds_index(path):
            search = shell_command("search", path, other)
            raise PlaceSearchError(f"{path} is an index, not a photo; to search it: {search}.")
    model_options: dict[str, Any] = {"threads": threads, "precision": precision}
    model_options["max_pixels"] = max_megapixels * 10**6
    places = None if index is None else open_index(index)
    if places is None:
        name = model or MODEL.default
        opened = open_model(name, verify=True, **model_options)
    else:
        opened = open_index_model(places.manifest, model, **model_options)
    reply = compare_photos(opened, photo1, photo2, index=places)
    if as_json:
        print_json(reply.to_dict())
        return
    for note in reply.notes:
        print_message(f"Note: {note}")
    OUT.print(_sentence(reply))


def _sentence(reply: "CompareResult") -> str:
    from place_search.search.probability import UNSURE_FROM

    measured = f"similarity {reply.similarity:.3f}, {counted(reply.inliers, 'matching point')}"
    verdict = "The same place"
    if reply.result == "different":
        unsure = reply.probability >= UNSURE_FROM
        verdict = "Perhaps the same place" if unsure else "Different places"
    return (
        f"{verdict}: probability {reply.probability:.3f} of the same place, threshold "
        f"{reply.threshold:.3f} ({measured})."
    )
