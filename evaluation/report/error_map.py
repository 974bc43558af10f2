"""The map of errors: where the queries were taken, and where their first results are."""

import math
from collections.abc import Container, Sequence

import numpy as np
from markupsafe import Markup

from place_search.evaluation.report.album import spread
from place_search.evaluation.report.outcomes import QueryOutcome
from place_search.evaluation.report.svg import circle, cross, document, line, text
from place_search.evaluation.report.words import marked, say
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.evaluation.truth.positives import plane

WIDTH, MAX_HEIGHT, MARGIN = 900, 560, 26
SMALLEST = 20.0
"""Metres that the map shows at least."""
DRAWN = 3000
"""Queries and places that are drawn at most."""


def draw_map(
    truth: GroundTruth,
    report: EvalReport,
    outcomes: Sequence[QueryOutcome],
    shown: Container[int] = (),
) -> Markup | None:
    """An SVG of places, right queries and wrong ones, each with the way to its first result.

    Queries that are `shown` in the page link to what is said of them. None without positions.
    """
    if truth.database_metres is None or truth.query_metres is None:
        return None
    count = len(truth.database)
    spots = plane(np.concatenate([truth.database_metres, truth.query_metres]))
    known = spots[np.isfinite(spots).all(axis=1)]
    if not len(known):
        return None
    low, high = known.min(axis=0), known.max(axis=0)
    middle, span = (low + high) / 2, np.maximum(high - low, SMALLEST)
    low, high = middle - span / 2, middle + span / 2
    scale = min((WIDTH - 2 * MARGIN) / span[0], (MAX_HEIGHT - 2 * MARGIN - 30) / span[1])
    height = math.ceil(span[1] * scale) + 2 * MARGIN + 30
    left = (WIDTH - span[0] * scale) / 2
    # North is up.
    drawn = (spots - [low[0], high[1]]) * [scale, -scale] + [left, MARGIN]

    body = [
        circle(x, y, 2, "place")
        for x, y in spread(np.unique(np.round(drawn[:count], 1), axis=0).tolist(), DRAWN)
        if math.isfinite(x) and math.isfinite(y)
    ]
    for outcome in sorted(spread(outcomes, DRAWN), key=lambda outcome: not outcome.right):
        x, y = drawn[count + outcome.query].tolist()
        if math.isfinite(x) and math.isfinite(y):
            body.append(_query(report, outcome, (x, y), drawn, outcome.query in shown))
    body += _ruler(scale, height)
    return document(WIDTH, height, say("map-of"), body)


def _query(
    report: EvalReport,
    outcome: QueryOutcome,
    spot: tuple[float, float],
    drawn: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    linked: bool,
) -> Markup:
    x, y = spot
    key = "spot-right" if outcome.right else "spot-wrong"
    words = say(key, name=outcome.name)
    if outcome.error_m is not None:
        words = say(f"{key}-away", name=outcome.name, metres=f"{outcome.error_m:,.0f}")
    if outcome.right:
        mark = circle(x, y, 4, "right")
    else:
        mark = cross(x, y, "wrong")
        if outcome.error_m is not None:
            east, north = drawn[int(report.ranked[outcome.query].rows[0])].tolist()
            mark = line(x, y, east, north, "way") + mark
    mark = Markup("<g><title{}>{}</title>{}</g>").format(marked(words), str(words), mark)
    return Markup('<a href="#q{}">{}</a>').format(outcome.query, mark) if linked else mark


def _ruler(scale: float, height: int) -> list[Markup]:
    """A round number of metres, about a fifth of the width."""
    metres = 10 ** math.floor(math.log10(WIDTH / 5 / scale))
    metres *= next(step for step in (5, 2, 1) if step * metres * scale <= WIDTH / 4 or step == 1)
    y, words = height - 14, f"{metres:,.0f} m" if metres >= 1 else f"{metres:g} m"
    end = MARGIN + metres * scale
    return [
        line(MARGIN, y, end, y, "axis"),
        line(MARGIN, y - 4, MARGIN, y + 4, "axis"),
        line(end, y - 4, end, y + 4, "axis"),
        text(end + 8, y + 4, words),
        text(WIDTH - MARGIN, y + 4, say("north"), anchor="end", kind="soft"),
    ]
