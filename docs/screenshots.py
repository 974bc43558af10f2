"""Make docs/search.png: the search page with results, from a running server and a query photo.

    python docs/screenshots.py http://127.0.0.1:8000/ PHOTO

Needs Chromium and the development extra.
"""

import argparse
import io
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

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
COLOURS = (256, 192, 128, 96, 64, 32)


def photograph(
    address: str, query: Path, *, width: int, height: int
) -> tuple[Image.Image, Image.Image]:
    """Search with a photo in the page: the window as it is, and without any photos."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("There is no chromium here; run `make test`, which installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(address)
        page.set_input_files("#photo", query)
        page.wait_for_selector("#results:not([aria-busy]) .card")
        page.wait_for_load_state("networkidle")
        whole = page.screenshot(animations="disabled")
        page.evaluate("for (const image of document.images) image.style.visibility = 'hidden'")
        plain = page.screenshot(animations="disabled")
        browser.close()
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


def main() -> None:
    """Read the arguments and write the picture."""
    parser = argparse.ArgumentParser(description="Make a picture of the search page.")
    parser.add_argument("address", help="of a running server, such as http://127.0.0.1:8000/")
    parser.add_argument("photo", type=Path, help="the query photo")
    parser.add_argument("--out", type=Path, default=Path("docs/search.png"))
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--height", type=int, default=900)
    arguments = parser.parse_args()
    picture, plain = photograph(
        arguments.address, arguments.photo, width=arguments.width, height=arguments.height
    )
    arguments.out.write_bytes(shrink(picture, plain))


if __name__ == "__main__":
    main()
