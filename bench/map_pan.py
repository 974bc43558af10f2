"""Pan a map of 100,000 places in headless Chromium: frames a second, and how long dots take.

python -m bench.map_pan [--places N]

The places are only positions and names: no index of that size is made.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import uvicorn
from numpy.typing import NDArray
from playwright.sync_api import Page

from bench.chromium import chromium
from bench.table import Row, print_rows
from place_search.search.results import IndexInfo
from place_search.search.server.app import create_app

PANS = 4
STEPS = 60

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


class ManyPlaces:
    """As much of an engine as the map asks for."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        towns = rng.uniform((47.5, 7.0), (54.0, 14.0), (200, 2))
        positions = towns[rng.integers(0, 200, count)] + rng.normal(0, 0.05, (count, 2))
        self.index = SimpleNamespace(
            positions=positions,
            place_ids=np.arange(count),
            index_id="bench",
            model_id="none",
            count=count,
            names=self._names,
        )
        self.count = count

    @staticmethod
    def _names(rows: NDArray[np.intp]) -> list[str]:
        return [f"town/street-{row // 100}/{row:06d}.jpg" for row in rows.tolist()]

    def about(self) -> IndexInfo:
        """What is searched."""
        return IndexInfo(
            index_id="bench",
            model="none",
            fingerprint="",
            precision="f32",
            places=self.count,
            positions=self.count,
            dims=7168,
            created="2026-01-01T00:00:00+00:00",
            format_version=1,
            skipped_count=0,
            skipped=(),
        )


@contextmanager
def serving(places: int) -> Iterator[str]:
    """The address of a server of so many places."""
    engine: Any = ManyPlaces(places)
    app = create_app(lambda: engine)
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="on", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def pan(page: Page) -> list[float]:
    """Drag the map to and fro; returns the milliseconds of every frame meanwhile."""
    box = page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(COUNT_FRAMES)
    for step in range(STEPS):
        swing = np.sin(step / STEPS * 2 * np.pi)
        page.mouse.move(x + 400 * swing, y + 150 * swing)
    frames: list[float] = page.evaluate("cancelAnimationFrame(window.ticking); window.frames_ms")
    page.mouse.up()
    page.wait_for_timeout(500)  # new dots come
    return frames[1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Pan a map of many places.")
    parser.add_argument("--places", type=int, default=100_000)
    asked = parser.parse_args()
    with serving(asked.places) as address, chromium() as browser:
        answers = []
        for _ in range(5):
            start = time.perf_counter()
            reply = httpx.get(f"{address}/v1/places", params={"bbox": "-180,-90,180,90"})
            answers.append(1000 * (time.perf_counter() - start))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}/map")
        page.get_by_text("places with a position are in view").wait_for()
        page.wait_for_timeout(500)
        pans = [pan(page) for _ in range(PANS)]
    dots = len(reply.json()["features"])
    print(f"{asked.places} places, {dots} dots, {len(reply.content) / 1000:.0f} kB an answer")
    print_rows(
        [
            Row("dots of the whole world, answer", "ms", answers),
            Row(
                "frames a second while panning",
                "/s",
                [1000 * len(one) / sum(one) for one in pans],
                "≥ 30",
            ),
            Row(
                "slowest twentieth of frames",
                "ms",
                [statistics.quantiles(one, n=20)[-1] for one in pans],
            ),
        ]
    )


if __name__ == "__main__":
    main()
