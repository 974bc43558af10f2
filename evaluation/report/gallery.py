"""The page of a report: table, curve, map, and queries beside their results; one file, no requests.

Photos stand in it as small JPEGs, each once, so only some queries are shown of very many. It looks
as the server's pages do: their style is in it.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from importlib.resources import files

import numpy as np

from place_search.evaluation.report.curve import draw_curve
from place_search.evaluation.report.error_map import draw_map
from place_search.evaluation.report.outcomes import Outcome
from place_search.evaluation.report.tables import recall_rows
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.photos import PhotoError, decode_photo, encode_jpeg, fit_within

SHOWN = 120
"""Queries in the page at most, two thirds of them wrong ones where there are so many."""
RESULTS = 5
SIDE = 240


def choose_shown(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The queries to show, in their order: spread evenly over wrong ones and over right ones."""
    wrong = [outcome for outcome in outcomes if not outcome.right]
    right = [outcome for outcome in outcomes if outcome.right]
    many_wrong = min(len(wrong), max(SHOWN * 2 // 3, SHOWN - len(right)))
    chosen = _spread(wrong, many_wrong) + _spread(right, min(len(right), SHOWN - many_wrong))
    return sorted(chosen, key=lambda outcome: outcome.query)


def _spread(outcomes: list[Outcome], count: int) -> list[Outcome]:
    if count == 0:
        return []
    rows = np.unique(np.linspace(0, len(outcomes) - 1, count).astype(np.int64))
    return [outcomes[row] for row in rows.tolist()]


def render_page(
    truth: GroundTruth,
    report: EvalReport,
    outcomes: Sequence[Outcome],
    curve: tuple[Mapping[int, float], Mapping[int, float]],
) -> str:
    """The whole page; `curve` is recall and chance by N."""
    shown = choose_shown(outcomes)
    album = _Album(truth)
    cards = "\n".join(_card(truth, report, outcome, album) for outcome in shown)
    drawn = draw_map(truth, report, outcomes, {outcome.query for outcome in shown})
    wrong = sum(not outcome.right for outcome in outcomes)
    wrong_shown = sum(not outcome.right for outcome in shown)
    parts = {
        "title": escape(f"{report.model} on {truth.name}"),
        "about": escape(_about(report)),
        "table": _table(report),
        "warnings": "".join(f'<p class="warning">{escape(text)}</p>' for text in report.warnings),
        "curve": draw_curve(*curve, report.published),
        "map": drawn or "<p>There is no map: the truth has no positions.</p>",
        "errors": escape(_errors(outcomes, report)) if drawn else "",
        "legend": "" if drawn else "hidden",
        "cards": cards,
        "shown": _shown(len(shown), len(outcomes), wrong_shown, wrong),
        "all_count": str(len(shown)),
        "wrong_count": str(wrong_shown),
    }
    page = _asset("page.html")
    for name, value in parts.items():
        page = page.replace(f"<!--{name}-->", value)
    style = (files("place_search.web") / "style.css").read_text("utf-8") + _asset("page.css")
    page = page.replace("/*style*/", style).replace("/*script*/", _asset("page.js"))
    return page.replace("/*photos*/", json.dumps(album.photos))


def _asset(name: str) -> str:
    return (files("place_search.evaluation.report") / name).read_text("utf-8")


class _Album:
    """Small copies of photos, each once."""

    def __init__(self, truth: GroundTruth) -> None:
        self._truth = truth
        self._numbers: dict[str, int] = {}
        self.photos: list[str] = []

    def image(self, name: str, words: str) -> str:
        """The HTML of a photo."""
        if name not in self._numbers:
            self._numbers[name] = len(self.photos)
            self.photos.append(self._small(name))
        return f'<img data-photo="{self._numbers[name]}" alt="{escape(words)}">'

    def _small(self, name: str) -> str:
        try:
            photo = decode_photo(
                self._truth.path(name), needed=partial(fit_within, longest_side=SIDE)
            )
        except PhotoError:
            return ""
        size = fit_within(photo.width, photo.height, SIDE)
        jpeg = encode_jpeg(photo.pixels, size, quality=72)
        return base64.b64encode(jpeg).decode("ascii")


def _card(truth: GroundTruth, report: EvalReport, outcome: Outcome, album: _Album) -> str:
    found, right = report.ranked[outcome.query], set(report.positives[outcome.query].tolist())
    figures = [_figure("asked", album.image(outcome.name, "Query"), "Query", outcome.name)]
    for rank, row in enumerate(found.rows[:RESULTS].tolist(), 1):
        verdict = "right" if row in right else "wrong"
        name = truth.database[row]
        figures.append(
            _figure(
                verdict,
                album.image(name, f"Result {rank}, {verdict}"),
                f"{rank} · {verdict}",
                name,
                f"{found.similarities[rank - 1]:.3f}{_away(truth, outcome.query, row)}",
            )
        )
    seen = outcome.first_right is not None and outcome.first_right <= RESULTS
    if right and not seen:
        ranked = [row for row in found.rows.tolist() if row in right]
        row = ranked[0] if ranked else min(right)
        name = truth.database[row]
        away = _away(truth, outcome.query, row).removeprefix(", ")
        image = album.image(name, "A right place")
        figures.append(_figure("answer", image, "What was right", name, away))
    kind = "is-right" if outcome.right else "is-wrong"
    return (
        f'<article id="q{outcome.query}" class="{kind}"><h3>{escape(_verdict(outcome, report))}'
        f'</h3><div class="strip" tabindex="0" role="group" aria-label="{escape(outcome.name)}">'
        f"{''.join(figures)}</div></article>"
    )


def _figure(kind: str, image: str, label: str, name: str, detail: str = "") -> str:
    detail = f"<small>{escape(detail)}</small>" if detail else ""
    return (
        f'<figure class="{kind}">{image}<figcaption><b>{escape(label)}</b>'
        f"<span>{escape(name).replace('/', '/<wbr>')}</span>{detail}</figcaption></figure>"
    )


def _away(truth: GroundTruth, query: int, row: int) -> str:
    if truth.database_metres is None or truth.query_metres is None:
        return ""
    metres = float(np.linalg.norm(truth.database_metres[row] - truth.query_metres[query]))
    return f", {metres:,.0f} m away" if np.isfinite(metres) else ""


def _verdict(outcome: Outcome, report: EvalReport) -> str:
    if outcome.right:
        return "Right"
    if not outcome.asked:
        return "Wrong: the query could not be read"
    if not outcome.answerable:
        return "Wrong: no photo in the database is right"
    if outcome.first_right is None:
        kept = len(report.ranked[outcome.query].rows)
        return f"Wrong: nothing right among the first {kept}"
    return f"Wrong: the first right result is number {outcome.first_right}"


def _about(report: EvalReport) -> str:
    return (
        f"Protocol {report.protocol}: {report.says}. Shares are of all {report.queries:,} queries, "
        f"{report.queries_without_positives:,} of them without positives, against "
        f"{report.database:,} database photos."
    )


def _table(report: EvalReport) -> str:
    head, rows = recall_rows(report)
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _errors(outcomes: Sequence[Outcome], report: EvalReport) -> str:
    errors = [outcome.error_m for outcome in outcomes if outcome.error_m is not None]
    if report.error_m is None:
        return ""
    shares = ", ".join(
        f"{100 * sum(error <= limit for error in errors) / len(errors):.0f} % within {limit:,} m"
        for limit in (25, 100, 1000)
    )
    return (
        f"From a query to its first result: {report.error_m[50]:,.0f} m at the median, "
        f"{report.error_m[90]:,.0f} m or less for 90 %; {shares}."
    )


def _shown(shown: int, total: int, wrong_shown: int, wrong: int) -> str:
    if shown == total:
        return f"All {total:,} queries: {wrong:,} wrong, {total - wrong:,} right."
    return (
        f"{shown:,} of {total:,} queries, spread evenly: {wrong_shown:,} of the {wrong:,} wrong "
        f"and {shown - wrong_shown:,} of the {total - wrong:,} right ones; queries.csv has all."
    )
