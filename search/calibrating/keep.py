"""When an index measures a calibration of its own, whoever changes it: Python, a server too."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from place_search.core.progress import Progress, silent
from place_search.core.text import counted
from place_search.search.errors import CalibrationError

if TYPE_CHECKING:
    from place_search.indexer import Index, VerifyReport
    from place_search.models import Model
    from place_search.search.calibrating.measure import Read
    from place_search.search.index_calibration import IndexCalibration

ENOUGH = 100
"""Fewer places show only some of what photos of other places look like."""


def calibrate_and_keep(
    index: "Index", model: "Model", progress: Progress = silent, *, read: "Read | None" = None
) -> "IndexCalibration":
    """Measure a calibration on an index's own photos, which `read` decodes, and keep it there.

    Raises:
        ModelMismatchError: another model made the index.
        CalibrationError: its places are too few, or too much alike, to say anything.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
    """
    from place_search.search.calibrating.measure import calibrate_index
    from place_search.search.index_calibration import write_index_calibration

    measured = calibrate_index(index, model, read=read, progress=progress)
    write_index_calibration(index, measured)
    return measured


def keep_calibrated(
    folder: Path, model: "Model", progress: Progress = silent, *, read: "Read | None" = None
) -> "str | None":
    """Measure a calibration for an index whose model has none, again when its places are others.

    One that was measured by hand, where the model has its own, is kept up in the same way.

    Returns: what is to be said of it, None where there was nothing to measure.
    """
    from place_search.indexer import open_index
    from place_search.search.index_calibration import FILE, calibration_of_index

    needed = model.card.calibration is None
    if not needed and not (folder / FILE).exists():  # the index is not opened for it
        return None
    index = open_index(folder)
    kept = calibration_of_index(index, model)
    if kept is not None:
        needed = not kept.is_of(index)
    if not needed:
        return None
    try:
        return summary_of(calibrate_and_keep(index, model, progress, read=read))
    except CalibrationError as error:
        return str(error)


def with_calibration(
    folder: Path,
    report: "VerifyReport",
    model: "Callable[[], Model] | None",
    progress: Progress = silent,
) -> "VerifyReport":
    """A check of an index with that of its calibration; a `model` measures a damaged one again."""
    from place_search.indexer import Defect, IndexFormatError, open_index
    from place_search.search.index_calibration import FILE, read_index_calibration

    if not report.whole:
        return report
    index = open_index(folder)
    try:
        read_index_calibration(index)
    except IndexFormatError as error:
        what = str(error).removeprefix(f"{index.folder / FILE} ").rstrip(".")
        report = replace(report, problems=[*report.problems, Defect(FILE, what)])
        if model is not None:
            calibrate_and_keep(index, model(), progress)
            report = replace(report, repaired=[*report.repaired, FILE])
    return report


def summary_of(measured: "IndexCalibration") -> str:
    """What was measured, and what it is worth, in a sentence."""
    recall, precision = measured.calibration.recall, measured.calibration.precision
    found = "none is found"
    if precision is not None:
        found = f"{100 * recall:.0f} % found, {100 * precision:.0f} % of them right"
    places = counted(measured.places, "place")
    few = "" if measured.places >= ENOUGH else f"; {places} are little to go by"
    return (
        f"{counted(measured.copies, 'altered copy')} of {places}, each beside its own place and "
        f"others: {found}{few}."
    )
