"""The page of a report in one file: table, curve, map, and queries beside their results.

It embeds each photo once, as a small JPEG, so that it shows at most `SHOWN` queries. It has the
style of the server's pages.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from place_search.evaluation.open_set import OpenSet
from place_search.evaluation.report.album import (
    Album,
    Card,
    Figure,
    Frame,
    fill_page,
    similarity_and_distance,
    spread,
)
from place_search.evaluation.report.curve import draw_curve
from place_search.evaluation.report.error_map import draw_map
from place_search.evaluation.report.open_set import (
    draw_precision_recall,
    draw_reliability,
    open_set_figures,
    worst_confusions,
)
from place_search.evaluation.report.outcomes import QueryOutcome
from place_search.evaluation.report.tables import facts, recall_rows
from place_search.evaluation.report.words import Message, message
from place_search.evaluation.results import EvalReport
from place_search.evaluation.sequences import query_routes
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.search.tracks.routes import Routes

SHOWN = 120
"""The largest number of queries in the page, up to two thirds of them wrong."""
RESULTS = 5
FILM = 2
"""The largest number of frames on each side of a query in its film strip."""


def choose_shown(outcomes: Sequence[QueryOutcome]) -> list[QueryOutcome]:
    """The queries to show, in their order: evenly spread over the wrong and the right queries."""
    wrong = [outcome for outcome in outcomes if not outcome.is_well]
    right = [outcome for outcome in outcomes if outcome.is_well]
    wrong_count = min(len(wrong), max(SHOWN * 2 // 3, SHOWN - len(right)))
    sample = spread(wrong, wrong_count) + spread(right, SHOWN - wrong_count)
    return sorted(sample, key=lambda outcome: outcome.query)


def render_page(
    truth: GroundTruth,
    report: EvalReport,
    outcomes: Sequence[QueryOutcome],
    curve: tuple[Mapping[int, float], Mapping[int, float]],
) -> str:
    """The whole page; `curve` is recall and chance by N."""
    shown = choose_shown(outcomes)
    album = Album(truth)
    routes = query_routes(truth)[0] if report.settings.get("sequence") else None
    cards = [_card(truth, report, outcome, album, routes) for outcome in shown]
    error_map = draw_map(truth, report, outcomes, {outcome.query for outcome in shown})
    head, rows = recall_rows(report)
    return fill_page(
        "page.html",
        truth=truth,
        report=report,
        head=head,
        rows=rows,
        facts=facts(truth, report),
        curve=draw_curve(*curve, report.published),
        open_set=None if report.open_set is None else _open_set(truth, report, report.open_set),
        map=error_map,
        errors=_errors(outcomes, report) if error_map else "",
        cards=cards,
        wrong=sum(not outcome.is_well for outcome in outcomes),
        wrong_shown=sum(not outcome.is_well for outcome in shown),
        photos=album.photos,
    )


def _open_set(truth: GroundTruth, report: EvalReport, figures: OpenSet) -> Mapping[str, Any]:
    return {
        "measured": figures,
        "figures": open_set_figures(figures),
        "curve": draw_precision_recall(figures),
        "reliability": draw_reliability(figures),
        "worst": worst_confusions(truth, report, figures),
    }


def _card(
    truth: GroundTruth,
    report: EvalReport,
    outcome: QueryOutcome,
    album: Album,
    routes: Routes | None,
) -> Card:
    """A query with its first results, and with a right photo if none of these is right."""
    results, right = report.ranked[outcome.query], set(report.positives[outcome.query].tolist())
    figures = [
        Figure("asked", album.add(outcome.name), message("query"), message("query"), outcome.name)
    ]
    for rank, row in enumerate(results.rows[:RESULTS].tolist(), 1):
        verdict = "right" if row in right else "wrong"
        name = truth.database[row]
        figures.append(
            Figure(
                verdict,
                album.add(name),
                message(f"result-{verdict}", rank=rank),
                message(f"rank-{verdict}", rank=rank),
                name,
                similarity_and_distance(
                    truth, outcome.query, row, f"{results.similarities[rank - 1]:.3f}"
                ),
            )
        )
    is_shown = outcome.first_right is not None and outcome.first_right <= RESULTS
    if right and not is_shown:
        ranked = [row for row in results.rows.tolist() if row in right]
        row = ranked[0] if ranked else min(right)
        name = truth.database[row]
        figures.append(
            Figure(
                "answer",
                album.add(name),
                message("a-right-place"),
                message("was-right"),
                name,
                similarity_and_distance(truth, outcome.query, row),
            )
        )
    film = () if routes is None else _film(truth, report, outcome.query, album, routes)
    heading = _verdict(outcome, report)
    return Card(outcome.query, outcome.name, heading, outcome.is_well, figures, film)


def _film(
    truth: GroundTruth, report: EvalReport, query_number: int, album: Album, routes: Routes
) -> list[Frame]:
    """A query and the neighbours that it was ranked with, in their order."""
    window = report.settings["sequence"]
    steps = range(-min(window["before"], FILM), min(window["after"], FILM) + 1)
    frames = []
    for step in steps:
        query = routes.along(query_number, step)
        if query is None:
            continue
        name = truth.queries[query]
        label = message("query") if step == 0 else f"{step:+d}"
        alt = label if step == 0 else message("frame", step=label)
        figures = [Figure("frame", album.add(name), alt, label, name)]
        for row in report.ranked[query].rows[:1].tolist():
            verdict = "right" if row in report.positives[query] else "wrong"
            place = truth.database[row]
            alt = message(f"its-{verdict}")
            figures.append(Figure(verdict, album.add(place), alt, message(verdict), place))
        frames.append(Frame(step == 0, figures))
    return frames


def _verdict(outcome: QueryOutcome, report: EvalReport) -> Message:
    if outcome.right:
        return message("is-right")
    if outcome.rejected:
        return message("rightly-none")
    if not outcome.is_read:
        return message("not-read")
    if not outcome.searched:
        return message("none-searched")
    if not outcome.answerable:
        return message("none-right")
    if outcome.first_right is None:
        return message("none-among", kept=len(report.ranked[outcome.query].rows))
    return message("right-at", rank=outcome.first_right)


def _errors(outcomes: Sequence[QueryOutcome], report: EvalReport) -> Message | str:
    errors = [outcome.error_m for outcome in outcomes if outcome.error_m is not None]
    if report.error_m is None:
        return ""
    within_25, within_100, within_1000 = (
        f"{100 * sum(error <= limit for error in errors) / len(errors):.1f}"
        for limit in (25, 100, 1000)
    )
    median_m, most_m = f"{report.error_m[50]:,.0f}", f"{report.error_m[90]:,.0f}"
    metres = {"median": median_m, "most": most_m}
    shares = {"near": within_25, "middle": within_100, "far": within_1000}
    if len(errors) == len(outcomes):
        return message("errors", **metres, **shares)
    return message("errors-known", known=len(errors), total=len(outcomes), **metres, **shares)
