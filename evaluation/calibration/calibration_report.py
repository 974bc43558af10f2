"""A calibration's report: its figures as JSON, its precision–recall curve as CSV and SVG."""

import json
from dataclasses import asdict
from pathlib import Path

from place_search.core.files import begin_files, write_files
from place_search.core.tables import table_text
from place_search.evaluation.calibration.calibrate import Fitted
from place_search.evaluation.errors import TruthError
from place_search.search.calibrating.logistic import Floats, precision_recall

FIGURES = "calibration.json"
_SIDE, _EDGE = 400, 50


def begin_calibration_report(folder: Path) -> None:
    """Make sure that a report can be written into a folder.

    Raises:
        TruthError: the folder cannot be written, or holds other files than such a report's.
    """
    begin_files(folder, FIGURES, "threshold", "report", TruthError)


def write_calibration_report(fitted: Fitted, folder: Path) -> None:
    """Write calibration.json, precision_recall.csv and precision_recall.svg into a folder.

    Raises:
        TruthError: the folder cannot be written, or holds other files than such a report's.
    """
    begin_calibration_report(folder)
    curve = precision_recall(fitted.probabilities, fitted.same)
    points = zip(*(column.round(6).tolist() for column in curve), strict=True)
    texts = {
        FIGURES: json.dumps(asdict(fitted.calibration), indent=2) + "\n",
        "precision_recall.csv": table_text([("threshold", "precision", "recall"), *points]),
        "precision_recall.svg": _svg(curve[1], curve[2]),
    }
    write_files(folder, texts, "report", TruthError)


def _svg(precision: Floats, recall: Floats) -> str:
    points = " ".join(
        f"{_EDGE + _SIDE * x:.1f},{_EDGE + _SIDE * (1 - y):.1f}"
        for x, y in zip(recall.tolist(), precision.tolist(), strict=True)
    )
    size = _SIDE + 2 * _EDGE
    frame = f'<rect x="{_EDGE}" y="{_EDGE}" width="{_SIDE}" height="{_SIDE}" fill="none"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" '
        'font-family="sans-serif" font-size="14" stroke="#888">'
        f"<title>Precision by recall on held-back pairs</title>{frame}"
        f'<polyline points="{points}" fill="none" stroke="#0a6a5c" stroke-width="2"/>'
        f'<g stroke="none"><text x="{size / 2}" y="{size - 15}" text-anchor="middle">recall</text>'
        f'<text x="15" y="{size / 2}" text-anchor="middle" '
        f'transform="rotate(-90 15 {size / 2})">precision</text></g></svg>\n'
    )
