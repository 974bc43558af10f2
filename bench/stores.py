"""`make bench-scale`: measures an index of a million places, and other engines.

python -m bench.stores [--sizes 1000000x512,250000x4096] [--store auto] [--engines numpy,flat,…]
    [--like INDEX]
PLACE_SEARCH_URI=http://127.0.0.1:19530 python -m bench.stores --store milvus --engines ''

Every engine runs in a process of its own on one thread, at the cheapest setting with a recall of
98 % of exact search.
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
from bench.stores_child import REMAINDERS
from bench.table import OUT, Row, print_rows, write_rows

SIZES = "1000000x512,250000x4096"
ENGINES = "numpy,flat,hnswlib,usearch"
GOALS = {512: (5, 800), 4096: (8, 1500)}
"""The goals by dimensions: milliseconds a search, and MB of resident memory."""


def main() -> None:
    """Measure the sizes of --sizes."""
    parser = argparse.ArgumentParser(description="Measure large indexes on this machine.")
    parser.add_argument("--sizes", default=SIZES, help="COUNTxDIMS, with commas between")
    parser.add_argument("--store", default="auto")
    parser.add_argument("--engines", default=ENGINES, help="to compare with; '' for none")
    parser.add_argument(
        "--like", type=Path, help="perturb descriptors of this index (default: none)"
    )
    parser.add_argument("--scratch", type=Path, help="folder for some 10 GB (default: a temp one)")
    args = parser.parse_args()
    rows: list[Row] = []
    for size in args.sizes.split(","):
        count, dims = (int(part) for part in size.split("x"))
        with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
            rows += measure(
                Generated(count, dims, args.like), Path(scratch), args.store, args.engines
            )
    print_rows(rows)
    print(f"Written to {write_rows(rows, OUT)}")


def measure(generated: Generated, scratch: Path, store: str, engines: str) -> list[Row]:
    """Build, open, search and change one index, and compare it with other engines."""
    size = f"{generated.count // 1000}k×{generated.dims}"
    milliseconds, megabytes = GOALS.get(generated.dims, (8, 1500))
    built = _child("build", generated, scratch, store)
    build = built["write"] + built["index"]
    rows = [
        Row(f"{size} build but embedding", "s", [build], "≤ 1200"),
        Row(f"{size} files", "MB", [built["mb"]]),
    ]
    own = _child("search", generated, scratch, store)
    rows += [
        Row(f"{size} open", "s", [own["open"]], "≤ 2"),
        *_engine_rows(size, "place-search", own, milliseconds, megabytes),
    ]
    among = _child("filtered", generated, scratch, store)
    for remainder in REMAINDERS:
        name = f"{size} filter leaves {remainder}"
        rows += [
            Row(f"{name}, p50", "ms", [among[f"p50 {remainder}"]], "≤ 8"),
            Row(f"{name}, recall@10", "%", [100 * among[f"recall {remainder}"]], "≥ 98"),
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
    product = own["p50"] * own["mb"]
    for engine in filter(None, engines.split(",")):
        figures = _child(engine, generated, scratch, store)
        if not figures:
            print(f"{engine} is not installed: pip install '.[bench]'", flush=True)
            continue
        rows += _engine_rows(size, engine, figures)
        rows.append(Row(f"{size} {engine} build", "s", [figures["build"]]))
        ratio = figures["p50"] * figures["mb"] / product
        rows.append(Row(f"{size} {engine} ms·MB / ours", "×", [ratio], "> 1"))
    return rows


def _engine_rows(
    size: str, engine: str, figures: dict[str, Any], milliseconds: float = 0, megabytes: float = 0
) -> list[Row]:
    goal = bool(milliseconds)
    return [
        Row(f"{size} {engine} recall@10", "%", [100 * figures["recall"]], "≥ 98" if goal else ""),
        Row(f"{size} {engine} p50", "ms", [figures["p50"]], f"≤ {milliseconds}" if goal else ""),
        Row(f"{size} {engine} memory", "MB", [figures["mb"]], f"≤ {megabytes}" if goal else ""),
    ]


def _child(measurement: str, generated: Generated, scratch: Path, store: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.stores_child", measurement, str(generated.count)]
    command += [str(generated.dims), str(scratch), store]
    command += [] if generated.like is None else [str(generated.like.resolve())]
    env = dict(os.environ)
    if measurement not in ("build", "change"):
        env |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env)
    figures: dict[str, Any] = json.loads(process.stdout)
    # A run takes long, so each figure is printed at once.
    print(f"{measurement}: {figures}", flush=True)
    return figures


if __name__ == "__main__":
    main()
