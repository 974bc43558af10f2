"""Indexing a folder of 640-pixel JPEGs end to end, beside the model-only rate."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.model_rate import prepared_photos, rate
from bench.table import Row
from indexer import build_index, open_source
from netvlad import open_model


def measure(model_id: str, folder: Path, rounds: int) -> list[Row]:
    """Model-only and whole indexing in turns; each indexing is a process of its own."""
    model = open_model(model_id, mode="throughput")
    pixels = prepared_photos(model, folder, 96)
    rate(model, pixels)
    alone, whole, memory = [], [], []
    for _ in range(rounds):
        before = rate(model, pixels)
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", "bench.indexing", model_id, str(folder), scratch]
            told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        alone.append((before + rate(model, pixels)) / 2)
        whole.append(told["rate"])
        memory.append(told["peak_mb"])
    shares = [100 * a / b for a, b in zip(whole, alone, strict=True)]
    return [
        Row("indexing, end to end", "photos/s", whole),
        Row("indexing / model alone", "%", shares, "≥ 85"),
        Row("indexing, peak memory", "MB", memory, "< 1000"),
    ]


def _index(model_id: str, folder: Path, out: Path) -> None:
    """Index a folder and print the rate and this process's peak memory as JSON."""
    source = open_source(folder)
    report = build_index(source, out / "index", open_model(model_id, mode="throughput"))
    print(json.dumps({"rate": report.places / report.seconds["total"], "peak_mb": peak_mb()}))


def peak_mb() -> float:
    """The most memory this process has held. (`ru_maxrss` would count the parent's before exec.)"""
    status = Path("/proc/self/status").read_text("utf-8")
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    return int(kilobytes) * 1024 / 1e6


if __name__ == "__main__":
    _index(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
