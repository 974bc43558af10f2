"""Measures the pages in headless Chromium: time of paint, size, layout shift.

python -m bench.pages [--photos DIR] [--rounds N]

`bench.many_places` measures the gallery and the map of many places.
"""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, Response

from bench.chromium import chromium
from bench.serving import running_server
from bench.table import OUT, Row, print_rows, write_rows
from place_search.demo_photos import fetch_demo_photos
from place_search.indexer import build_index, open_source
from place_search.models import open_model

PAGES = ("", "places", "place?id=0", "map", "compare", "track", "about", "reports", "offline")

# With `buffered`, Chromium also reports earlier entries.
OBSERVED = """(type) => new Promise((resolve) => {
    const entries = [];
    const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()));
    observer.observe({ type, buffered: true });
    requestAnimationFrame(() => setTimeout(() => {
        resolve(entries.map(({ startTime, value, hadRecentInput }) =>
            ({ startTime, value: hadRecentInput ? 0 : value })));
    }, 50));
})"""

# Measures from the answer to the frame after that in which the cards appeared.
SEARCH_AGAIN = """() => new Promise((resolve) => {
    const times = {};
    const tell = () => times.answer && times.shown && resolve(times.shown - times.answer);
    new PerformanceObserver((list) => {
        const search = list.getEntries().find(({ name }) => name.includes('/v1/search'));
        if (search) times.answer = search.responseEnd;
        tell();
    }).observe({ type: 'resource' });
    new MutationObserver(() => requestAnimationFrame(() => requestAnimationFrame(() => {
        times.shown ??= performance.now();
        tell();
    }))).observe(document.querySelector('#cards'), { childList: true });
    document.querySelector('#verify').click();
})"""


def measure_page(browser: Browser, address: str) -> tuple[float, float, float]:
    """Open a page in a new context: ms to its largest paint, kB without photos, layout shift."""
    sizes: list[int] = []

    def weigh(response: Response) -> None:
        # Answers of the API and photos are not part of the page.
        if "/v1/" not in response.url and not response.url.startswith(("blob:", "data:")):
            sizes.append(int(response.headers.get("content-length", 0)))

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("response", weigh)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    paint = page.evaluate(OBSERVED, "largest-contentful-paint")[-1]["startTime"]
    shift = _shift(page)
    context.close()
    return paint, sum(sizes) / 1000, shift


def measure_search(browser: Browser, address: str, photo: Path) -> tuple[float, float]:
    """Search for 20 places: ms from the answer to its display, and the page's layout shift."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{address}/?k=20")
    page.set_input_files("#photo", photo)
    # Counts hidden cards, too: results that are probably elsewhere are folded away.
    page.wait_for_function(
        "() => document.querySelectorAll('#results:not([aria-busy]) .card').length === 20"
    )
    page.wait_for_load_state("networkidle")
    shift = _shift(page)
    milliseconds: float = page.evaluate(SEARCH_AGAIN)
    context.close()
    return milliseconds, shift


def _shift(page: Page) -> float:
    return float(sum(entry["value"] for entry in page.evaluate(OBSERVED, "layout-shift")))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the pages.")
    parser.add_argument("--photos", type=Path, help="photos to index (default: the demo's)")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    photos = args.photos or fetch_demo_photos(Path("data/demo"), print_message=print).places
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        index, source = Path(scratch) / "index", open_source(photos)
        build_index(source, index, open_model(mode="throughput"))
        query = source.photos[0].path.read_bytes()
        with running_server(index, query) as (client, _, _), chromium() as browser:
            address = str(client.base_url).rstrip("/")
            photo = source.photos[0].path
            searches = [measure_search(browser, address, photo) for _ in range(args.rounds)]
            rows.append(
                Row("20 results, after the answer", "ms", [f[0] for f in searches], "≤ 150")
            )
            rows.append(Row("20 results, layout shift", "", [f[1] for f in searches], "≤ 0.1"))
            for name in PAGES:
                rounds = [measure_page(browser, f"{address}/{name}") for _ in range(args.rounds)]
                paints, sizes, shifts = zip(*rounds, strict=True)
                rows.append(Row(f"/{name}, largest paint", "ms", paints, "≤ 1000"))
                rows.append(Row(f"/{name}, without photos", "kB", sizes, "≤ 300"))
                rows.append(Row(f"/{name}, layout shift", "", shifts, "≤ 0.1"))
            browser.close()
    print_rows(rows)
    print(f"Written to {write_rows(rows, OUT)}")


if __name__ == "__main__":
    main()
