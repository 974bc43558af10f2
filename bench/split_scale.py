"""Plans, indexes and evaluates a large split with wide descriptors, and measures memory.

    python -m bench.split_scale pitts250k_test.mat [--every N] [--dims 32768] [--scratch DIR]

A few tiny photos are at all of the split's paths (hard links), and a model without cost gives each
photo a descriptor of its own. `--every N` takes every N-th photo of the split.
The whole pitts250k-test at 32768 dimensions needs 12 GB on the disk of `--scratch`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat, savemat

from bench.indexing import peak_mb
from bench.table import Row, print_rows
from place_search.evaluation import IndexDatabase, evaluate, open_protocol, read_split_truth
from place_search.evaluation.doctor.plan import make_plan
from place_search.indexer import build_index, open_index, open_source, read_split
from place_search.models import Aggregation, Embedding, LocalFeatures, Model, ModelCard
from place_search.photos import Preprocessing

Key = TypeVar("Key")
QUERIES = "queries_real"
PHOTOS = 16
SIDE = 32
STEPS = ("plan", "index", "eval")


class WideRuntime:
    """Random descriptors, one for each photo, to which its mean colour is added."""

    name = "wide"

    def __init__(self, dims: int) -> None:
        self.dims = dims
        self._random = np.random.default_rng(0)

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """A (dims,) descriptor and 2 × 2 cells."""
        descriptor = self._random.standard_normal(self.dims, dtype=np.float32)
        colour = pixels.mean(axis=(0, 1), dtype=np.float32) - 127
        descriptor[:3] += colour
        cells = np.broadcast_to(colour, (2, 2, 3)).astype(np.float32)
        return Embedding(descriptor / np.linalg.norm(descriptor), cells)

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """Embed photos one after the other."""
        for key, pixels in photos:
            yield key, self.embed(pixels)


def wide_model(dims: int) -> Model:
    """A model of `dims` dimensions without weights."""
    card = ModelCard(
        id=f"wide-{dims}",
        title="random numbers",
        family="bench",
        backbone="none",
        aggregation=Aggregation("none"),
        local_features=LocalFeatures(3, 16),
        dims=dims,
        licence="Apache-2.0",
        preprocessing=Preprocessing(resize="exact", width=SIDE, height=SIDE, multiple=16),
        files={"weights.safetensors": str(dims)},
    )
    return Model(card, WideRuntime(dims))


def thin_out(split: Path, step: int, out: Path) -> Path:
    """Write every `step`-th photo of a `.mat` split as a split of the same format."""
    record = loadmat(split)["dbStruct"].ravel()[0]
    fields = {name: record[name] for name in record.dtype.names}
    for name in ("dbImageFns", "qImageFns"):
        fields[name] = fields[name][::step]
    for name in ("utmDb", "utmQ"):
        fields[name] = fields[name][:, ::step]
    savemat(out, {"dbStruct": fields})
    return out


def make_photos(split: Path, root: Path) -> int:
    """Put tiny photos at all paths of a split; returns the number of photos."""
    listed = read_split(split)
    seeds = root / "seeds"
    seeds.mkdir(parents=True)
    random = np.random.default_rng(1)
    for number in range(PHOTOS):
        patches = random.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(patches).resize((SIDE, SIDE)).save(seeds / f"{number}.jpg")
    names = [*listed.database, *(f"{QUERIES}/{name}" for name in listed.queries)]
    for folder in {(root / name).parent for name in names}:
        folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        (root / name).hardlink_to(seeds / f"{number % PHOTOS}.jpg")
    return len(names)


def run_step(step: str, split: Path, root: Path, out: Path, dims: int) -> dict[str, Any]:
    """Run a step of the job in this process: its seconds, its peak memory, and its figures."""
    model = wide_model(dims)
    started = time.perf_counter()
    figures: dict[str, Any] = {}
    if step == "plan":
        truth = read_split_truth(split, root)
        rules = open_protocol(truth)
        places, queries = len(truth.database), len(truth.queries)
        figures["chance"] = rules.chance([1])[1]
        figures["missing"] = len(truth.missing)
        figures["plan"] = make_plan(model, places, queries, 1.0, 4)
    elif step == "index":
        report = build_index(open_source(split, root), out, model)
        figures["places"] = report.places
    else:
        truth = read_split_truth(split, root)
        measured = evaluate(truth, model, index=IndexDatabase(open_index(out), truth))
        figures["recall"] = measured.to_dict()["recall"]
        figures["seconds_by_stage"] = measured.to_dict()["seconds"]
    return {**figures, "seconds": time.perf_counter() - started, "peak_mb": peak_mb()}


def main() -> None:
    """Run the steps, each in a process of its own, and print their costs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("split", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--dims", type=int, default=32768)
    parser.add_argument("--scratch", type=Path, help="folder for photos and index")
    parser.add_argument("--step", nargs=3, metavar=("STEP", "ROOT", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        step, root, out = args.step
        print(json.dumps(run_step(step, args.split, Path(root), Path(out), args.dims)))
        return
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        scratch = Path(folder)
        split = args.split
        if args.every > 1:
            split = thin_out(split, args.every, scratch / split.name)
        root, out = scratch / "photos", scratch / "index"
        print(f"{make_photos(split, root)} photos of {SIDE} × {SIDE} pixels")
        rows = []
        for step in STEPS:
            command = [sys.executable, "-m", "bench.split_scale", str(split)]
            command += ["--dims", str(args.dims), "--step", step, str(root), str(out)]
            figures = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            rows.append(Row(f"{step}, time", "s", [figures.pop("seconds")]))
            rows.append(
                Row(f"{step}, peak memory", "MB", [figures.pop("peak_mb")], "< 2000 + index")
            )
            print(f"{step}: {json.dumps(figures)}")
        vectors = sum(path.stat().st_size for path in out.glob("index.*")) / 1e6
        stored = sum(path.stat().st_size for path in (out / "descriptors").iterdir()) / 1e6
        rows.append(Row("vector index (index.faiss)", "MB", [vectors]))
        rows.append(Row("descriptors on disk", "MB", [stored]))
        print_rows(rows)


if __name__ == "__main__":
    main()
