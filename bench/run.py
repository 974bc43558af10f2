"""`make bench`: measure, print the table, keep it as JSON under bench/out/.

python -m bench.run [--only model,indexing,serving] [--photos DIR] [--count N] [--rounds N]
"""

import argparse
import tempfile
from pathlib import Path

from bench import indexing, model_rate, serving
from bench.photos import make_folder
from bench.table import Row, print_rows, write_rows
from netvlad import DEFAULT_MODEL
from place_search.demo_photos import fetch_demo_photos

NAMES = ("model", "indexing", "serving")
OUT = Path("bench/out")


def main() -> None:
    """Run the benches that were asked for, or all."""
    parser = argparse.ArgumentParser(description="Measure place-search on this machine.")
    parser.add_argument("--only", default=",".join(NAMES), help=f"of {','.join(NAMES)}")
    parser.add_argument("--photos", type=Path, help="photos to use (default: the demo's)")
    parser.add_argument("--count", type=int, default=600, help="photos in the folder to index")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    asked = parser.parse_args()
    wanted = asked.only.split(",")
    if unknown := set(wanted) - set(NAMES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; name {', '.join(NAMES)}")

    photos = asked.photos or fetch_demo_photos(Path("data/demo"), say=print).places
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_folder(photos, asked.count, Path(scratch) / "photos")
        if "model" in wanted:
            rows += model_rate.measure(asked.model, folder, asked.rounds)
        if "indexing" in wanted:
            rows += indexing.measure(asked.model, folder, asked.rounds)
        if "serving" in wanted:
            rows += serving.measure(asked.model, photos, asked.rounds)
    print_rows(rows)
    print(f"Written to {write_rows(rows, OUT)}")


if __name__ == "__main__":
    main()
