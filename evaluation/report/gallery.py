"""The page of a report: table, curve, map, and queries beside their results; one file, no requests.

Photos stand in it as small JPEGs, each once, so only some queries are shown of very many. It looks
as the server's pages do: their style is in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from place_search.evaluation.open_set import OpenSet
from place_search.evaluation.report.album import (
    Album,
    Card,
    Figure,
    Frame,
    away,
    fill_page,
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
from place_search.evaluation.report.words import Said, say
from place_search.evaluation.results import EvalReport
from place_search.evaluation.sequences import query_routes
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.search.tracks.routes import Routes

SHOWN = 120
"""Queries in the page at most, two thirds of them wrong ones where there are so many."""
RESULTS = 5
FILM = 2
"""Frames on each side of a query in its film strip at most."""


def choose_shown(outcomes: Sequence[QueryOutcome]) -> list[QueryOutcome]:
    """The queries to show, in their order: spread evenly over wrong ones and over right ones."""
    wrong = [outcome for outcome in outcomes if not outcome.is_well]
    right = [outcome for outcome in outcomes if outcome.is_well]
    many_wrong = min(len(wrong), max(SHOWN * 2 // 3, SHOWN - len(right)))
    chosen = spread(wrong, many_wrong) + spread(right, SHOWN - many_wrong)
    return sorted(chosen, key=lambda outcome: outcome.query)


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
    drawn = draw_map(truth, report, outcomes, {outcome.query for outcome in shown})
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
        map=drawn,
        errors=_errors(outcomes, report) if drawn else "",
        cards=cards,
        wrong=sum(not outcome.is_well for outcome in outcomes),
        wrong_shown=sum(not outcome.is_well for outcome in shown),
        photos=album.photos,
    )


def _open_set(truth: GroundTruth, report: EvalReport, found: OpenSet) -> Mapping[str, Any]:
    return {
        "found": found,
        "figures": open_set_figures(found),
        "curve": draw_precision_recall(found),
        "reliability": draw_reliability(found),
        "worst": worst_confusions(truth, report, found),
    }


def _card(
    truth: GroundTruth,
    report: EvalReport,
    outcome: QueryOutcome,
    album: Album,
    routes: Routes | None,
) -> Card:
    """A query with its first results, and with a right photo where these show none."""
    results, right = report.ranked[outcome.query], set(report.positives[outcome.query].tolist())
    figures = [Figure("asked", album.add(outcome.name), say("query"), say("query"), outcome.name)]
    for rank, row in enumerate(results.rows[:RESULTS].tolist(), 1):
        verdict = "right" if row in right else "wrong"
        name = truth.database[row]
        figures.append(
            Figure(
                verdict,
                album.add(name),
                say(f"result-{verdict}", rank=rank),
                say(f"rank-{verdict}", rank=rank),
                name,
                away(truth, outcome.query, row, f"{results.similarities[rank - 1]:.3f}"),
            )
        )
    seen = outcome.first_right is not None and outcome.first_right <= RESULTS
    if right and not seen:
        ranked = [row for row in results.rows.tolist() if row in right]
        row = ranked[0] if ranked else min(right)
        name = truth.database[row]
        figures.append(
            Figure(
                "answer",
                album.add(name),
                say("a-right-place"),
                say("was-right"),
                name,
                away(truth, outcome.query, row),
            )
        )
    film = () if routes is None else _film(truth, report, outcome.query, album, routes)
    heading = _verdict(outcome, report)
    return Card(outcome.query, outcome.name, heading, outcome.is_well, figures, film)


def _film(
    truth: GroundTruth, report: EvalReport, asked: int, album: Album, routes: Routes
) -> list[Frame]:
    """A query and those beside it that it was ranked with, in their order."""
    window = report.settings["sequence"]
    steps = range(-min(window["before"], FILM), min(window["after"], FILM) + 1)
    frames = []
    for step in steps:
        query = routes.along(asked, step)
        if query is None:
            continue
        name = truth.queries[query]
        said = say("query") if step == 0 else f"{step:+d}"
        alt = said if step == 0 else say("frame", step=said)
        figures = [Figure("frame", album.add(name), alt, said, name)]
        for row in report.ranked[query].rows[:1].tolist():
            verdict = "right" if row in report.positives[query] else "wrong"
            place = truth.database[row]
            alt = say(f"its-{verdict}")
            figures.append(Figure(verdict, album.add(place), alt, say(verdict), place))
        frames.append(Frame(step == 0, figures))
    return frames


def _verdict(outcome: QueryOutcome, report: EvalReport) -> Said:
    if outcome.right:
        return say("is-right")
    if outcome.rejected:
        return say("rightly-none")
    if not outcome.read:
        return say("not-read")
    if not outcome.asked:
        return say("none-searched")
    if not outcome.answerable:
        return say("none-right")
    if outcome.first_right is None:
        return say("none-among", kept=len(report.ranked[outcome.query].rows))
    return say("right-at", rank=outcome.first_right)


def _errors(outcomes: Sequence[QueryOutcome], report: EvalReport) -> Said | str:
    errors = [outcome.error_m for outcome in outcomes if outcome.error_m is not None]
    if report.error_m is None:
        return ""
    near, middle, far = (
        f"{100 * sum(error <= limit for error in errors) / len(errors):.0f}"
        for limit in (25, 100, 1000)
    )
    median, most = f"{report.error_m[50]:,.0f}", f"{report.error_m[90]:,.0f}"
    return say("errors", median=median, most=most, near=near, middle=middle, far=far)
