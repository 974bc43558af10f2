"""Measures training: memory of a VGG-16 step and of a mining pass, and waiting for photos.

python -m bench.training

`step` and `mine` run in processes of their own, whose peak memory is measured. The mining pass has
the plan of Pittsburgh 30k, 10,000 database photos and 7,416 queries, and random descriptors.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from place_search.core.memory import keep_large_blocks
from place_search.models.aggregations.netvlad import NetVLAD, netvlad_of
from place_search.models.network import Network, load_backbone
from place_search.training.config import PRESETS
from place_search.training.data.features import FeatureLoader, Item
from place_search.training.data.mining import mine, plan_pass
from place_search.training.data.places import Places, make_places
from place_search.training.loop.losses import triplet_ranking
from place_search.training.process_group import ProcessGroup
from place_search.training.split_network import TrainedPart, split_network

PHOTOS = 12
STEPS = 4


def places_of(root: Path, database: int, queries: int) -> Places:
    """Queries with a positive each, near five photos of the database."""
    count = database + queries
    rows = np.arange(count)
    neighbours = [np.r_[np.arange(5) + 5 * (row % (database // 5)), row] for row in rows.tolist()]
    positives = [neighbours[row][:1] if row >= database else rows[:0] for row in rows.tolist()]
    names = [f"{row}.jpg" for row in rows.tolist()]
    return make_places(
        root, names, rows[:database], positives, neighbours, rows.astype(float), "positions"
    )


def step(folder: Path) -> None:
    """Run steps of paper-vgg16 on tuples of 12 photos, each decoded from its file."""
    random = np.random.default_rng(0)
    for number in range(PHOTOS):
        pixels = random.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((640, 480)).save(folder / f"{number}.jpg")
    config = PRESETS["paper-vgg16"]
    network = Network(load_backbone("vgg16")(), NetVLAD(64, 512))
    with torch.no_grad():
        netvlad_of(network).assignment.weight.normal_(0, 4)
        netvlad_of(network).centroids.normal_(0, 0.05)
    frozen, trained = split_network(network, config.train_last)
    inputs = FeatureLoader(
        places_of(folder, 10, 2), config, frozen, ProcessGroup(), folder / "features"
    )
    optimizer = torch.optim.SGD(trained.parameters(), lr=1e-4, momentum=0.9)
    items = [(row, 0) for row in range(PHOTOS)]
    stream = inputs.stream([items] * (STEPS + 1))
    next(stream)  # the pipeline fills
    inputs.waited, started = 0.0, time.perf_counter()
    for features in stream:
        descriptors = trained(features)
        loss = triplet_ranking(descriptors[:1], descriptors[None, 1:2], descriptors[None, 2:])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    seconds = time.perf_counter() - started
    inputs.close()
    share = 100 * (1 - inputs.waited / seconds)
    print(f"{seconds / STEPS:.1f} s a step, {share:.2f} % of it in the model; {_peak()}")


class RandomRows:
    """Descriptors of VGG-16's width, drawn by row."""

    def stream(self, batches: Iterable[Sequence[Item]]) -> Iterator[Tensor]:
        """Random descriptors (n, 32768) of norm 1 for each batch."""
        for items in batches:
            rows = [
                np.random.default_rng(row).standard_normal(32768, np.float32) for row, _ in items
            ]
            yield nn.functional.normalize(torch.from_numpy(np.stack(rows)))


class IdentityModel(nn.Module):
    """A model that returns its input."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = NetVLAD(64, 512)

    def forward(self, rows: Tensor) -> Tensor:
        """(n, D) to (n, D)."""
        return rows


def mining_pass(folder: Path) -> None:
    """Mine the first 1000 queries of Pittsburgh 30k's training."""
    places = places_of(folder, 10_000, 7_416)
    config = PRESETS["paper-vgg16"]
    random = np.random.default_rng(0)
    queries = [(row, 0) for row in places.queries[: config.queries_a_cache].tolist()]
    started = time.perf_counter()
    plan = plan_pass(places, config, queries, random, {})
    tuples = mine(
        plan,
        config,
        cast(FeatureLoader, RandomRows()),
        cast(TrainedPart, IdentityModel()),
        ProcessGroup(),
        folder / "mining",
    )
    seconds = time.perf_counter() - started
    print(f"{len(tuples)} tuples of {len(plan)} queries in {seconds:.0f} s; {_peak()}")


def _peak() -> str:
    return f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"


def main() -> None:
    """Run the named measurement, or both in processes of their own."""
    parser = argparse.ArgumentParser(description="Measure what training costs.")
    parser.add_argument("what", nargs="?", choices=["step", "mine"])
    args = parser.parse_args()
    if args.what is None:
        for measurement in ("step", "mine"):
            print(measurement, end=": ", flush=True)
            subprocess.run([sys.executable, "-m", "bench.training", measurement], check=True)
        return
    keep_large_blocks()
    with tempfile.TemporaryDirectory() as scratch:
        (step if args.what == "step" else mining_pass)(Path(scratch))


if __name__ == "__main__":
    main()
