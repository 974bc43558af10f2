"""`place-search verify`: checks an index, and repairs it."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli import options
from place_search.cli.changing import index_model
from place_search.cli.console import print_json, print_line, print_message
from place_search.cli.reading import only_work
from place_search.cli.terminal import progress
from place_search.core.errors import shell_command
from place_search.core.settings import THREADS
from place_search.core.text import counted, needed_bytes

if TYPE_CHECKING:
    from place_search.indexer import VerifyReport

FAILED = 1


def command(
    context: typer.Context,
    index: options.IndexFolder,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make damaged files again, from the photos.")
    ] = False,
    model: options.OwnModel = None,
    threads: options.Threads = THREADS.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    as_json: options.AsJson = False,
) -> None:
    """Check every file of an index, its counts and ids, and its vector store.

    The exit code is 1 where something is wrong and was not repaired.
    """
    from place_search.indexer import repair_index, verify_index
    from place_search.search.calibrating.upkeep import with_calibration

    if not repair:
        only_work(context, "with --repair", "model", "threads", "max_megapixels")
    with progress("MB") as advance:

        def advance_stage(stage: str, done: int, total: int) -> None:
            scale = 1_000_000 if stage == "Verifying" else 1
            advance(stage, done // scale, total // scale)

        opened = partial(index_model, index, model, threads, max_megapixels=max_megapixels)
        if repair:
            report = repair_index(index, opened, progress=advance_stage)
        else:
            report = verify_index(index, progress=advance_stage)
        report = with_calibration(index, report, opened if repair else None, advance_stage)
    if as_json:
        print_json(
            {
                "whole": report.whole,
                "index_id": report.index_id,
                "places": report.places,
                "files": report.files,
                "bytes": report.bytes,
                "problems": [problem._asdict() for problem in report.problems],
                "repaired": report.repaired,
                "lost": [place._asdict() for place in report.lost],
            }
        )
    else:
        _print(report, index)
    if not report.whole:
        raise typer.Exit(FAILED)


def _print(report: "VerifyReport", index: object) -> None:
    for file, problem in report.problems:
        print_message(f"{file} {problem.removesuffix('.')}.")
    for name, reason in report.lost:
        print_message(f"Lost: {name} ({reason}).")
    if not report.whole:
        repair = shell_command("verify", index, "--repair")
        print_message(f"{index} is damaged; {repair} mends what it can.")
        return
    repaired = f"{counted(len(report.repaired), 'file')} made again, " if report.repaired else ""
    places = counted(report.places, "place")
    size = f"{counted(report.files, 'file')}, {needed_bytes(report.bytes)}"
    print_line(f"{repaired}{index} is whole: {places}, {size} ({report.index_id})")
