"""The model alone: OpenVINO's throughput mode beside the same network in eager torch."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.table import Row
from indexer import open_source
from netvlad import Model, open_model


def prepared_photos(model: Model, folder: Path, count: int) -> list[NDArray[np.uint8]]:
    """The pixels of the first photos of a folder, ready for the graph."""
    photos = open_source(folder).photos[:count]
    return [model.prepare(model.read(photo.path)) for photo in photos]


def rate(model: Model, pixels: Sequence[NDArray[np.uint8]]) -> float:
    """Photos a second that the model embeds."""
    start = time.perf_counter()
    for _ in model.stream(enumerate(pixels)):
        pass
    return len(pixels) / (time.perf_counter() - start)


def measure(model_id: str, folder: Path, rounds: int) -> list[Row]:
    """OpenVINO and torch in turns, so that what else the machine does hits both."""
    fast = open_model(model_id, mode="throughput")
    eager = open_model(model_id, runtime="torch")
    pixels = prepared_photos(fast, folder, 96)
    few = pixels[:16]
    for model in (fast, eager):
        rate(model, few)
    rates = [(rate(fast, pixels), rate(eager, few)) for _ in range(rounds)]
    return [
        Row("model alone, OpenVINO throughput", "photos/s", [pair[0] for pair in rates]),
        Row("model alone, eager torch", "photos/s", [pair[1] for pair in rates]),
        Row("OpenVINO / eager torch", "×", [fast / slow for fast, slow in rates], "≥ 4"),
    ]
