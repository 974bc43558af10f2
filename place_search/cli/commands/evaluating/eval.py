"""`place-search eval`: how often is the right place among the first N?"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from place_search.cli import options
from place_search.cli.console import print_json, print_line, print_message
from place_search.cli.reading import is_typed, only_work, parse_ks, truth_files
from place_search.cli.terminal import OUT, print_table, progress
from place_search.core.settings import CANDIDATES, MODEL, PRECISION, THREADS
from place_search.core.text import counted
from place_search.settings import DIMS

if TYPE_CHECKING:
    from place_search.evaluation import Comparison, EvalReport, TruthFiles, UnwrittenReportError
    from place_search.evaluation.open_set import OpenSet

_Result = TypeVar("_Result")


def command(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATA",
            help="Folder with database/ and queries/ of photos with @ names, or a folder or CSV of "
            "photos with positions, each searched among all others.",
        ),
    ] = None,
    split: options.Split = None,
    truth: options.TruthFile = None,
    root: options.TruthRoot = None,
    queries_dir: options.QueriesDir = None,
    database: options.Database = None,
    queries: options.Queries = None,
    radius_m: options.RightRadius = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="NAME",
            help="raw, tokyo-12, timestamp, leave-one-out, truth-csv or loop-closure:N (default: "
            "the one of the data).",
        ),
    ] = None,
    loop_closure: Annotated[
        int | None,
        typer.Option(
            "--loop-closure",
            metavar="N",
            min=0,
            help="Search each frame among those more than N before it.",
        ),
    ] = None,
    open_set: Annotated[
        bool,
        typer.Option(
            "--open-set", help="Measure what is said of queries whose place is not there, too."
        ),
    ] = False,
    at_precision: Annotated[
        float | None,
        typer.Option(
            "--at-precision",
            metavar="SHARE",
            help="Tell the threshold from which so large a share is right, as 0.99; with "
            "--open-set.",
        ),
    ] = None,
    standardize: Annotated[
        bool,
        typer.Option(
            "--standardize",
            help="Centre and scale descriptors, of queries and database each by itself.",
        ),
    ] = False,
    sequence: Annotated[
        int | None,
        typer.Option(
            "--sequence",
            metavar="N",
            help="Rank each query with N frames on each side of it, and alone.",
        ),
    ] = None,
    causal: Annotated[
        bool, typer.Option("--causal", help="Use the N frames before only; with --sequence.")
    ] = False,
    index: Annotated[
        Path | None,
        typer.Option(
            "--index", metavar="INDEX", help="Take the database's descriptors from this index."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Rank by geometry too, as a verified search does.")
    ] = False,
    candidates: Annotated[int, CANDIDATES.option(max=None)] = CANDIDATES.default,
    model: Annotated[
        str | None,
        typer.Option(MODEL.flag, help=f"{MODEL.help} With --index, its own."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            metavar="A,B,…",
            help="Measure these models, ids or folders, and compare them with each other.",
        ),
    ] = None,
    threads: options.Threads = THREADS.default,
    precision: options.Precision = PRECISION.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    dims: Annotated[
        int | None, DIMS.option(help=f"{DIMS.help} With --index, its own.")
    ] = DIMS.default,
    ks: options.RecallKs = options.RECALL_KS,
    report_dir: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="DIR",
            help="Write tables, the curve and a page with the photos to this folder.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure Recall@N: how often a right place is among the first N results."""
    ns = parse_ks(ks)
    if not verify:
        only_work(context, "with --verify", "candidates")
    if loop_closure is not None:
        if protocol is not None:
            raise typer.BadParameter("Give one of --protocol and --loop-closure.")
        protocol = f"loop-closure:{loop_closure}"
    files = truth_files(
        data=data,
        split=split,
        truth=truth,
        root=root,
        queries_dir=queries_dir,
        database=database,
        queries=queries,
        radius_m=radius_m,
    )
    if index is not None and not is_typed(context, "dims"):
        dims = None  # the variable is meant for new descriptors
    measure_options: dict[str, Any] = {
        "protocol": protocol,
        "ks": ns,
        "verify": verify,
        "open_set": open_set,
        "at_precision": at_precision,
        "standardize": standardize,
        "sequence": sequence,
        "causal": causal,
        "candidates": candidates,
        "threads": threads,
        "dims": dims,
        "precision": precision,
        "max_pixels": max_megapixels * 10**6,
        "report_dir": report_dir,
    }
    if models is not None:
        if model is not None:
            raise typer.BadParameter("Give one of --model and --models.")
        if index is not None:
            raise typer.BadParameter(
                "--index holds descriptors of one model, so it does not work with --models."
            )
        _compare(files, models, measure_options, as_json)
        return
    from place_search.evaluation import evaluate_files

    with progress() as advance:
        report, unwritten = _measured(
            partial(
                evaluate_files,
                files,
                model=model or MODEL.in_environment,
                index=index,
                progress=advance,
                **measure_options,
            )
        )
    if as_json:
        print_json(report.to_dict())
    else:
        _print_table(report)
        if report.open_set is not None:
            _print_open_set(report.open_set)
        print_message(f"Described by {report.model} in {report.runtime}.")
    _print_database_note(files, report)
    for warning in report.warnings:
        print_message(f"Warning: {warning}")
    _print_report(report_dir, unwritten)


def _measured(measure: Callable[[], _Result]) -> "tuple[_Result, UnwrittenReportError | None]":
    """The result of a measurement, and the error if its report cannot be written."""
    from place_search.evaluation import UnwrittenReportError

    try:
        return measure(), None
    except UnwrittenReportError as error:
        return error.measured, error


def _print_report(folder: Path | None, unwritten: "UnwrittenReportError | None") -> None:
    """Print where the report is, or raise why it is not."""
    if unwritten is not None:
        raise unwritten
    if folder is not None:
        print_message(f"Report: {folder / 'index.html'}")


def _compare(
    files: "TruthFiles", models: str, measure_options: dict[str, Any], as_json: bool
) -> None:
    """Measure several models and print them side by side."""
    names = [name.strip() for name in models.split(",") if name.strip()]
    if len(names) < 2 or len(set(names)) < len(names):
        raise typer.BadParameter(
            f"--models {models}: name two models or more, each once, as in --models A,B."
        )
    from place_search.evaluation import evaluate_models

    with progress() as advance:
        compared, unwritten = _measured(
            partial(evaluate_models, files, names, progress=advance, **measure_options)
        )
    if as_json:
        print_json(compared.to_dict())
    else:
        _print_comparison(compared)
    for name, report in zip(compared.names, compared.reports, strict=True):
        if report.open_set is not None and not as_json:
            OUT.print(f"{name}:")
            _print_open_set(report.open_set)
        for photo in report.unreadable:
            print_message(f"Unreadable by {name}: {photo.name}: {photo.reason}")
        for warning in report.warnings:
            print_message(f"Warning: {name}: {warning}")
    _print_database_note(files, compared.reports[0])
    _print_report(measure_options["report_dir"], unwritten)


def _print_comparison(compared: "Comparison") -> None:
    from place_search.evaluation.report.comparison import comparison_rows
    from place_search.evaluation.report.tables import introduction

    first = compared.reports[0]
    protocol, _ = introduction(first)
    OUT.print(_counts(first))
    OUT.print(protocol, soft_wrap=True)
    print_table(*comparison_rows(compared), words=["model"])
    for difference in compared.differences:
        OUT.print(str(difference.sentence), soft_wrap=True)


def _counts(report: "EvalReport") -> str:
    database = counted(report.database, "database photo")
    return f"{counted(report.queries, 'query')}, {database}"


def _print_database_note(files: "TruthFiles", report: "EvalReport") -> None:
    if files.truth is not None and files.database is None:
        print_message(
            f"Searched were the positives alone, {report.database} in all; --database DIR searches "
            "all photos of a folder, as an index would hold."
        )


def _print_open_set(open_set: "OpenSet") -> None:
    from place_search.evaluation.report.open_set import open_set_figures

    print_line(
        f"Open set: {counted(open_set.known, 'query')} of known places, {open_set.unknown} of "
        f"others; found from the probability {open_set.threshold:.3f} on."
    )
    figures = [(str(label), value) for label, value in open_set_figures(open_set)]
    width = max(len(label) for label, _ in figures)
    for label, value in figures:
        print_line(f"  {label:{width}}  {value}")
    if open_set.at_precision is not None and open_set.threshold_at(open_set.at_precision) is None:
        share, tied = f"{100 * open_set.at_precision:g} %", open_set.best_of_both
        reason = "." if tied is None else f": right and wrong answers have {tied:.12g} alike."
        print_line(f"No threshold makes {share} of what is called found right{reason}")


def _print_table(report: "EvalReport") -> None:
    from place_search.evaluation.report.tables import (
        introduction,
        recall_rows,
        sequence_in_words,
    )

    OUT.print(f"{_counts(report)}, model {report.model}")
    for sentence in introduction(report):
        OUT.print(sentence, soft_wrap=True)
    print_table(*recall_rows(report))
    if report.settings.get("standardize"):
        OUT.print("Descriptors are standardised, of queries and database each by itself.")
    if report.settings.get("sequence"):
        OUT.print(f"Sequences: {sequence_in_words(report.settings['sequence'])}.", soft_wrap=True)
    if report.error_m is not None:
        median, ninety = (f"{report.error_m[percent]:,.0f} m" for percent in (50, 90))
        known = ""
        if report.error_queries < report.queries:
            known = f", where it is known ({report.error_queries:,} of {report.queries:,})"
        OUT.print(
            f"From a query to its first result{known}: {median} at the median, {ninety} or less "
            "for 90 %.",
            soft_wrap=True,
        )
    for photo in report.unreadable:
        print_message(f"Unreadable: {photo.name}: {photo.reason}")
