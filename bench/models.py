"""Measures models alone: eager torch as others run it, torch here, OpenVINO in float32 and int8."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.baselines import Baseline, all_residuals, loop_over_clusters
from bench.ceilings import Ceilings
from bench.operations import operations
from bench.peers import peers
from bench.table import Row
from place_search.indexer import open_source
from place_search.models import (
    Model,
    Precision,
    open_model,
    read_card,
)
from place_search.models.network import load_network
from place_search.models.runtimes.base import Mode

Pixels = NDArray[np.uint8]
SHAPE = (480, 640, 3)
PEER = "beside it"


def prepared_photos(model: Model, folder: Path, count: int) -> list[Pixels]:
    """The pixels of the first `count` photos of a folder, prepared for the graph."""
    photos = open_source(folder).photos[:count]
    return [model.prepare(model.read(photo.path)) for photo in photos]


def rate(model: Model, pixels: Sequence[Pixels]) -> float:
    """Photos a second that the model embeds."""
    start = time.perf_counter()
    _stream(model, pixels)
    return len(pixels) / (time.perf_counter() - start)


@dataclass(frozen=True)
class Way:
    """A way to run a model: its name, the photos of a round, and the function that runs them."""

    name: str
    count: int
    run: Callable[[Sequence[Pixels]], object]


def ways(folder: Path, eager: int, served: int) -> Iterator[Way]:
    """All ways to run the model of a folder; `eager` and `served` are photos a round."""
    network = load_network(folder, read_card(folder))
    for name, baseline in (
        ("eager torch as pytorch-NetVlad", loop_over_clusters(network)),
        ("eager torch as hloc", all_residuals(network)),
    ):
        yield Way(name, eager, partial(_run_each, baseline))
    yield Way("our torch", eager, partial(_stream, open_model(folder, runtime="torch")))
    precisions: tuple[Precision, ...] = ("f32", "int8")
    modes: tuple[Mode, ...] = ("throughput", "latency")
    for precision in precisions:
        for mode in modes:
            model = open_model(folder, mode=mode, precision=precision)
            count = served if mode == "throughput" else max(1, served // 2)
            yield Way(f"OpenVINO {precision}, {mode}", count, partial(_stream, model))


def _run_each(baseline: Baseline, photos: Sequence[Pixels]) -> None:
    for photo in photos:
        baseline(photo)


def _stream(model: Model, photos: Sequence[Pixels]) -> None:
    for _ in model.stream(enumerate(photos)):
        pass


def measure(default: Path, vgg: Path, photos: Path, rounds: int) -> list[Row]:
    """Milliseconds a photo of each way, in turns, so that other load affects all ways equally."""
    model = open_model(default)
    pixels = [photo for photo in prepared_photos(model, photos, 64) if photo.shape == SHAPE] or [
        np.zeros(SHAPE, np.uint8)
    ]
    plans = {
        "VGG-16": (vgg, list(ways(vgg, 1, 4))),
        read_card(default).id: (default, list(ways(default, 6, 32))),
    }
    peer_ways = [Way(name, 2, partial(_run_each, peer)) for name, peer in peers().items()]
    runs = {model_name: model_ways for model_name, (_, model_ways) in plans.items()} | {
        PEER: peer_ways
    }
    ceilings = Ceilings()
    times_of: dict[tuple[str, str], list[float]] = {}
    f32, int8 = [], []
    for turn in range(-1, rounds):
        for model_name, model_ways in runs.items():
            for way in model_ways:
                batch = [pixels[number % len(pixels)] for number in range(way.count)]
                start = time.perf_counter()
                way.run(batch)
                milliseconds = 1000 * (time.perf_counter() - start) / way.count
                if turn >= 0:  # the round before the first one warms up
                    times_of.setdefault((model_name, way.name), []).append(milliseconds)
        if turn >= 0:
            f32.append(ceilings.f32())
            int8.append(ceilings.int8())
    rows = [
        Row("ceiling: float32 matrix product", "GFLOP/s", f32),
        Row("ceiling: int8 matrix product", "GOP/s", int8),
    ]
    rows += [
        Row(f"{PEER}: {name}", "ms/photo", times)
        for (model_name, name), times in times_of.items()
        if model_name == PEER
    ]
    eager_vgg = times_of["VGG-16", "eager torch as pytorch-NetVlad"]
    for model_name, (folder, _) in plans.items():
        work = operations(folder / "f32.onnx", SHAPE)
        rows.append(Row(f"{model_name}: operations", "GFLOP", [work]))
        eager = times_of[model_name, "eager torch as pytorch-NetVlad"]
        for (model_id, name), times in times_of.items():
            if model_id == model_name:
                rows.append(Row(f"{model_name}: {name}", "ms/photo", times))
        for precision, ceiling in (("f32", f32), ("int8", int8)):
            times = times_of[model_name, f"OpenVINO {precision}, throughput"]
            goal = GOALS.get((model_name == "VGG-16", precision), "")
            rows.append(_ratio(f"{model_name}: {precision} / its eager torch", eager, times, goal))
            shares = [100 * work / t * 1000 / c for t, c in zip(times, ceiling, strict=True)]
            rows.append(Row(f"{model_name}: {precision}, share of the ceiling", "%", shares))
            if model_name != "VGG-16":
                goal = "≥ 100" if precision == "int8" else ""
                rows.append(
                    _ratio(f"{model_name}: {precision} / eager VGG-16", eager_vgg, times, goal)
                )
    return rows


GOALS = {(True, "f32"): "≥ 1.45", (True, "int8"): "≥ 6", (False, "int8"): "≥ 9"}


def _ratio(name: str, slow: Sequence[float], quick: Sequence[float], goal: str) -> Row:
    ratios = [a / b for a, b in zip(slow, quick, strict=True)]
    return Row(name, "×", ratios, goal, is_compared=True)
