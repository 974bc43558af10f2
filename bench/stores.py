"""`make bench-scale`: an index of a million places, and engines to compare it with.

python -m bench.stores [--sizes 1000000x512,250000x4096] [--store auto] [--engines numpy,flat,…]
    [--like INDEX]
PLACE_SEARCH_URI=http://127.0.0.1:19530 python -m bench.stores --store milvus --engines ''

Every engine runs in a process of its own on one thread, at the cheapest setting that finds 98 % of
what exact search finds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.generated import Generated
from bench.stores_child import LEFT
from bench.table import OUT, Row, print_rows, write_rows

SIZES = "1000000x512,250000x4096"
ENGINES = "numpy,flat,hnswlib,usearch"
GOALS = {512: (5, 800), 4096: (8, 1500)}
"""By dimensions: milliseconds a search, and MB resident."""


def main() -> None:
    """Measure the sizes that were asked for."""
    parser = argparse.ArgumentParser(description="Measure large indexes on this machine.")
    parser.add_argument("--sizes", default=SIZES, help="COUNTxDIMS, with commas between")
    parser.add_argument("--store", default="auto")
    parser.add_argument("--engines", default=ENGINES, help="to compare with; '' for none")
    parser.add_argument(
        "--like", type=Path, help="perturb descriptors of this index (default: none)"
    )
    parser.add_argument("--scratch", type=Path, help="folder for some 10 GB (default: a temp one)")
    asked = parser.parse_args()
    rows: list[Row] = []
    for size in asked.sizes.split(","):
        count, dims = (int(part) for part in size.split("x"))
        with tempfile.TemporaryDirectory(dir=asked.scratch) as scratch:
            rows += measure(
                Generated(count, dims, asked.like), Path(scratch), asked.store, asked.engines
            )
    print_rows(rows)
    print(f"Written to {write_rows(rows, OUT)}")


def measure(generated: Generated, scratch: Path, store: str, engines: str) -> list[Row]:
    """Build, open, search and change one index, and compare it with other engines."""
    size = f"{generated.count // 1000}k×{generated.dims}"
    milliseconds, megabytes = GOALS.get(generated.dims, (8, 1500))
    told = _child("build", generated, scratch, store)
    build = told["write"] + told["index"]
    rows = [
        Row(f"{size} build but embedding", "s", [build], "≤ 1200"),
        Row(f"{size} files", "MB", [told["mb"]]),
    ]
    ours = _child("search", generated, scratch, store)
    rows += [
        Row(f"{size} open", "s", [ours["open"]], "≤ 2"),
        *_engine_rows(size, "place-search", ours, milliseconds, megabytes),
    ]
    among = _child("filtered", generated, scratch, store)
    for left in LEFT:
        name = f"{size} filter leaves {left}"
        rows += [
            Row(f"{name}, p50", "ms", [among[f"p50 {left}"]], "≤ 8"),
            Row(f"{name}, recall@10", "%", [100 * among[f"recall {left}"]], "≥ 98"),
        ]
    changed = _child("change", generated, scratch, store)
    rows += [
        Row(f"{size} add 1000 but embedding", "s", [changed["add"]]),
        Row(f"{size} add 1000 / build", "%", [100 * changed["add"] / build], "≤ 2"),
        Row(f"{size} remove 10000", "s", [changed["remove"]]),
        Row(f"{size} remove 10000 / build", "%", [100 * changed["remove"] / build]),
        Row(f"{size} search after that, p50", "ms", [changed["p50"]]),
        Row(f"{size} recall@10 after that", "%", [100 * changed["recall"]], "≥ 98"),
        Row(f"{size} compact", "s", [changed["compact"]]),
    ]
    product = ours["p50"] * ours["mb"]
    for engine in filter(None, engines.split(",")):
        other = _child(engine, generated, scratch, store)
        if not other:
            print(f"{engine} is not installed: pip install '.[bench]'", flush=True)
            continue
        rows += _engine_rows(size, engine, other)
        rows.append(Row(f"{size} {engine} build", "s", [other["build"]]))
        ratio = other["p50"] * other["mb"] / product
        rows.append(Row(f"{size} {engine} ms·MB / ours", "×", [ratio], "> 1"))
    return rows


def _engine_rows(
    size: str, engine: str, told: dict[str, Any], milliseconds: float = 0, megabytes: float = 0
) -> list[Row]:
    goal = bool(milliseconds)
    return [
        Row(f"{size} {engine} recall@10", "%", [100 * told["recall"]], "≥ 98" if goal else ""),
        Row(f"{size} {engine} p50", "ms", [told["p50"]], f"≤ {milliseconds}" if goal else ""),
        Row(f"{size} {engine} memory", "MB", [told["mb"]], f"≤ {megabytes}" if goal else ""),
    ]


def _child(what: str, generated: Generated, scratch: Path, store: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.stores_child", what, str(generated.count)]
    command += [str(generated.dims), str(scratch), store]
    command += [] if generated.like is None else [str(generated.like.resolve())]
    env = dict(os.environ)
    if what not in ("build", "change"):
        env |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env)
    told: dict[str, Any] = json.loads(done.stdout)
    print(f"{what}: {told}", flush=True)  # a run takes long: each figure as soon as it is there
    return told


if __name__ == "__main__":
    main()
