"""`place-search group`: photos that show one spot, put together."""

from typing import Annotated

import typer

from place_search.cli.changing import (
    AsJson,
    IndexFolder,
    ModelOption,
    Threads,
    index_model,
    running,
)
from place_search.cli.console import print_json, print_line
from place_search.core.settings import THREADS


def command(
    index: IndexFolder,
    spread_m: Annotated[
        float,
        typer.Option(
            "--spread-m",
            min=1.0,
            metavar="METRES",
            help="Photos with positions farther apart are never put together.",
        ),
    ] = 25.0,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Part all groups first, but for those named or made by hand."),
    ] = False,
    model: ModelOption = None,
    threads: Threads = THREADS.default,
    as_json: AsJson = False,
) -> None:
    """Put photos that show one spot together: those that came since the last time.

    Photos are compared by their local features; nothing is described again.
    """
    from place_search.search.groups.grouping import group_places

    with running(index) as advance:
        opened = index_model(index, model, threads)
        report = group_places(index, opened, spread_m=spread_m, anew=anew, progress=advance)
    if as_json:
        print_json(report._asdict())
        return
    print_line(
        f"{report.groups} groups of {report.grouped} photos, of {report.places} in {index} "
        f"({report.new} new)"
    )
