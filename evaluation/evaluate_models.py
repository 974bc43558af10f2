"""Several models on one truth, side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from place_search.core.progress import Progress, renamed, silent
from place_search.evaluation.comparison import Comparison, compare_reports
from place_search.evaluation.errors import TruthError, UnwrittenReportError, keeping
from place_search.evaluation.evaluate import RECALL_KS
from place_search.evaluation.evaluate_files import evaluate_files
from place_search.evaluation.recall import checked_ks
from place_search.evaluation.report.comparison import begin_comparison, write_comparison
from place_search.evaluation.truth.open_truth import open_truth
from place_search.evaluation.truth.truth_files import TruthFiles
from place_search.models import find_model


def evaluate_models(
    files: TruthFiles,
    models: Sequence[str | Path],
    *,
    ks: Iterable[int] = RECALL_KS,
    report_dir: Path | None = None,
    progress: Progress = silent,
    **options: Any,
) -> Comparison:
    """Measure each of the models, given by id or folder, and compare them with each other.

    `ks` and `options` are those of `evaluate_files`. In `report_dir` each model's report gets a
    folder of its name beside the page that compares them.

    Raises:
        UnwrittenReportError: a report cannot be written; the error has the comparison.
        TruthError: fewer than two models, or one twice; or as `evaluate_files`.
        PlaceSearchError: as `evaluate_files`.
    """
    names = [Path(model).name if Path(model).is_dir() else str(model) for model in models]
    if len(names) < 2 or len(set(names)) < len(names):
        raise TruthError(
            f"Two or more models of different names can be compared, not {', '.join(names)}."
        )
    ks = checked_ks(ks)
    for model in models:  # raises before the first evaluation, which may take hours
        find_model(model)
    if report_dir is not None:
        begin_comparison(report_dir)
    reports = []
    unwritten: UnwrittenReportError | None = None
    for name, model in zip(names, models, strict=True):
        try:
            report = evaluate_files(
                files,
                model=model,
                ks=ks,
                report_dir=None if report_dir is None else report_dir / name,
                progress=renamed(progress, f"Describing ({name})"),
                **options,
            )
        except UnwrittenReportError as error:
            report, unwritten = error.measured, error
        reports.append(report)
    compared = compare_reports(names, reports)
    if report_dir is not None:
        with keeping(compared):
            if unwritten is not None:
                raise unwritten
            files = replace(files, open_set=bool(options.get("open_set")))
            write_comparison(open_truth(files), compared, report_dir)
    return compared
