"""Writing a report's files."""

from pathlib import Path

from place_search.core.files import begin_files, write_files
from place_search.core.text import json_text
from place_search.evaluation.errors import TruthError
from place_search.evaluation.protocol import open_protocol
from place_search.evaluation.recall import recall_at
from place_search.evaluation.report.curve import draw_curve
from place_search.evaluation.report.gallery import render_page
from place_search.evaluation.report.outcomes import outcomes_of
from place_search.evaluation.report.tables import queries_csv, recall_csv, recall_markdown
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth

FIGURES = "report.json"
"""The file that marks a folder as a report."""


def begin_report(out: Path) -> None:
    """Make sure that a report can be written into the folder `out`.

    Raises:
        TruthError: the folder cannot be written, or holds other files than a report's.
    """
    begin_files(out, FIGURES, "recall", "report", TruthError)


def write_report(truth: GroundTruth, report: EvalReport, out: Path) -> Path:
    """Write a report into the folder `out`, and return the path of its page.

    The files: `report.json` (what `eval --json` prints, with the whole curve), `recall.md` and
    `recall.csv` (the table), `queries.csv` (a line a query), `recall.svg` (the curve), and
    `index.html`, which shows all of that and the photos, and needs no other file.

    Raises:
        TruthError: the folder cannot be written, or holds other files than a report's.
    """
    begin_report(out)
    rules = open_protocol(truth, report.protocol)
    # Of a small database there may be fewer results than the curve would show.
    deepest = max(max(report.recall), max(len(results.rows) for results in report.ranked))
    ns = range(1, deepest + 1)
    recall = recall_at([results.rows for results in report.ranked], report.positives, ns)
    chance = rules.chance(ns)
    outcomes = outcomes_of(truth, report)
    body = {
        **report.to_dict(),
        "truth": truth.name,
        "radius_m": truth.radius_m,
        "curve": {
            "recall": {str(n): round(value, 2) for n, value in recall.items()},
            "chance": {str(n): round(value, 2) for n, value in chance.items()},
        },
    }
    texts = {
        FIGURES: json_text(body, indent=2) + "\n",
        "recall.md": recall_markdown(truth, report),
        "recall.csv": recall_csv(report),
        "queries.csv": queries_csv(truth, report, outcomes),
        "recall.svg": draw_curve(recall, chance, report.published),
        "index.html": render_page(truth, report, outcomes, (recall, chance)),
    }
    write_files(out, texts, "report", TruthError)
    return out / "index.html"
