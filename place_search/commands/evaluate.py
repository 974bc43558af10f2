"""`place-search eval`: how often is the right place among the first N?"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.console import OUT, print_json, progress, say
from place_search.settings import DIMS, MODEL, THREADS

if TYPE_CHECKING:
    from evaluation import EvalReport


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("eval")(evaluate)


def evaluate(
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", help="Folder that the truth's paths are under.")
    ],
    truth: Annotated[
        Path,
        typer.Option(
            "--truth",
            metavar="FILE",
            help="CSV with the columns query,positives; ';' between positives.",
        ),
    ],
    database: Annotated[
        Path | None,
        typer.Option(
            "--database",
            metavar="FILE|DIR",
            help="Database photos: a CSV with the column path, or a folder "
            "(default: all positives).",
        ),
    ] = None,
    model: Annotated[str, MODEL.option()] = MODEL.default,
    threads: Annotated[int | None, THREADS.option(min=1)] = THREADS.default,
    dims: Annotated[int | None, DIMS.option(min=1)] = DIMS.default,
    at: Annotated[str, typer.Option("--at", metavar="N,N,…", help="The N of Recall@N.")] = "1,5,10",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure Recall@N: how often a right place is among the first N results."""
    ns = _parse_at(at)
    from evaluation import evaluate as measure
    from evaluation import read_truth_csv
    from netvlad import open_model

    known = read_truth_csv(truth, root, database)
    opened = open_model(model, mode="throughput", threads=threads, dims=dims)
    with progress() as advance:
        report = measure(known, opened, at=ns, progress=partial(advance, "Describing"))
    if as_json:
        print_json(report.to_json())
    else:
        _print_table(report)
    for warning in report.warnings:
        say(f"Warning: {warning}")


def _parse_at(text: str) -> list[int]:
    try:
        ns = sorted({int(part) for part in text.split(",")})
    except ValueError:
        ns = [0]
    if ns[0] < 1:
        raise typer.BadParameter(f"--at {text}: write whole numbers from 1, as in 1,5,10.")
    return ns


def _print_table(report: "EvalReport") -> None:
    from rich.table import Table

    OUT.print(f"{report.queries} queries, {report.database} database photos, model {report.model}")
    if report.queries_without_positives:
        OUT.print(f"{report.queries_without_positives} queries have no positives: always wrong")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("N", "Recall@N", "chance"):
        table.add_column(heading, justify="right")
    for n, recall in report.recall.items():
        table.add_row(str(n), f"{recall:.1f} %", f"{report.chance[n]:.1f} %")
    OUT.print(table)
    for photo in report.unreadable:
        say(f"Unreadable: {photo.name}: {photo.reason}")
