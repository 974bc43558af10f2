"""`make bench-check`: compares the ratios of a run with those of the last accepted run.

python -m bench.check [RUN.json] [--accept]

A machine's speed differs from day to day, and from other machines'; ratios within a run do not, but
for those of int8 on a processor without instructions for it. There they are left out.
Without a run it takes the newest under bench/out/. `--accept` accepts the run.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.table import OUT

ACCEPTED = Path(__file__).with_name("accepted.json")
TOLERANCE = 0.15


def ratios(run: Mapping[str, Any]) -> dict[str, float]:
    """The ratios of a run that are compared, by measure."""
    return {row["measure"]: row["median"] for row in run["rows"] if row.get("kept")}


def fallen(now: Mapping[str, float], accepted: Mapping[str, float]) -> list[str]:
    """A sentence for each ratio that fell by more than TOLERANCE, or was not measured."""
    sentences = []
    for measure, before in accepted.items():
        value = now.get(measure)
        if value is None:
            sentences.append(f"{measure}: not measured, {before:.2f} was accepted.")
        elif value < (1 - TOLERANCE) * before:
            fall = 100 * (1 - value / before)
            sentences.append(
                f"{measure}: {value:.2f} is {fall:.0f} % below the accepted {before:.2f}."
            )
    return sentences


def newest(folder: Path) -> Path | None:
    """The newest run of a folder."""
    return max(folder.glob("*.json"), default=None)


def main() -> None:
    """Compare a run with the accepted one, or accept it."""
    parser = argparse.ArgumentParser(description="Compare a run of `make bench` with the last one.")
    parser.add_argument("run", type=Path, nargs="?", help="(default: the newest in bench/out/)")
    parser.add_argument("--accept", action="store_true", help="make it the one to compare with")
    args = parser.parse_args()
    path = args.run or newest(OUT)
    if path is None:
        parser.error("there is no run in bench/out/; make one with `make bench`")
    run = json.loads(path.read_text("utf-8"))
    run_ratios = ratios(run)
    accepted: dict[str, float] = (
        json.loads(ACCEPTED.read_text("utf-8")) if ACCEPTED.is_file() else {}
    )
    passed_over: dict[str, float] = {}
    if run["machine"].get("int8_instructions", "not recorded") is None:
        print("Ratios of int8 are left out: this processor has no instructions for it.")
        passed_over = {name: ratio for name, ratio in accepted.items() if "int8" in name}
        run_ratios = {name: ratio for name, ratio in run_ratios.items() if "int8" not in name}
    if args.accept:
        rounded = {measure: round(value, 3) for measure, value in run_ratios.items()} | passed_over
        ACCEPTED.write_text(json.dumps(rounded, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(f"Accepted {len(run_ratios)} ratios of {path}.")
        return
    if not accepted:
        parser.error(
            f"no run was accepted yet; accept one with `python -m bench.check {path} --accept`"
        )
    accepted = {name: ratio for name, ratio in accepted.items() if name not in passed_over}
    problems = fallen(run_ratios, accepted)
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print(f"No ratio of {path} is over {TOLERANCE:.0%} below the accepted ones.")


if __name__ == "__main__":
    main()
