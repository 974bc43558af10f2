"""Small pieces of SVG."""

from html import escape

STYLE = """
text { font: 14px system-ui, sans-serif; fill: var(--ink, #1d1c19) }
.soft { fill: var(--soft, #5d594f) }
.axis, .grid { stroke: var(--ink, #1d1c19); fill: none }
.grid { opacity: .15 }
.measured { stroke: var(--accent, #0f7d6a); fill: var(--accent, #0f7d6a) }
.chance { stroke: var(--soft, #6f6b61); fill: var(--soft, #6f6b61) }
.published { stroke: var(--ink, #1d1c19); fill: var(--ink, #1d1c19) }
.line { fill: none; stroke-width: 2.5 }
.dashes { stroke-dasharray: 5 4; stroke-width: 1.5 }
.place { fill: var(--edge, #8a857a); opacity: .35 }
.right { fill: var(--accent, #0f7d6a) }
.wrong { stroke: var(--alert, #c2452d); fill: none; stroke-width: 1.6 }
.way { stroke: var(--alert, #c2452d); stroke-width: 1; opacity: .45 }
"""


def document(width: int, height: int, title: str, body: list[str]) -> str:
    """A whole drawing that shows the same alone and inside a page."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(title)}">'
        f"<style>{STYLE}</style>{''.join(body)}</svg>"
    )


def text(x: float, y: float, words: str, *, anchor: str = "start", kind: str = "") -> str:
    """Words at a point."""
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def polyline(points: list[tuple[float, float]], kind: str) -> str:
    """A line through points."""
    spots = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{spots}" class="{kind}"/>'
