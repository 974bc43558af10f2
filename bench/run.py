"""`make bench`: measure, print the table, keep it under bench/out/ and in docs/.

python -m bench.run [--only models,indexing,serving] [--photos DIR] [--count N] [--rounds N]
                    [--model ID] [--vgg MODEL] [--no-docs]
"""

import argparse
import json
from pathlib import Path

from bench import indexing, models, serving
from bench.report import write_report
from bench.table import OUT, Row, print_rows, write_rows
from bench.vgg import vgg_model
from place_search.demo_photos import fetch_demo_photos
from place_search.models import DEFAULT_MODEL, find_model

NAMES = ("models", "indexing", "serving")


def main() -> None:
    """Run the benches that were asked for, or all."""
    parser = argparse.ArgumentParser(description="Measure place-search on this machine.")
    parser.add_argument("--only", default=",".join(NAMES), help=f"of {','.join(NAMES)}")
    parser.add_argument("--photos", type=Path, help="photos to use (default: the demo's)")
    parser.add_argument("--count", type=int, default=300, help="1-MP photos to index")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--vgg", help="a VGG-16 model (default: one of random weights)")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/ as it is")
    asked = parser.parse_args()
    wanted = asked.only.split(",")
    if unknown := set(wanted) - set(NAMES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; name {', '.join(NAMES)}")

    photos = asked.photos or fetch_demo_photos(Path("data/demo"), print_message=print).places
    rows: list[Row] = []
    if "models" in wanted:
        vgg = find_model(asked.vgg) if asked.vgg else vgg_model(OUT / "vgg16-random")
        rows += models.measure(find_model(asked.model), vgg, photos, asked.rounds)
    if "indexing" in wanted:
        rows += indexing.measure(asked.model, photos, asked.count, min(asked.rounds, 3))
    if "serving" in wanted:
        rows += serving.measure(asked.model, photos, min(asked.rounds, 3))
    print_rows(rows)
    path = write_rows(rows, OUT)
    print(f"Written to {path}")
    if set(wanted) == set(NAMES) and not asked.no_docs:
        write_report(json.loads(path.read_text("utf-8")))
        print("docs/performance.md has the table now; `python -m bench.check --accept` keeps it.")


if __name__ == "__main__":
    main()
