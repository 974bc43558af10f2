"""Measures indexing a folder of JPEGs end to end, and each of its stages alone."""

import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from bench.photos import EIGHT_MEGAPIXELS, ONE_MEGAPIXEL, TWELVE_MEGAPIXELS, make_folder
from bench.table import Row
from place_search.core.memory import keep_freed_memory
from place_search.indexer import build_index, open_source
from place_search.models import Model, open_model
from place_search.photos import Preprocessing

SIZES = (("1 MP", ONE_MEGAPIXEL, 1.0, "≥ 75"), ("8 MP", EIGHT_MEGAPIXELS, 0.4, "≥ 45"))
STAGES = ("decode", "thumbnail", "waiting for photos")


def measure(model_id: str, photos: Path, count: int, rounds: int) -> list[Row]:
    """Measure single stages and whole indexing in turns; each indexing is its own process."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, size, share, goal in SIZES:
            folder = make_folder(photos, int(count * share), Path(scratch) / name, size)
            rows += _measure(model_id, folder, name, goal, rounds)
        folder = make_folder(photos, 8, Path(scratch) / "12 MP", TWELVE_MEGAPIXELS)
        rows.append(_preparing(open_model(model_id), folder, rounds))
    return rows


def _preparing(model: Model, folder: Path, rounds: int) -> Row:
    """The time of reading and resizing photos of 12 MP beyond their scaled decoding."""
    medians = []
    for _ in range(rounds):
        excess = []
        for path in sorted(folder.iterdir()) * 3:
            content = path.read_bytes()
            start = time.perf_counter()
            _decode_only(content, model.card.preprocessing)
            middle = time.perf_counter()
            model.prepare(model.read(content))
            excess.append(1000 * (time.perf_counter() - middle - (middle - start)))
        medians.append(statistics.median(excess))
    return Row("12 MP: preparing beyond decoding", "ms/photo", medians, "< 3")


def _decode_only(content: bytes, preprocessing: Preprocessing) -> None:
    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", preprocessing.size(*image.size))
        image.load()


def _measure(model_id: str, folder: Path, name: str, goal: str, rounds: int) -> list[Row]:
    # Imported here: it loads torch, which would count as memory of the indexing process.
    from bench.models import prepared_photos, rate

    model = open_model(model_id, mode="throughput", precision="auto")
    pixels = prepared_photos(model, folder, 96)
    rate(model, pixels)
    alone, decoding, indexing, memory = [], [], [], []
    busy: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for _ in range(rounds):
        before = rate(model, pixels)
        decoding.append(_decode_rate(model, folder))
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", "bench.indexing", model_id, str(folder), scratch]
            figures = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        alone.append((before + rate(model, pixels)) / 2)
        indexing.append(figures["rate"])
        memory.append(figures["peak_mb"])
        for stage in STAGES:
            busy[stage].append(1000 * figures["seconds"].get(stage, 0.0) / figures["places"])
    slowest = [min(pair) for pair in zip(alone, decoding, strict=True)]
    # The stages share the cores: a photo takes at least the sum of their times.
    possible = [1 / (1 / a + 1 / b) for a, b in zip(alone, decoding, strict=True)]
    shares = [100 * a / b for a, b in zip(indexing, slowest, strict=True)]
    of_cores = [100 * a / b for a, b in zip(indexing, possible, strict=True)]
    return [
        Row(f"indexing {name}: end to end", "photos/s", indexing, goal),
        Row(f"indexing {name}: model alone ({model.card.precision})", "photos/s", alone),
        Row(f"indexing {name}: decoding alone", "photos/s", decoding),
        Row(f"indexing {name}: of the slowest stage alone", "%", shares),
        Row(f"indexing {name}: of what the cores allow", "%", of_cores, "≥ 90", is_compared=True),
        *(
            Row(f"indexing {name}: {stage}, busy", "ms/photo", times)
            for stage, times in busy.items()
        ),
        Row(f"indexing {name}: peak memory", "MB", memory, "< 1000"),
    ]


def _decode_rate(model: Model, folder: Path) -> float:
    """Photos a second that all cores decode and resize without other work."""
    keep_freed_memory()
    paths = [photo.path for photo in open_source(folder).photos[:96]]

    def decode(path: Path) -> None:
        model.prepare(model.read(path))

    with ThreadPoolExecutor(2) as pool:
        start = time.perf_counter()
        list(pool.map(decode, paths))
        return len(paths) / (time.perf_counter() - start)


def _index(model_id: str, folder: Path, out: Path) -> None:
    """Index a folder and print the rate and this process's peak memory as JSON."""
    source = open_source(folder)
    model = open_model(model_id, mode="throughput", precision="auto")
    report = build_index(source, out / "index", model)
    figures = {
        "rate": report.places / report.seconds["total"],
        "places": report.places,
        "seconds": report.seconds,
        "peak_mb": peak_mb(),
    }
    print(json.dumps(figures))


def peak_mb() -> float:
    """The peak memory of this process; `ru_maxrss` would include the parent's before exec."""
    return status_mb("self", "VmHWM")


def status_mb(process: int | str, field: str) -> float:
    """A field of /proc/PROCESS/status that is in kilobytes, in MB."""
    status = Path(f"/proc/{process}/status").read_text("utf-8")
    kilobytes = next(line for line in status.splitlines() if line.startswith(field)).split()[1]
    return int(kilobytes) * 1024 / 1e6


if __name__ == "__main__":
    _index(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
