"""`place-search doctor`: reports faults of data, index or model before a job."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from place_search.cli import options
from place_search.cli.console import print_json
from place_search.cli.reading import only_work, parse_ks, truth_files
from place_search.cli.terminal import OUT, progress
from place_search.core.settings import MODEL, PRECISION, THREADS
from place_search.core.text import counted, free_bytes, needed_bytes

if TYPE_CHECKING:
    from place_search.evaluation import Diagnosis


def command(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Argument(metavar="DATA|INDEX", help="Photos as `eval` takes them, or an index."),
    ] = None,
    split: options.Split = None,
    truth: options.TruthFile = None,
    root: options.TruthRoot = None,
    queries_dir: options.QueriesDir = None,
    database: options.Database = None,
    queries: options.Queries = None,
    radius_m: options.RightRadius = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", metavar="NAME", help="As in `eval`.")
    ] = None,
    model: Annotated[str | None, MODEL.option(help=f"{MODEL.help} With an index, its own.")] = None,
    threads: options.Threads = THREADS.default,
    precision: options.Precision = PRECISION.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    ks: options.RecallKs = options.RECALL_KS,
    sample: Annotated[
        int,
        typer.Option("--sample", min=0, help="Queries to search for as a trial; 0 for no trial."),
    ] = 60,
    as_json: options.AsJson = False,
) -> None:
    """Examine photos, a truth, an index and the model before a job; exit 1 if there are problems.

    Missing files, positions out of range or swapped, photos and truth out of step, a vocabulary
    that was never fitted, an index of another model, copies; and the memory, disk and time that
    the job will need on this machine.
    """
    from place_search.evaluation import TruthFiles, data_and_index, examine

    photos, index = data_and_index(data, None)
    files = truth_files(
        index=index,
        data=photos,
        split=split,
        truth=truth,
        root=root,
        queries_dir=queries_dir,
        database=database,
        queries=queries,
        radius_m=radius_m,
    )
    if files == TruthFiles():
        only_work(context, "with photos to evaluate on", "protocol", "ks", "sample")
    ns = parse_ks(ks)
    with progress() as advance:
        diagnosis = examine(
            files,
            index=index,
            model=model,
            protocol=protocol,
            ks=ns,
            sample=sample,
            threads=threads,
            precision=precision,
            max_pixels=max_megapixels * 10**6,
            progress=advance,
        )
    if as_json:
        print_json(diagnosis.to_dict())
    else:
        _print(diagnosis)
    if diagnosis.problems:
        raise typer.Exit(1)


def _print(diagnosis: "Diagnosis") -> None:
    def line(text: str, style: str = "") -> None:
        OUT.print(text, style=style, markup=False, soft_wrap=True)

    database = counted(diagnosis.database, "database photo")
    photos = f"{counted(diagnosis.queries, 'query')}, {database}"
    line(f"{photos}, model {diagnosis.model}")
    if diagnosis.runtime:
        line(f"The model runs in {diagnosis.runtime}")
    if diagnosis.chance is not None:
        shares = ", ".join(f"R@{n} {share:.2f} %" for n, share in diagnosis.chance.items())
        no_positives = diagnosis.queries_without_positives
        have = "has" if no_positives == 1 else "have"
        line(
            f"Protocol {diagnosis.protocol}; {counted(no_positives, 'query')} {have} no positives; "
            f"by chance {shares}"
        )
    if diagnosis.plan is not None and diagnosis.seconds is not None:
        memory, disk = diagnosis.plan["memory_bytes"], diagnosis.plan["disk_bytes"]
        line(
            f"To describe them: {_time(diagnosis.seconds['embed'])} at "
            f"{diagnosis.plan['photos_per_second']:g} photos/s; to search: "
            f"{_time(diagnosis.seconds['search'])}"
        )
        for job, name in (("index", "An index"), ("eval", "An evaluation")):
            line(f"{name} needs {_sizes(memory, job)} of memory and {_sizes(disk, job)} of disk")
    if (sample := diagnosis.sample) is not None:
        line(
            f"Trial: {counted(sample['queries'], 'query')} among "
            f"{counted(sample['database'], 'photo')}, "
            f"R@1 {sample['recall']['1']} % (chance {sample['chance']['1']} %)"
        )
    for note in diagnosis.notes:
        line(f"Note: {note}")
    for problem in diagnosis.problems:
        line(f"Problem: {problem.code} ({problem.count}), such as {problem.example}", "red")
        line(f"  {problem.remedy}")
    if not diagnosis.problems:
        line("No problems found.", "green")


def _sizes(sizes: "Mapping[str, Any]", job: str) -> str:
    return f"{needed_bytes(sizes[job])} ({free_bytes(sizes['available'])} free)"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
