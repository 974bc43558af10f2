"""Make the pictures of the pages in docs/: desktop, phone and dark, from the demo.

    python -m docs.screenshots [--index indexes/demo] [--photos data/demo]

`make screenshots` runs it after making the demo. Only photos under the demo package's own licence
are shown (data/README.md): the queries are chosen so. Needs Chromium and
the development extra.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

import place_search
from bench.chromium import chromium
from place_search.search.server.keys import new_key

MAX_BYTES = 300_000
COLOURS = (256, 192, 128, 96, 64, 32, 16)
FREE = ("maupertuis", "berlin", "cour-carree", "office", "panelled-door")
"""Prefixes of the names of the photos that may be shown."""

VIEWPORTS = {"": (1440, 900), "-phone": (390, 844), "-dark": (1440, 900)}
PART_PERCENTS = range(90, 10, -5)
REMOVED = "places/berlin-cathedral/"
SECRET, KEY = new_key("pictures", "write")
"""An API key that may write, and its line for the server's file of keys."""
SHOWN = tuple(f"places/{name}" for name in FREE)


def search(page: Page, address: str, photos: Path) -> None:
    """A search with the verdict `found`; the results that are probably elsewhere are folded."""
    search_with(page, address, photos / "queries/maupertuis-facade/02.jpg", "found")


def search_unsure(page: Page, address: str, photos: Path) -> None:
    """A search with the verdict `unsure`, by the largest part of a photo that leads to it."""
    photo = Image.open(photos / "queries/maupertuis-facade/02.jpg").convert("RGB")
    for percent in PART_PERCENTS:
        part = io.BytesIO()
        width, height = photo.width * percent // 100, photo.height * percent // 100
        top = (photo.height - height) // 2
        photo.crop((0, top, width, top + height)).save(part, "JPEG")
        files = {"photo": part.getvalue()}
        answer = httpx.post(f"{address}v1/search", files=files, timeout=60).json()
        if answer["match"]["verdict"] == "unsure":
            break
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.jpg"
        path.write_bytes(part.getvalue())
        search_with(page, address, path, "unsure")


def search_not_found(page: Page, address: str, photos: Path) -> None:
    """A search with a photo of `REMOVED`; `address` is of a server whose index lacks that place."""
    search_with(page, address, photos / "queries/berlin-cathedral/02.jpg", "not_found")


def search_with(page: Page, address: str, photo: Path, verdict: str) -> None:
    """Search with a photo on the page, and wait for the verdict."""
    page.goto(address)
    page.wait_for_selector("#status details")
    page.set_input_files("#photo", photo)
    page.wait_for_selector(f"#results:not([aria-busy]) h2.{verdict}")
    names = page.locator("#cards .name").all_inner_texts()
    if not all(name.startswith(FREE) for name in names):
        sys.exit(f"These results may not be shown: {names}")


def compare(page: Page, address: str, photos: Path) -> None:
    """Two photos of one château."""
    page.goto(f"{address}compare")
    page.set_input_files("#photo-0", photos / "queries/maupertuis-facade/02.jpg")
    page.set_input_files("#photo-1", photos / "places/maupertuis-facade/04.jpg")
    page.wait_for_selector("#verdict")


def track(page: Page, address: str, photos: Path) -> None:
    """A walk around the château and into the office."""
    page.goto(f"{address}track")
    page.wait_for_selector("#status details")
    frames = [*sorted(photos.glob("*/maupertuis-*/*.jpg")), *sorted(photos.glob("*/office/*.jpg"))]
    places: list[str | None] = []
    with tempfile.TemporaryDirectory() as folder:
        # The page sorts photos by name, so the copies are numbered in the order of the walk.
        walk = [Path(folder) / f"{number:02d}.jpg" for number in range(len(frames))]
        for frame, copy in zip(frames, walk, strict=True):
            shutil.copy(frame, copy)
        page.on(
            "response",
            lambda answer: (
                places.append(answer.json().get("place"))
                if answer.url.endswith("/frames") and answer.ok
                else None
            ),
        )
        page.set_input_files("#files", walk)
        page.wait_for_selector("#restart:not([hidden])")
        page.wait_for_selector("#stop", state="hidden")
    if not all((name or FREE[0]).startswith(FREE) for name in places):
        sys.exit(f"These places may not be shown: {places}")


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


def gallery(page: Page, address: str, photos: Path) -> None:
    """All places; `address` is of the server with the `FREE` photos only."""
    page.goto(f"{address}places")
    page.wait_for_selector("#places > li")


def one_place(page: Page, address: str, photos: Path) -> None:
    """A place of the server with the `FREE` photos, with similar places and the form."""
    places = httpx.get(f"{address}v1/places?q=maupertuis", timeout=60).json()["places"]
    # The first photo has no position; the last, an aerial photo of the same château, has one.
    facade, aerial = places[0], places[-1]["position"]
    position = {**aerial, "latitude": aerial["latitude"] + 0.0003}
    httpx.patch(
        f"{address}v1/places/{facade['place_id']}",
        json={"position": position, "name": "Château de Maupertuis", "tags": ["château"]},
        headers={"Authorization": f"Bearer {SECRET}"},
        timeout=60,
    ).raise_for_status()
    page.add_init_script(f"sessionStorage.setItem('place-search-key', '{SECRET}')")
    page.goto(f"{address}place?id={facade['place_id']}#alike")
    page.wait_for_selector("#alike-photos li")
    page.wait_for_selector("#tools form")
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0)")


PAGES: dict[str, Callable[[Page, str, Path], None]] = {
    "search": search,
    "search-unsure": search_unsure,
    "search-not-found": search_not_found,
    "compare": compare,
    "track": track,
    "places": gallery,
    "place": one_place,
    "map": world,
    "about": about,
    "reports": reports,
}


@contextmanager
def open_kind(browser: Browser, kind: str) -> Iterator[Page]:
    """An empty page with the viewport and the colours of `kind`, a key of `VIEWPORTS`."""
    width, height = VIEWPORTS[kind]
    phone = kind == "-phone"
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if kind == "-dark" else "light",
        is_mobile=phone,
        has_touch=phone,
        locale="en",
    )
    yield context.new_page()
    context.close()


def photograph(page: Page) -> tuple[Image.Image, Image.Image]:
    """The window as it is, and without its photos."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    whole = page.screenshot(animations="disabled")
    page.evaluate("for (const image of document.images) image.style.visibility = 'hidden'")
    plain = page.screenshot(animations="disabled")
    return _image(whole), _image(plain)


def _image(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def shrink(picture: Image.Image, plain: Image.Image) -> bytes:
    """The picture as a PNG of at most `MAX_BYTES`, with the most of `COLOURS` that fit."""
    for colours in COLOURS:
        out = io.BytesIO()
        table = palette(picture, plain, colours)
        picture.quantize(palette=table, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= MAX_BYTES:
            break
    return out.getvalue()


def palette(picture: Image.Image, plain: Image.Image, colours: int) -> Image.Image:
    """A palette: a quarter for the page's flat colours, which photos outweigh, the rest for all."""
    own = colours // 4
    flat_colours, counts = np.unique(np.asarray(plain).reshape(-1, 3), axis=0, return_counts=True)
    commonest = flat_colours[np.argsort(counts)[::-1][:own]].ravel().tolist()
    table = Image.new("P", (1, 1))
    table.putpalette(commonest + (picture.quantize(colours - own).getpalette() or []))
    return table


@contextmanager
def index_without(index: Path, is_left_out: Callable[[str], bool]) -> Iterator[Path]:
    """A copy of an index without some photos, by name, and the server's file of keys beside it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "keys").write_text(KEY.line)
        copy = Path(folder) / "index"
        shutil.copytree(index, copy)
        names = [place.name for place in place_search.open_index(copy).places()]
        place_search.remove(copy, [name for name in names if is_left_out(name)])
        yield copy


@contextmanager
def serving(index: Path, reports: Path, *options: str) -> Iterator[str]:
    """The address of a server on an index."""
    command = [sys.executable, "-m", "place_search", "serve", str(index), "--port", "0"]
    command += ["--reports", str(reports), *options]
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
    args = parser.parse_args()
    reports = Path(f"{args.index}-reports")
    with (
        index_without(args.index, lambda name: name.startswith(REMOVED)) as smaller,
        index_without(args.index, lambda name: not name.startswith(SHOWN)) as free,
        serving(args.index, reports) as address,
        serving(smaller, reports) as smaller_address,
        serving(
            *(free, reports, "--writable", "--public", "--keys", f"{free.parent / 'keys'}")
        ) as free_address,
        chromium() as browser,
    ):
        own_addresses: dict[Callable[[Page, str, Path], None], str] = {
            search_not_found: smaller_address,
            gallery: free_address,
            one_place: free_address,
        }
        for name, show in PAGES.items():
            page_address = own_addresses.get(show, address)
            for kind in VIEWPORTS:
                with open_kind(browser, kind) as page:
                    show(page, page_address, args.photos)
                    picture, plain = photograph(page)
                (args.out / f"{name}{kind}.png").write_bytes(shrink(picture, plain))


if __name__ == "__main__":
    main()
