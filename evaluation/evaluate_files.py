"""An evaluation from files and folders, for `place-search eval` and the Python interface."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from place_search.core.progress import Progress, silent
from place_search.core.settings import AskedPrecision
from place_search.core.tables import require_number
from place_search.evaluation.descriptors import IndexDatabase
from place_search.evaluation.errors import MeasureError, keeping
from place_search.evaluation.evaluate import RECALL_KS, evaluate
from place_search.evaluation.protocol import open_protocol
from place_search.evaluation.recall import checked_ks
from place_search.evaluation.report.write import begin_report, write_report
from place_search.evaluation.results import EvalReport
from place_search.evaluation.sequences import Window
from place_search.evaluation.truth.open_truth import open_truth
from place_search.evaluation.truth.truth_files import TruthFiles
from place_search.evaluation.verified_ranking import GeometryReranker
from place_search.indexer import Index, fit_model, open_index, open_index_model
from place_search.models import DEFAULT_MODEL, Model, open_model
from place_search.photos.decoding import MAX_PIXELS
from place_search.search.verification import CANDIDATES


def evaluate_files(
    files: TruthFiles,
    *,
    model: Model | str | Path | None = None,
    index: Path | None = None,
    protocol: str | None = None,
    ks: Iterable[int] = RECALL_KS,
    verify: bool = False,
    candidates: int = CANDIDATES,
    open_set: bool = False,
    at_precision: float | None = None,
    standardize: bool = False,
    sequence: int | None = None,
    causal: bool = False,
    threads: int | None = None,
    dims: int | None = None,
    precision: AskedPrecision = "auto",
    max_pixels: int = MAX_PIXELS,
    report_dir: Path | None = None,
    progress: Progress = silent,
) -> EvalReport:
    """Recall@N for each N of `ks` on the truth that `files` name.

    `model` is an opened model, an id or a folder; by default the model of the `index`, or else the
    included one. The descriptors of an `index` stand for those of the database. `verify` ranks
    the first `candidates` by geometry too. `open_set` measures the verdicts on queries whose place
    is not in the database; `at_precision` (0.5–1) is the share of right answers among "found" for
    which the threshold is reported. `standardize` centres and scales descriptors. Each query is
    ranked with the `sequence` frames on each side of it, or only before it if `causal`. Photos
    that would decode to more than `max_pixels` count as unreadable. The report is written into
    `report_dir`, if given.

    Raises:
        WrongParameterError: a number that makes no sense, `causal` without `sequence`,
            `at_precision` without `open_set`, or `dims` that an index has not.
        UnwrittenReportError: the report cannot be written; the error has it.
        TruthError: a truth that cannot be used, a protocol that it does not fit, a folder for the
            report that cannot be written.
        PlaceSearchError: photos, an index or a model that cannot be opened.
    """
    ks = checked_ks(ks)
    if causal and sequence is None:
        raise MeasureError("--causal only works with --sequence.", "causal")
    if sequence is not None:
        require_number("sequence", sequence, 1, whole=True)
    if at_precision is not None:
        require_number("at_precision", at_precision, 0.5, 1)
        if not open_set:
            raise MeasureError("--at-precision only works with --open-set.", "at_precision")
    require_number("candidates", candidates, 1, whole=True)
    truth = open_truth(replace(files, open_set=open_set))
    truth.require_photos()
    open_protocol(truth, protocol)  # raises before the model is opened, which takes seconds
    if report_dir is not None:
        begin_report(report_dir)
    opened_index = None if index is None else open_index(index)
    if verify and opened_index is not None and not opened_index.has_local_features:
        raise MeasureError(
            f"{index} keeps no local features for --verify to compare; leave out one of the two, "
            "or index the photos again with local features.",
            "verify",
        )
    if isinstance(model, Model):
        opened = model
        if opened_index is not None:
            opened = fit_model(opened_index.manifest, opened_index.folder, model)
    else:
        opened = _open_model(model, opened_index, threads, dims, precision, max_pixels, verify)
    places = None if opened_index is None else IndexDatabase(opened_index, truth)
    reranker = None
    if verify:
        reranker = GeometryReranker(
            opened, truth.root, k=ks[-1], index=places, candidates=candidates
        )
    report = evaluate(
        truth,
        opened,
        ks=ks,
        protocol=protocol,
        index=places,
        reranker=reranker,
        open_set=open_set,
        at_precision=at_precision,
        standardize=standardize,
        window=_window(sequence, causal),
        progress=progress,
    )
    if report_dir is not None:
        with keeping(report):
            write_report(truth, report, report_dir)
    return report


def _window(sequence: int | None, causal: bool) -> Window | None:
    if sequence is None:
        return None
    return Window(sequence, 0 if causal else sequence)


def _open_model(
    model: str | Path | None,
    index: Index | None,
    threads: int | None,
    dims: int | None,
    precision: AskedPrecision,
    max_pixels: int,
    verify: bool,
) -> Model:
    if index is None:
        return open_model(
            model or DEFAULT_MODEL,
            mode="throughput",
            threads=threads,
            dims=dims,
            precision=precision,
            max_pixels=max_pixels,
            verify=verify,
        )
    if dims not in (None, index.dims):
        raise MeasureError(
            f"{index.folder} keeps {index.dims} numbers a photo, so --dims {dims} does not fit; "
            "leave --dims out.",
            "dims",
        )
    return open_index_model(
        index.manifest,
        model,
        mode="throughput",
        threads=threads,
        precision=precision,
        max_pixels=max_pixels,
        verify=verify,
    )
