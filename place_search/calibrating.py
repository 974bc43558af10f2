"""When an index measures a calibration of its own, as the command line and Python both do."""

from pathlib import Path
from typing import TYPE_CHECKING

from place_search.core.progress import Progress

if TYPE_CHECKING:
    from place_search.indexer import Index
    from place_search.models import Model
    from place_search.search.index_calibration import IndexCalibration


def calibrate_and_keep(index: "Index", model: "Model", progress: Progress) -> "IndexCalibration":
    """Measure a calibration on an index's own photos, and keep it there."""
    from place_search.evaluation import calibrate_index
    from place_search.search.index_calibration import write_index_calibration

    measured = calibrate_index(index, model, progress=progress)
    write_index_calibration(index, measured)
    return measured


def keep_calibrated(folder: Path, model: "Model", progress: Progress) -> None:
    """Measure a calibration for an index whose model has none, again when it has doubled."""
    if model.card.calibration is not None:  # nothing is imported for it
        return
    from place_search.indexer import open_index
    from place_search.search.index_calibration import read_index_calibration

    index = open_index(folder)
    kept = read_index_calibration(index)
    if kept is None or len(index) >= 2 * kept.places:
        calibrate_and_keep(index, model, progress)
