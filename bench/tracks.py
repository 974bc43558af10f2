"""Measures tracking a frame beyond its descriptor: `python -m bench.tracks [--size NxD]`.

A simulated camera moves along the places of a generated index; each frame has noise.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.generated import Generated, write_index
from place_search.indexer import open_index
from place_search.search.tracks.markov import MarkovModel, State
from place_search.search.tracks.observer import Observer
from place_search.search.tracks.standardize import Statistics

FRAMES = 300
NOISE = 0.6


def main() -> None:
    """Build an index, and track along its places."""
    parser = argparse.ArgumentParser(description="Measure what a frame of a track costs.")
    parser.add_argument("--size", default="100000x7168", help="COUNTxDIMS")
    parser.add_argument("--index", type=Path, help="an index that was made before")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.index or Path(scratch, "index")
        if args.index is None:
            count, dims = (int(part) for part in args.size.split("x"))
            write_index(Generated(count, dims), folder)
        measure(folder)


def measure(folder: Path) -> None:
    """Track along the places of an index, and print the milliseconds of a frame."""
    index = open_index(folder)
    started = time.perf_counter()
    observer = Observer(index)
    print(f"{index.count} places of {index.dims} numbers, {observer.routes.sequences} sequences")
    print(f"opened in {time.perf_counter() - started:.2f} s")
    rng = np.random.default_rng(0)
    rows = np.arange(FRAMES) + index.count // 2
    descriptors = index.descriptors().take(rows)
    noise = rng.normal(size=descriptors.shape) / np.sqrt(index.dims)
    descriptors = np.asarray(descriptors + NOISE * noise, np.float32)
    statistics = Statistics(index.dims)
    statistics.add(descriptors)
    lens, model = observer.lens(statistics), MarkovModel(observer.routes)
    state: State | None = None
    before = None
    milliseconds, right = [], 0
    for number, (row, descriptor) in enumerate(zip(rows.tolist(), descriptors, strict=True)):
        start = time.perf_counter()
        evidence = observer.observe(lens, descriptor, before, state, number=number)
        before = descriptor
        state = model.start(evidence) if state is None else model.step(state, evidence)
        milliseconds.append(1000 * (time.perf_counter() - start))
        best = int(observer.routes.row[state.coordinates[int(state.places.argmax())]])
        right += abs(best - row) <= 2
    mean, median, ninety_five = (
        np.mean(milliseconds),
        np.median(milliseconds),
        np.percentile(milliseconds, 95),
    )
    print(
        f"a frame: {mean:.2f} ms on average, {median:.2f} at the median, {ninety_five:.2f} for 95 %"
    )
    print(f"{100 * right / FRAMES:.1f} % of the frames within two places")


if __name__ == "__main__":
    main()
