"""Scroll the gallery and pan the map of an index of 100,000 places in Chromium without a window.

python -m bench.many_places [--places N] [--photos DIR]

The places lie in 200 towns. They have perturbed descriptors of the photos, the photos' thumbnails
in turns, and one local feature each.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, ViewportSize

from bench.chromium import chromium
from bench.generated import Generated, generated_row, write_index
from bench.serving import running_server
from bench.table import Row, print_rows
from place_search.core.geodesy import Position
from place_search.demo_photos import fetch_demo_photos
from place_search.indexer import build_index, open_index, open_source
from place_search.indexer.storage.shards import Row as Place
from place_search.models import open_model

ROUNDS = 5
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
TOWNS = 200

# Scrolls ten window heights a second, for three seconds; returns the milliseconds of each frame.
SCROLL = """() => new Promise((resolve) => {
    const frames = [];
    const begun = performance.now();
    let before = begun;
    const step = (now) => {
        scrollBy(0, (10 * innerHeight * (now - before)) / 1000);
        frames.push(now - before);
        before = now;
        if (now - begun < 3000) requestAnimationFrame(step);
        else resolve(frames.slice(1));
    };
    requestAnimationFrame(step);
})"""

# Records the milliseconds of each frame until it is cancelled.
COUNT_FRAMES = """() => {
    window.frames_ms = [];
    let last = performance.now();
    const tick = (now) => {
        window.frames_ms.push(now - last);
        last = now;
        window.ticking = requestAnimationFrame(tick);
    };
    window.ticking = requestAnimationFrame(tick);
}"""


def many_places(folder: Path, like: Path, count: int) -> Path:
    """Write an index of `count` places to a folder, made from the places of the index `like`."""
    original = open_index(like)
    pictures = [original.thumbnail(place_id) for place_id in original.place_ids.tolist()]
    cell = original.codes(int(original.place_ids[0]))[0][:1]
    rng = np.random.default_rng(0)
    towns = rng.uniform((47.5, 7.0), (54.0, 14.0), (TOWNS, 2))
    town = rng.integers(0, TOWNS, count)
    positions = towns[town] + rng.normal(0, 0.05, (count, 2))

    def row(place_id: int, vector: NDArray[np.float32]) -> Place:
        name = f"town-{town[place_id]:03d}/street-{place_id // 100}/{place_id:06d}.jpg"
        return replace(
            generated_row(place_id, vector),
            name=name,
            path=name,
            position=Position(*positions[place_id].tolist()),
            codes=cell,
            grid=(1, 1),
            thumbnail=pictures[place_id % len(pictures)],
        )

    generated = Generated(count, original.dims, like)
    write_index(generated, folder, model=original.manifest.model, row=row)
    return folder


def scroll(browser: Browser, address: str) -> list[float]:
    """Scroll the gallery down from its top; returns the milliseconds of every frame."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(f"{address}/places")
    page.wait_for_selector("#places > li")
    page.wait_for_load_state("networkidle")
    frames: list[float] = page.evaluate(SCROLL)
    context.close()
    return frames


def pan(browser: Browser, address: str) -> list[float]:
    """Drag the map to and fro; returns the milliseconds of every frame."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(f"{address}/map")
    page.get_by_text("places with a position are in view").wait_for()
    page.wait_for_load_state("networkidle")
    box = page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(COUNT_FRAMES)
    for turn in np.linspace(0, 2 * np.pi, 60):
        page.mouse.move(x + 400 * np.sin(turn), y + 150 * np.sin(turn))
    frames: list[float] = page.evaluate("cancelAnimationFrame(window.ticking); window.frames_ms")
    context.close()
    return frames[1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Scroll and pan many places.")
    parser.add_argument("--places", type=int, default=100_000)
    parser.add_argument("--photos", type=Path, help="photos to start from (default: the demo's)")
    args = parser.parse_args()
    source = open_source(
        args.photos or fetch_demo_photos(Path("data/demo"), print_message=print).places
    )
    with tempfile.TemporaryDirectory() as scratch:
        small_index = Path(scratch) / "few"
        build_index(source, small_index, open_model(mode="throughput"))
        large_index = many_places(Path(scratch) / "many", small_index, args.places)
        with (
            running_server(large_index, source.photos[0].path.read_bytes()) as (client, _, _),
            chromium() as browser,
        ):
            address = str(client.base_url).rstrip("/")
            milliseconds = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                reply = client.get("/v1/places", params={"bbox": "-180,-90,180,90"})
                milliseconds.append(1000 * (time.perf_counter() - start))
            scrolled = [scroll(browser, address) for _ in range(ROUNDS)]
            panned = [pan(browser, address) for _ in range(ROUNDS)]
    dots = len(reply.raise_for_status().json()["features"])
    print(f"{args.places:,} places, {dots:,} dots, {len(reply.content) / 1000:.0f} kB an answer")
    print_rows(
        [
            *_frame_rows("/places, scrolled", scrolled, "≥ 50"),
            *_frame_rows("/map, panned", panned, "≥ 30"),
            Row("dots of the whole world, answer", "ms", milliseconds),
        ]
    )


def _frame_rows(name: str, rounds: Sequence[Sequence[float]], goal: str) -> list[Row]:
    """Frames a second, and the time that the slowest twentieth of the frames exceed."""
    rates = [1000 * len(frames) / sum(frames) for frames in rounds]
    slowest = [statistics.quantiles(frames, n=20)[-1] for frames in rounds]
    return [
        Row(name, "frames/s", rates, goal),
        Row(f"{name}, slowest twentieth of frames", "ms", slowest),
    ]


if __name__ == "__main__":
    main()
