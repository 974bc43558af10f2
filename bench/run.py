"""`make bench`: measures, prints the table, and keeps it under bench/out/ and in docs/.

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
    """Run the benches of --only, by default all."""
    parser = argparse.ArgumentParser(description="Measure place-search on this machine.")
    parser.add_argument("--only", default=",".join(NAMES), help=f"of {','.join(NAMES)}")
    parser.add_argument("--photos", type=Path, help="photos to use (default: the demo's)")
    parser.add_argument("--count", type=int, default=300, help="1-MP photos to index")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--vgg", help="a VGG-16 model (default: one of random weights)")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/ as it is")
    args = parser.parse_args()
    benches = args.only.split(",")
    if unknown := set(benches) - set(NAMES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; name {', '.join(NAMES)}")

    photos = args.photos or fetch_demo_photos(Path("data/demo"), print_message=print).places
    rows: list[Row] = []
    if "models" in benches:
        vgg = find_model(args.vgg) if args.vgg else vgg_model(OUT / "vgg16-random")
        rows += models.measure(find_model(args.model), vgg, photos, args.rounds)
    if "indexing" in benches:
        rows += indexing.measure(args.model, photos, args.count, min(args.rounds, 3))
    if "serving" in benches:
        rows += serving.measure(args.model, photos, min(args.rounds, 3))
    print_rows(rows)
    path = write_rows(rows, OUT)
    print(f"Written to {path}")
    if set(benches) == set(NAMES) and not args.no_docs:
        write_report(json.loads(path.read_text("utf-8")))
        print("docs/performance.md has the table now; `python -m bench.check --accept` keeps it.")


if __name__ == "__main__":
    main()
