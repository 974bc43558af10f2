"""Measure the calibration of an index whenever it changes, from Python or in a server."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from place_search.core.progress import Progress, silent
from place_search.core.text import counted
from place_search.indexer.storage.lock import FINISHING_SECONDS
from place_search.search.errors import CalibrationError

if TYPE_CHECKING:
    from place_search.indexer import Index, VerifyReport
    from place_search.models import Model
    from place_search.search.calibrating.measure import Read
    from place_search.search.index_calibration import IndexCalibration

ENOUGH = 100
"""The number of places below which a calibration is called uncertain."""


def calibrate_and_keep(
    index: "Index",
    model: "Model",
    progress: Progress = silent,
    *,
    read: "Read | None" = None,
    patience: float = FINISHING_SECONDS,
) -> "IndexCalibration":
    """Measure a calibration on an index's own photos, which `read` decodes, and store it there.

    Raises:
        ModelMismatchError: another model made the index.
        CalibrationError: the places are too few or too much alike.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there for
            more than `patience` seconds.
    """
    from place_search.search.calibrating.measure import calibrate_index
    from place_search.search.index_calibration import write_index_calibration

    measured = calibrate_index(index, model, read=read, progress=progress)
    write_index_calibration(index, measured, patience=patience)
    return measured


def keep_calibrated(
    folder: Path,
    model: "Model",
    progress: Progress = silent,
    *,
    read: "Read | None" = None,
    patience: float = FINISHING_SECONDS,
) -> "str | None":
    """Measure a calibration for an index whose model has none, again when its places change.

    A calibration that was measured by hand, where the model has its own, is renewed likewise.

    Returns: a sentence on the measurement, None where there was nothing to measure.
    """
    from place_search.indexer import open_index
    from place_search.search.index_calibration import FILE, calibration_of_index

    needed = model.card.calibration is None
    if not needed and not (folder / FILE).exists():  # the index is not opened for it
        return None
    index = open_index(folder)
    stored = calibration_of_index(index, model)
    if stored is not None:
        needed = not stored.is_of(index)
    if not needed:
        return None
    try:
        return summary_of(calibrate_and_keep(index, model, progress, read=read, patience=patience))
    except CalibrationError as error:
        return str(error)


def with_calibration(
    folder: Path,
    report: "VerifyReport",
    model: "Callable[[], Model] | None",
    progress: Progress = silent,
) -> "VerifyReport":
    """The report of a check, with that of the calibration; a `model` renews a damaged one."""
    from place_search.indexer import Defect, IndexFormatError, open_index
    from place_search.search.index_calibration import FILE, read_index_calibration

    if not report.whole:
        return report
    index = open_index(folder)
    try:
        read_index_calibration(index)
    except IndexFormatError as error:
        defect = str(error).removeprefix(f"{index.folder / FILE} ").rstrip(".")
        report = replace(report, problems=[*report.problems, Defect(FILE, defect)])
        if model is not None:
            calibrate_and_keep(index, model(), progress)
            report = replace(report, repaired=[*report.repaired, FILE])
    return report


def summary_of(measured: "IndexCalibration") -> str:
    """A sentence on a measurement: its copies and places, recall and precision."""
    recall, precision = measured.calibration.recall, measured.calibration.precision
    figures = "none is found"
    if precision is not None:
        figures = f"{100 * recall:.0f} % found, {100 * precision:.0f} % of them right"
    places = counted(measured.places, "place")
    few = "" if measured.places >= ENOUGH else f"; {places} are little to go by"
    return (
        f"{counted(measured.copies, 'altered copy')} of {places}, each beside its own place and "
        f"others: {figures}{few}."
    )
