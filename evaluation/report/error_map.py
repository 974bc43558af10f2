"""The map of errors: the positions of queries and of their first results."""

import math
from collections.abc import Container, Sequence

import numpy as np
from markupsafe import Markup

from place_search.evaluation.report.album import spread
from place_search.evaluation.report.outcomes import QueryOutcome
from place_search.evaluation.report.svg import circle, cross, document, line, text
from place_search.evaluation.report.words import marked, message
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.evaluation.truth.positives import plane

WIDTH, MAX_HEIGHT, MARGIN = 900, 560, 26
SMALLEST = 20.0
"""The least extent of the map in metres."""
DRAWN = 3000
"""The largest number of queries, and of places, that are drawn."""


def draw_map(
    truth: GroundTruth,
    report: EvalReport,
    outcomes: Sequence[QueryOutcome],
    linked_queries: Container[int] = (),
) -> Markup | None:
    """An SVG of places and queries, each wrong query with a line to its first result.

    The `linked_queries` link to their cards in the page. None without positions.
    """
    if truth.database_metres is None or truth.query_metres is None:
        return None
    count = len(truth.database)
    positions = plane(np.concatenate([truth.database_metres, truth.query_metres]))
    known_positions = positions[np.isfinite(positions).all(axis=1)]
    if not len(known_positions):
        return None
    low, high = known_positions.min(axis=0), known_positions.max(axis=0)
    middle, span = (low + high) / 2, np.maximum(high - low, SMALLEST)
    low, high = middle - span / 2, middle + span / 2
    scale = min((WIDTH - 2 * MARGIN) / span[0], (MAX_HEIGHT - 2 * MARGIN - 30) / span[1])
    height = math.ceil(span[1] * scale) + 2 * MARGIN + 30
    left_edge = (WIDTH - span[0] * scale) / 2
    # North is up.
    points = (positions - [low[0], high[1]]) * [scale, -scale] + [left_edge, MARGIN]

    body = [
        circle(x, y, 2, "place")
        for x, y in spread(np.unique(np.round(points[:count], 1), axis=0).tolist(), DRAWN)
        if math.isfinite(x) and math.isfinite(y)
    ]
    for outcome in sorted(spread(outcomes, DRAWN), key=lambda outcome: not outcome.right):
        x, y = points[count + outcome.query].tolist()
        if math.isfinite(x) and math.isfinite(y):
            body.append(_query(report, outcome, (x, y), points, outcome.query in linked_queries))
    body += _ruler(scale, height)
    return document(WIDTH, height, message("map-of"), body)


def _query(
    report: EvalReport,
    outcome: QueryOutcome,
    point: tuple[float, float],
    points: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    linked: bool,
) -> Markup:
    x, y = point
    key = "spot-right" if outcome.right else "spot-wrong"
    words = message(key, name=outcome.name)
    if outcome.error_m is not None:
        words = message(f"{key}-away", name=outcome.name, metres=f"{outcome.error_m:,.0f}")
    if outcome.right:
        mark = circle(x, y, 4, "right")
    else:
        mark = cross(x, y, "wrong")
        if outcome.error_m is not None:
            east, north = points[int(report.ranked[outcome.query].rows[0])].tolist()
            mark = line(x, y, east, north, "way") + mark
    mark = Markup("<g><title{}>{}</title>{}</g>").format(marked(words), str(words), mark)
    return Markup('<a href="#q{}">{}</a>').format(outcome.query, mark) if linked else mark


def _ruler(scale: float, height: int) -> list[Markup]:
    """A scale bar of a round number of metres, about a fifth of the width."""
    metres = 10 ** math.floor(math.log10(WIDTH / 5 / scale))
    metres *= next(step for step in (5, 2, 1) if step * metres * scale <= WIDTH / 4 or step == 1)
    y, words = height - 14, f"{metres:,.0f} m" if metres >= 1 else f"{metres:g} m"
    end = MARGIN + metres * scale
    return [
        line(MARGIN, y, end, y, "axis"),
        line(MARGIN, y - 4, MARGIN, y + 4, "axis"),
        line(end, y - 4, end, y + 4, "axis"),
        text(end + 8, y + 4, words),
        text(WIDTH - MARGIN, y + 4, message("north"), anchor="end", kind="soft"),
    ]
