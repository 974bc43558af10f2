"""Elements of SVG; their texts are escaped."""

from collections.abc import Iterable

from markupsafe import Markup

from place_search.evaluation.report.words import Message, labelled, marked

STYLE = Markup("""
text { font: 14px system-ui, sans-serif; fill: var(--ink, #1d1c19) }
.soft { fill: var(--soft, #5d594f) }
.axis, .grid { stroke: var(--ink, #1d1c19); fill: none }
.grid { opacity: .15 }
.measured { stroke: var(--accent, #0f7d6a); fill: var(--accent, #0f7d6a) }
.chance { stroke: var(--soft, #6f6b61); fill: var(--soft, #6f6b61) }
.model0 { stroke: #12876f; fill: #12876f }
.model1 { stroke: #c2592d; fill: #c2592d }
.model2 { stroke: #4a77c9; fill: #4a77c9 }
.model3 { stroke: #b84a86; fill: #b84a86 }
.model4 { stroke: #9a5fc0; fill: #9a5fc0 }
.model5 { stroke: #8a8a2b; fill: #8a8a2b }
.published { stroke: var(--ink, #1d1c19); fill: var(--ink, #1d1c19) }
text[class] { stroke: none }
.line { fill: none; stroke-width: 2.5 }
.dashes { stroke-dasharray: 5 4; stroke-width: 1.5 }
.place { fill: var(--edge, #8a857a); opacity: .35 }
.right { fill: var(--accent, #0f7d6a) }
.wrong { stroke: var(--alert, #c2452d); fill: none; stroke-width: 1.6 }
.way { stroke: var(--alert, #c2452d); stroke-width: 1; opacity: .45 }
""")


def document(width: int, height: int, title: Message | str, body: Iterable[Markup]) -> Markup:
    """A whole drawing that looks the same alone and inside a page."""
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" role="img"{}>'
        "<style>{}</style>{}</svg>"
    ).format(width, height, labelled("aria-label", title), STYLE, Markup("").join(body))


def text(
    x: float, y: float, words: Message | str, *, anchor: str = "start", kind: str = ""
) -> Markup:
    """Words at a point."""
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}" class="{}"{}>{}</text>').format(
        x, y, anchor, kind, marked(words), str(words)
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" class="{}"/>').format(
        x1, y1, x2, y2, kind
    )


def polyline(points: Iterable[tuple[float, float]], kind: str) -> Markup:
    """A line through points."""
    coordinates = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polyline points="{}" class="{}"/>').format(coordinates, kind)


def circle(x: float, y: float, radius: float, kind: str) -> Markup:
    """A disc."""
    return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{:g}" class="{}"/>').format(
        x, y, radius, kind
    )


def cross(x: float, y: float, kind: str) -> Markup:
    """A cross of 8 by 8 units."""
    return Markup('<path d="M{:.1f} {:.1f}l8 8m0-8l-8 8" class="{}"/>').format(x - 4, y - 4, kind)
