"""The figures of a run: a row for each measure, printed and written as JSON."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from place_search.models.precision import int8_instructions

OUT = Path("bench/out")
"""The folder of runs."""


@dataclass(frozen=True, slots=True)
class Row:
    """A measure, its unit, and the figure of each round.

    `goal` is the project's goal in words. `is_compared` marks ratios within a run, the higher the
    better, which `bench.check` compares with those of the last accepted run.
    """

    measure: str
    unit: str
    rounds: Sequence[float]
    goal: str = ""
    is_compared: bool = False

    @property
    def median(self) -> float:
        """The median of the rounds, the figure to compare."""
        return statistics.median(self.rounds)


def print_rows(rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    width = max(len(row.measure) for row in rows)
    print(f"{'measure':{width}}  {'unit':10}  {'min':>9}  {'median':>9}  {'max':>9}  rounds  goal")
    for row in rows:
        numbers = (min(row.rounds), row.median, max(row.rounds))
        columns = "  ".join(f"{number:9.2f}" for number in numbers)
        print(f"{row.measure:{width}}  {row.unit:10}  {columns}  {len(row.rounds):6}  {row.goal}")


def write_rows(rows: Sequence[Row], out: Path) -> Path:
    """Write rows, with a description of the machine, to a new file under `out`."""
    out.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = out / f"{now:%Y%m%dT%H%M%S}.json"
    path.write_text(as_json(rows), "utf-8")
    return path


def as_json(rows: Sequence[Row]) -> str:
    """Rows as JSON, with the machine and the time."""
    now = datetime.now(UTC)
    table = {
        "measured": now.isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "int8_instructions": int8_instructions(),
        },
        "rows": [
            {
                "measure": row.measure,
                "unit": row.unit,
                "rounds": list(row.rounds),
                "median": row.median,
                "goal": row.goal,
                "kept": row.is_compared,
            }
            for row in rows
        ],
    }
    return json.dumps(table, indent=1, ensure_ascii=False) + "\n"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
