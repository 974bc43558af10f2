"""`make fuzz`: decodes damaged photos until the time is up, and counts the outcomes.

python -m bench.fuzz [--seconds N] [--seed N]

A photo that ends a decoding process, or raises anything but a photo error, is kept under
bench/out/fuzz/. `bench.fuzz_atheris` fuzzes by coverage.
"""

import argparse
import hashlib
import random
import sys
import time
from collections import Counter
from pathlib import Path

from place_search.photos import UPLOADS, Decoder, PhotoError, Preprocessing
from tests.search.photos import bombs, mutated, valid_photos

OUT = Path("bench/out/fuzz")
AREA = Preprocessing("area", 64, 64)


def main() -> None:
    """Fuzz for the given time."""
    parser = argparse.ArgumentParser(description="Send damaged photos to the decoder.")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    sys.exit(_run_random(args.seconds, random.Random(args.seed)))


def _run_random(seconds: float, chance: random.Random) -> int:
    valid = valid_photos() + [("bomb", content) for content, _ in bombs().values()]
    counts: Counter[str] = Counter()
    decoder = Decoder(workers=1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        kind, content = chance.choice(valid)
        photo = mutated(content, chance)
        deaths = decoder.deaths
        try:
            decoder.photo(photo, AREA, formats=UPLOADS)
            answer = "taken"
        except PhotoError as error:
            answer = type(error).__name__
        except Exception as error:
            answer = f"FAULT {type(error).__name__}"
        if decoder.deaths > deaths:
            answer = "FAULT the process died"
        counts[f"{kind:5} {answer}"] += 1
        if answer.startswith("FAULT"):
            OUT.mkdir(parents=True, exist_ok=True)
            (OUT / hashlib.sha256(photo).hexdigest()[:16]).write_bytes(photo)
    decoder.close()
    for outcome, count in sorted(counts.items()):
        print(f"{count:8}  {outcome}")
    faults = sum(count for outcome, count in counts.items() if "FAULT" in outcome)
    print(f"{counts.total()} photos, {faults} faults" + (f", kept in {OUT}" if faults else ""))
    return int(faults > 0)


if __name__ == "__main__":
    main()
