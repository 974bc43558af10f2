"""`place-search demo`: real photos of real places, indexed, measured and served."""

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli import options
from place_search.cli.commands.evaluating import eval as evaluating
from place_search.cli.commands.indexing import group as grouping
from place_search.cli.commands.indexing import index as indexing
from place_search.cli.commands.searching.serve import announce
from place_search.cli.console import print_line, print_message, program_as_typed
from place_search.cli.settings_options import takes_settings
from place_search.core.settings import MODEL, THREADS
from place_search.search.server.settings import ServerSettings

if TYPE_CHECKING:
    from place_search.search.engine import Engine


# The demo's photos are public: other pages, such as examples/page.html, may send requests.
takes_demo_settings = partial(
    takes_settings, only=("host", "port", "max_megapixels", "cors"), defaults={"cors": "*"}
)


@takes_demo_settings
def command(
    context: typer.Context,
    photos: Annotated[
        Path, typer.Option("--photos", metavar="DIR", help="Folder for the demo's photos.")
    ] = Path("data/demo"),
    out: Annotated[
        Path, typer.Option("--out", metavar="INDEX", help="Folder for the demo's index.")
    ] = Path("indexes/demo"),
    archive: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Take the photos from this downloaded file."),
    ] = None,
    model: options.IncludedModel = MODEL.default,
    threads: options.Threads = THREADS.default,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Whether to serve the index at the end.")
    ] = True,
    *,
    settings: ServerSettings,
) -> None:
    """Try it: fetch photos of real places (54 MB, once), index, measure and serve them."""
    from place_search.demo_photos import MEGABYTES, fetch_demo_photos
    from place_search.search.server.network import listen
    from place_search.search.server.server import serve as serve_index

    if serve:  # raises for a port in use before minutes of work
        listen(settings.host, settings.port).close()
    print_message(
        f"The demo takes real photos of 14 places into {photos} ({MEGABYTES} MB, once), indexes "
        f"them into {out}, measures how often the right place comes first"
        + (f", and serves them on port {settings.port} until Ctrl-C." if serve else ".")
    )
    demo = fetch_demo_photos(photos, archive=archive, print_message=print_message)
    limit = settings.max_megapixels
    indexing.command(context, demo.places, out, model=model, threads=threads, max_megapixels=limit)
    grouping.command(context, out)
    reports = out.with_name(f"{out.name}-reports")
    evaluating.command(
        context,
        root=demo.folder,
        truth=demo.truth,
        database=demo.places,
        model=model,
        threads=threads,
        max_megapixels=limit,
        report_dir=reports / model.replace("/", "-"),
    )
    search_command = (*program_as_typed(), "search", str(out), str(demo.query()))
    print_line(f"{'Or' if serve else 'Try'}: {shlex.join(search_command)}")
    if serve:
        from place_search.search.server.content.samples import Samples

        server_options = {"model": model, "threads": threads, "reports": reports}
        announcing = partial(_announce, demo.query(), settings.host)
        serve_index(
            out,
            settings.model_copy(update=server_options),
            on_ready=announcing,
            samples=Samples(demo.samples(), demo.pairs()),
        )


def _announce(query: Path, host: str, address: str, engine: "Engine") -> None:
    announce(host, address, engine)
    photo = shlex.quote(f"photo=@{query}")
    print_line(f"Try: curl -F {photo} '{address}v1/search?k=3'")
