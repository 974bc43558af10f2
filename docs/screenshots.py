"""Make the pictures of the pages in docs/: desktop, phone and dark, from the demo.

    python docs/screenshots.py [--index indexes/demo] [--photos data/demo]

`make screenshots` runs it after making the demo. Only photos under the demo package's own licence
are shown (data/README.md): the queries and the number of results are chosen so. Needs Chromium and
the development extra.
"""

import argparse
import io
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MAX_BYTES = 300_000
COLOURS = (256, 192, 128, 96, 64, 32, 16)
FREE = ("maupertuis", "berlin", "cour-carree", "office", "panelled-door")
"""How the names of the photos begin that may be shown."""

WIDTHS = {"": (1440, 900), "-phone": (390, 844), "-dark": (1440, 900)}


def search(page: Page, address: str, photos: Path) -> None:
    """Three results."""
    page.goto(f"{address}?k=3")
    page.set_input_files("#photo", photos / "queries/maupertuis-facade/02.jpg")
    page.wait_for_selector("#results:not([aria-busy]) .card")
    names = page.locator(".card .name").all_inner_texts()
    if not all(name.startswith(FREE) for name in names):
        sys.exit(f"These results may not be shown: {names}")


def compare(page: Page, address: str, photos: Path) -> None:
    """Two photos of one château."""
    page.goto(f"{address}compare")
    page.set_input_files("#photo-0", photos / "queries/maupertuis-facade/02.jpg")
    page.set_input_files("#photo-1", photos / "places/maupertuis-facade/04.jpg")
    page.wait_for_selector("#verdict")


def world(page: Page, address: str, photos: Path) -> None:
    """The map, with one place chosen."""
    page.goto(f"{address}map")
    page.locator("#in-view summary").click()
    page.locator("#in-view-list button", has_text="maupertuis-roof").first.click()
    page.locator("#in-view summary").click()
    page.wait_for_selector("#chosen img")


def about(page: Page, address: str, photos: Path) -> None:
    """What the model makes of the château."""
    page.goto(f"{address}about")
    page.set_input_files("#photo", photos / "queries/maupertuis-facade/02.jpg")
    page.wait_for_selector("#cells:visible")
    page.locator("#cells").evaluate("cells => cells.closest('li').scrollIntoView()")


def reports(page: Page, address: str, photos: Path) -> None:
    """The demo's evaluation in the list of reports."""
    page.goto(f"{address}reports")
    page.wait_for_selector(".report")


PAGES: dict[str, Callable[[Page, str, Path], None]] = {
    "search": search,
    "compare": compare,
    "map": world,
    "about": about,
    "reports": reports,
}


def photograph(
    browser: Browser, kind: str, show: Callable[[Page], None]
) -> tuple[Image.Image, Image.Image]:
    """One page: the window as it is, and without any photos."""
    width, height = WIDTHS[kind]
    phone = kind == "-phone"
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if kind == "-dark" else "light",
        is_mobile=phone,
        has_touch=phone,
        locale="en",
    )
    page = context.new_page()
    show(page)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    whole = page.screenshot(animations="disabled")
    page.evaluate("for (const image of document.images) image.style.visibility = 'hidden'")
    plain = page.screenshot(animations="disabled")
    context.close()
    return _image(whole), _image(plain)


def _image(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def shrink(picture: Image.Image, plain: Image.Image) -> bytes:
    """The picture as a PNG with as many colours as fit in `MAX_BYTES`."""
    for colours in COLOURS:
        out = io.BytesIO()
        chosen = palette(picture, plain, colours)
        picture.quantize(palette=chosen, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= MAX_BYTES:
            break
    return out.getvalue()


def palette(picture: Image.Image, plain: Image.Image, colours: int) -> Image.Image:
    """A quarter for the page's own flat colours, which photos would outvote; the rest for all."""
    own = colours // 4
    found, counts = np.unique(np.asarray(plain).reshape(-1, 3), axis=0, return_counts=True)
    flat = found[np.argsort(counts)[::-1][:own]].ravel().tolist()
    chosen = Image.new("P", (1, 1))
    chosen.putpalette(flat + (picture.quantize(colours - own).getpalette() or []))
    return chosen


@contextmanager
def serving(index: Path) -> Iterator[str]:
    """The address of a server on an index."""
    command = [sys.executable, "-m", "place_search", "serve", str(index), "--port", "0"]
    command += ["--reports", f"{index}-reports"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        assert process.stdout is not None  # noqa: S101 - asked for above
        try:
            ready = next((line for line in process.stdout if "ready at " in line), None)
            if ready is None:
                sys.exit(f"The server of {index} did not start; run `make demo` first.")
            yield ready.split("ready at ")[1].strip()
        finally:
            process.terminate()


def main() -> None:
    """Read the arguments and write the pictures."""
    parser = argparse.ArgumentParser(description="Make the pictures of the pages.")
    parser.add_argument("--index", type=Path, default=Path("indexes/demo"))
    parser.add_argument("--photos", type=Path, default=Path("data/demo"), help="the demo's photos")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    asked = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("There is no chromium here; run `make test`, which installs it.")
    with serving(asked.index) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        for name, show in PAGES.items():
            for kind in WIDTHS:
                picture, plain = photograph(
                    browser, kind, lambda page, show=show: show(page, address, asked.photos)
                )
                (asked.out / f"{name}{kind}.png").write_bytes(shrink(picture, plain))
        browser.close()


if __name__ == "__main__":
    main()
