"""The page that shows several models side by side: table, curves, and differing queries."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from place_search.core.files import require_own_folder, write_files
from place_search.core.tables import table_text
from place_search.core.text import json_text
from place_search.evaluation.comparison import Comparison
from place_search.evaluation.errors import TruthError
from place_search.evaluation.protocol import open_protocol
from place_search.evaluation.recall import recall_at
from place_search.evaluation.report.album import (
    Album,
    Card,
    Figure,
    fill_page,
    similarity_and_distance,
    spread,
)
from place_search.evaluation.report.curve import draw_curves
from place_search.evaluation.report.outcomes import QueryOutcome, outcomes_of
from place_search.evaluation.report.words import message
from place_search.evaluation.truth.ground_truth import GroundTruth

COMPARISON = "comparison.json"
"""The file that marks a folder as a comparison."""
SHOWN = 120


def comparison_rows(
    compared: Comparison, *, thousands: str = ","
) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of the table: a model a row, and a random ranking.

    `thousands` is the sign between the thousands of a number.
    """
    ns = list(compared.reports[0].recall)
    head = ["model", *(f"R@{n} %" for n in ns), "ms a photo", "bytes a photo", "precision"]
    rows = [
        [
            name,
            *(f"{report.recall[n]:.1f}" for n in ns),
            "" if report.ms_a_photo is None else f"{report.ms_a_photo:.1f}",
            f"{report.bytes_a_photo:,.0f}".replace(",", thousands),
            report.precision,
        ]
        for name, report in zip(compared.names, compared.reports, strict=True)
    ]
    chance = compared.reports[0].chance
    return head, [*rows, ["chance", *(f"{chance[n]:.1f}" for n in ns), "", "", ""]]


def begin_comparison(out: Path) -> None:
    """Mark the folder as a comparison, so that an interrupted run can be repeated.

    Raises:
        TruthError: the folder cannot be written, or holds other files than a comparison's.
    """
    require_own_folder(out, COMPARISON, "comparison", TruthError)
    mark = {COMPARISON: json.dumps({"models": [], "comparison": []}) + "\n"}
    write_files(out, mark, "comparison", TruthError)


def write_comparison(truth: GroundTruth, compared: Comparison, out: Path) -> Path:
    """Write a comparison into the folder `out`, beside the models' reports; returns its page.

    The files: `comparison.json` (what `eval --models … --json` prints), `comparison.csv` (the
    table), `queries.csv` (the rank of the first right result, a column a model), `recall.svg`,
    and `index.html`, which shows all of that and the queries on which the models differ.

    Raises:
        TruthError: the folder cannot be written.
    """
    outcomes = [outcomes_of(truth, report) for report in compared.reports]
    first = compared.reports[0]
    deepest = min(
        max(max(report.recall), max(len(results.rows) for results in report.ranked))
        for report in compared.reports
    )
    rules, ns = open_protocol(truth, first.protocol), range(1, deepest + 1)
    recalls = {
        name: recall_at([results.rows for results in report.ranked], report.positives, ns)
        for name, report in zip(compared.names, compared.reports, strict=True)
    }
    curves = draw_curves(recalls, rules.chance(ns))
    head, rows = comparison_rows(compared)
    differing = _differing(outcomes)
    album = Album(truth)
    page = fill_page(
        "comparison.html",
        truth=truth,
        compared=compared,
        differences=[difference.sentence for difference in compared.differences],
        pairs=list(zip(compared.names, compared.reports, strict=True)),
        report=first,
        head=head,
        rows=rows,
        curve=curves,
        differing=len(differing),
        cards=[
            _card(truth, compared, outcomes, query, album) for query in spread(differing, SHOWN)
        ],
        photos=album.photos,
    )
    texts = {
        COMPARISON: json_text(compared.to_dict(), indent=2) + "\n",
        "comparison.csv": table_text([head, *comparison_rows(compared, thousands="")[1]]),
        "queries.csv": _queries_csv(truth, compared, outcomes),
        "recall.svg": curves,
        "index.html": page,
    }
    write_files(out, texts, "comparison", TruthError)
    return out / "index.html"


def _differing(outcomes: Sequence[Sequence[QueryOutcome]]) -> list[int]:
    """The queries whose first result is right for some models and wrong for others."""
    right = np.array([[outcome.right for outcome in of_model] for of_model in outcomes])
    return np.flatnonzero(right.any(axis=0) & ~right.all(axis=0)).tolist()


def _queries_csv(
    truth: GroundTruth, compared: Comparison, outcomes: Sequence[Sequence[QueryOutcome]]
) -> str:
    lines: list[list[object]] = [["query", *(f"first_right {name}" for name in compared.names)]]
    for query, name in enumerate(truth.queries):
        lines.append([name, *(of_model[query].first_right for of_model in outcomes)])
    return table_text(lines)


def _card(
    truth: GroundTruth,
    compared: Comparison,
    outcomes: Sequence[Sequence[QueryOutcome]],
    query: int,
    album: Album,
) -> Card:
    """A query with the first result of each model; right where that of the first model is."""
    query_name = truth.queries[query]
    figures = [
        Figure("asked", album.add(query_name), message("query"), message("query"), query_name)
    ]
    right_by = []
    for name, report, of_model in zip(compared.names, compared.reports, outcomes, strict=True):
        is_right = of_model[query].right
        verdict = "right" if is_right else "wrong"
        right_by += [name] * is_right
        for row in report.ranked[query].rows[:1].tolist():
            place = truth.database[row]
            alt, label = (
                message(f"first-{verdict}", model=name),
                message(f"model-{verdict}", model=name),
            )
            distance = similarity_and_distance(truth, query, row)
            figures.append(Figure(verdict, album.add(place), alt, label, place, distance))
    heading = message("right-by", models=", ".join(right_by))
    return Card(query, query_name, heading, outcomes[0][query].right, figures)
