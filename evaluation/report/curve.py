"""The curve of Recall@N, beside chance and published figures."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from place_search.evaluation.report.svg import circle, document, line, polyline, text
from place_search.evaluation.report.words import Message, in_all_languages, message
from place_search.models import Recall

WIDTH, HEIGHT = 480, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 100, 34, 44
_LETTER = 9.5
"""The width of a label's letter, in drawing units, that most fonts stay within."""
COLOURS = 6
"""Colours for the lines of models; further lines repeat them."""


class Line(NamedTuple):
    """A line of recalls in per cent by N, its class in the style, and its name."""

    kind: str
    name: str
    values: Mapping[int, float]


def draw_curve(
    recall: Mapping[int, float], chance: Mapping[int, float], published: Sequence[Recall] = ()
) -> Markup:
    """An SVG of recall and chance, both in per cent by N, and of published figures."""
    last = max(recall)
    title = f"Recall@1 {recall[1]:.1f} %, Recall@{last} {recall[last]:.1f} %"
    return _draw(title, [Line("measured", "measured", recall)], chance, published)


def draw_curves(recalls: Mapping[str, Mapping[int, float]], chance: Mapping[int, float]) -> Markup:
    """An SVG of the recalls of several models by their names, and of chance."""
    title = ", ".join(f"{name}: Recall@1 {values[1]:.1f} %" for name, values in recalls.items())
    lines = [
        Line(f"model{number % COLOURS}", name, values)
        for number, (name, values) in enumerate(recalls.items())
    ]
    return _draw(title, lines, chance, ())


def _draw(
    title: str,
    lines: Sequence[Line],
    chance: Mapping[int, float],
    published: Sequence[Recall],
) -> Markup:
    """A drawing with room at the right for the names of lines in any language."""
    last = max(chance)

    def x(n: float) -> float:
        return _LEFT + (n - 1) / max(1, last - 1) * (WIDTH - _LEFT - _RIGHT)

    def y(per_cent: float) -> float:
        return HEIGHT - _BOTTOM - per_cent / 100 * (HEIGHT - _TOP - _BOTTOM)

    body = []
    for share in range(0, 101, 20):
        body.append(line(_LEFT, y(share), WIDTH - _RIGHT, y(share), "grid"))
        body.append(text(_LEFT - 8, y(share) + 4, f"{share}", anchor="end", kind="soft"))
    for n in sorted({1, *range(5, last + 1, 5), last}):
        body.append(text(x(n), HEIGHT - _BOTTOM + 20, str(n), anchor="middle", kind="soft"))
    body.append(line(_LEFT, y(0), WIDTH - _RIGHT, y(0), "axis"))
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    body.append(text(middle, HEIGHT - 6, "N", anchor="middle"))
    body.append(text(4, 14, "Recall@N, %"))
    ends: list[tuple[float, Message | str, str]] = []
    for kind, name, values in (Line("chance dashes", "chance", chance), *lines):
        body.append(polyline([(x(n), y(values[n])) for n in sorted(values)], f"{kind} line"))
        colour = kind.split()[0]
        ends.append((y(values[last]), _label(colour, name, values[last]), colour))
    for row in published:
        values_at = {int(n): value for n, value in row.at.items() if int(n) <= last}
        for n, value in values_at.items():
            body.append(circle(x(n), y(value), 4.5, "published"))
        if values_at:
            end = max(values_at)
            ends.append(
                (y(values_at[end]), _label(row.kind, row.kind, values_at[end]), "published")
            )
    body += _labels(ends)
    room = max(_RIGHT, 10 + round(_LETTER * max(_letters(words) for _, words, _ in ends)))
    return document(WIDTH - _RIGHT + room, HEIGHT, title, body)


def _label(kind: str, name: str, per_cent: float) -> Message | str:
    """The label at the end of a line: a model's name, or the kind of the line; and its value."""
    if kind in ("chance", "measured", "published"):
        return message(f"{kind}-at", percent=f"{per_cent:.1f}")
    return f"{name} {per_cent:.1f}"


def _letters(words: Message | str) -> int:
    """The number of letters of a label in the language in which it is longest."""
    return max(map(len, in_all_languages(words)))


def _labels(ends: list[tuple[float, Message | str, str]]) -> list[Markup]:
    """The labels at the ends of the lines, moved apart where they would overlap."""
    labels, floor = [], float("-inf")
    for height, words, kind in sorted(ends, key=lambda end: end[0]):
        floor = max(height, floor + 16)
        labels.append(text(WIDTH - _RIGHT + 6, floor + 4, words, kind=kind))
    return labels
