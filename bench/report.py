"""Writes a run as a Markdown table in docs/performance.md, and as plots."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path("docs")
PAGE = DOCS / "performance.md"
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"
COLOURS = {"eager": "#9a9a9a", "our torch": "#6f8fb5", "f32": "#2f6fb0", "int8": "#c2571a"}


def write_report(run: Mapping[str, Any]) -> None:
    """Put a run's table into docs/performance.md, its JSON and its plots into docs/."""
    (DOCS / "bench.json").write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", "utf-8")
    before, _, remainder = PAGE.read_text("utf-8").partition(BEGIN)
    after = remainder.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{markdown(run)}\n{END}{after}", "utf-8")
    plot_models(run["rows"], DOCS / "bench-models.png")
    plot_stages(run["rows"], DOCS / "bench-stages.png")


def markdown(run: Mapping[str, Any]) -> str:
    """The table: median, spread and goal of each measure."""
    machine = run["machine"]
    lines = [
        f"Measured on {run['measured'][:10]}: {machine['processor']}, {machine['cores']} cores, "
        f"Python {machine['python']}.",
        "",
        *programs_table(run["rows"]),
        "| Measure | Median | Least – most | Unit | Wanted |",
        "|---|---:|---:|---|---|",
    ]
    for row in run["rows"]:
        low, high = min(row["rounds"]), max(row["rounds"])
        spread = "" if low == high else f"{_number(low)} – {_number(high)}"
        lines.append(
            f"| {row['measure']} | {_number(row['median'])} | {spread} | {row['unit']} | "
            f"{row['goal']} |"
        )
    return "\n".join(lines)


PROGRAMS: Sequence[tuple[str, str, str, float]] = (
    ("place-search", "lite0-netvlad-1024: OpenVINO int8, latency", "1,024 numbers of 8 bits", 1.0),
    ("EigenPlaces", "beside it: EigenPlaces, ResNet-50, 512 × 512", "2,048 numbers", 8.2),
    (
        "clip-retrieval (CLIP ViT-B/32)",
        "beside it: CLIP ViT-B/32 as clip-retrieval, 224 × 224",
        "512 numbers of 16 bits",
        1.0,
    ),
    ("pytorch-NetVlad (VGG-16)", "VGG-16: eager torch as pytorch-NetVlad", "32,768 numbers", 131.1),
    ("hloc's NetVLAD (VGG-16)", "VGG-16: eager torch as hloc", "4,096 numbers", 16.4),
)
"""Programs, the measure of each one's time, and the numbers and kB that it keeps of a photo."""


def programs_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A first table for readers new to the field: the costs of a photo in several programs."""
    medians = {row["measure"]: row["median"] for row in rows}
    own_ms = medians.get(PROGRAMS[0][1])
    if own_ms is None:
        return []
    return [
        "| Program, on this CPU | Time a photo | | What it keeps of a photo | |",
        "|---|---:|---:|---|---:|",
        *(
            f"| {name} | {_number(medians[measure])} ms | {_number(medians[measure] / own_ms)} × | "
            f"{numbers} | {size:.1f} kB |"
            for name, measure, numbers, size in PROGRAMS
            if measure in medians
        ),
        "",
    ]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def plot_models(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Milliseconds a photo of each way to run each model, on a logarithmic scale."""
    timed = [row for row in rows if row["unit"] == "ms/photo"]
    model_rows = [row for row in timed if not row["measure"].startswith("indexing")]
    _bars(model_rows, path, "ms a photo, 640 × 480", log=True)


def plot_stages(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The time of each stage of a search, as the server's replies name them."""
    prefixes = ("search, unverified: ", "search, verified: ")
    stage_rows = [row for row in rows if row["measure"].startswith(prefixes)]
    _bars(stage_rows, path, "ms, 1-MP photo, 10,000 places", log=False)


def _bars(rows: Sequence[Mapping[str, Any]], path: Path, label: str, *, log: bool) -> None:
    if not rows:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [row["measure"] for row in rows]
    values = [row["median"] for row in rows]
    figure, axes = pyplot.subplots(figsize=(9, 0.36 * len(rows) + 1.2), layout="constrained")
    axes.barh(names, values, color=[_colour(name) for name in names], log=log)
    axes.bar_label(axes.containers[0], [_number(value) for value in values], padding=3)  # type: ignore[arg-type]
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _colour(name: str) -> str:
    return next((colour for key, colour in COLOURS.items() if key in name), "#2f6fb0")
