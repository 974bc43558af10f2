"""A real index of rendered places, a real server, and a real browser that must stay quiet."""

import io
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from bench.chromium import chromium
from place_search.evaluation import evaluate, read_truth_csv, write_report
from place_search.indexer import (
    FieldType,
    build_index,
    change_groups,
    declare_fields,
    open_index,
    open_source,
)
from place_search.models import Model, open_model
from place_search.search.engine import Engine
from place_search.search.groups.by_hand import GroupEdit
from place_search.search.server.app import create_app
from place_search.search.server.keys import new_key
from place_search.search.server.settings import ServerSettings
from tests.held import Gate, running
from tests.processes import unmeasured
from tests.rendered import rendered_place
from tests.waiting import PATIENT, SECONDS
from tests.web.settling import note_requests

TIMEOUT_MS = 1000 * SECONDS
"""The wait for a page, so long that a busy machine fails no test."""
PLACES = 12
PORTRAIT = 1
"""The place whose photo is higher than wide, so that its card must crop it."""
WITHOUT_POSITION = 4
WITHOUT_PHOTO = 7
"""The place whose photo is deleted after indexing."""
SPOT = 3
"""A place that shares its spot with two others in the index of `writable_server`."""

expect.set_options(timeout=TIMEOUT_MS)


def press_until(page: Page, key: str, focused: str) -> None:
    """Press a key until the focused element matches a selector."""
    for _ in range(20):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", focused):
            return
    raise AssertionError(f"{key} never reached {focused}")


@dataclass(frozen=True)
class Town:
    """Rendered places and photos to search with."""

    folder: Path

    def name(self, place: int) -> str:
        """The name of a place in the index."""
        return f"places/street-{place}/{place:02d}.jpg"

    def view(self, place: int) -> Image.Image:
        """A picture of a place, 640 × 480 but for `PORTRAIT`."""
        image = rendered_place(1000 + place)
        return image.resize((480, 1280)) if place == PORTRAIT else image

    def query(self, place: int, *, sideways: bool = False) -> Path:
        """A photo of a place, cropped; `sideways` stores it turned, with Exif to turn it back."""
        path = self.folder / f"query-{place}{'-sideways' if sideways else ''}.jpg"
        if not path.exists():
            view = self.view(place)
            crop = view.crop((24, 18, view.width - 20, view.height - 15))
            exif = Image.Exif()
            if sideways:
                crop = crop.crop((150, 0, 450, 447)).transpose(Image.Transpose.ROTATE_90)
                exif[ExifTags.Base.Orientation] = 6
            crop.save(path, "JPEG", quality=70, exif=exif)
        return path

    def write(self, name: str, content: bytes) -> Path:
        """Write a file; return its path."""
        path = self.folder / name
        path.write_bytes(content)
        return path


@pytest.fixture(scope="session")
def model() -> Model:
    return open_model()


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="session")
def index_folder(town: Town, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = ["path,latitude,longitude"]
    for place in range(PLACES):
        path = town.folder / town.name(place)
        path.parent.mkdir(parents=True)
        town.view(place).save(path, "JPEG", quality=90)
        has_position = place != WITHOUT_POSITION
        rows.append(f"{town.name(place)},{f'{48 + place / 1000},11.5' if has_position else ','}")
    town.write("places/broken.jpg", town.query(0).read_bytes()[:2000])
    rows.append("places/broken.jpg,,")
    table = town.write("places.csv", "\n".join(rows).encode())
    folder = tmp_path_factory.mktemp("index") / "town"
    build_index(open_source(table), folder, model)
    (town.folder / town.name(WITHOUT_PHOTO)).unlink()
    return folder


@contextmanager
def serving(index_folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A `place-search serve` process that takes at most 2 MiB a request, and its address."""
    command = [sys.executable, "-m", "place_search", "serve", str(index_folder)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--max-body-mb", "2", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**PATIENT, **unmeasured()},  # these tests are about the pages
    )
    assert process.stdout is not None
    with process.stdout:
        ready = next((line for line in process.stdout if "ready at " in line), None)
        assert ready is not None, f"the server ended with code {process.wait()}"
        yield process, ready.split("ready at ")[1].strip()
        process.terminate()
        process.wait(timeout=SECONDS)


@pytest.fixture(scope="session")
def reports(town: Town, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one report of four queries, of which two are wrong by its ground truth."""
    rows = ["query,positives"]
    for query, place in ((2, 2), (3, 3), (5, 6), (6, 5)):
        rows.append(f"{town.query(query).name},{town.name(place)}")
    truth = read_truth_csv(town.write("truth.csv", "\n".join(rows).encode()), town.folder)
    folder = tmp_path_factory.mktemp("reports")
    write_report(truth, evaluate(truth, model, ks=[1, 2]), folder / "town")
    return folder


@pytest.fixture(scope="session")
def server(index_folder: Path, reports: Path) -> Iterator[str]:
    """The address of a server for all tests."""
    with serving(index_folder, "--reports", str(reports)) as (_, address):
        yield address


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """The servers of one test, which outlive the pages of `open_page`."""
    with ExitStack() as servers:
        yield servers


@pytest.fixture
def start_server(index_folder: Path, servers: ExitStack) -> Callable[..., str]:
    """Starts a server with options; returns its address."""
    return lambda *options: servers.enter_context(serving(index_folder, *options))[1]


@pytest.fixture
def own_server(index_folder: Path, servers: ExitStack) -> tuple[subprocess.Popen[str], str]:
    """A server process that the test may stop."""
    return servers.enter_context(serving(index_folder))


class SlowEngine(Engine):
    """An engine whose searches wait at a gate."""

    gate: Gate

    def search(self, *arguments: Any, **options: Any) -> Any:
        self.gate.wait()
        return super().search(*arguments, **options)


@dataclass
class HeldServer:
    """A server that waits at a gate, in loading or in each search."""

    address: str
    gate: Gate


HoldServer = Callable[[str], HeldServer]


@pytest.fixture
def hold_server(index_folder: Path, model: Model, servers: ExitStack) -> HoldServer:
    """Starts a server in a thread that waits in the stage `"loading"` or `"searching"`."""

    def start(stage: str) -> HeldServer:
        gate = Gate()

        def load() -> Engine:
            if stage == "loading":
                gate.wait()
                return Engine(open_index(index_folder), model)
            engine = SlowEngine(open_index(index_folder), model)
            engine.gate = gate
            return engine

        options = ServerSettings(workers=1, queue=0) if stage == "searching" else None
        app = create_app(load, options)
        return HeldServer(servers.enter_context(running(app, gate)), gate)

    return start


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one file: `asyncio.run` fails in any test while Playwright is open."""
    with chromium() as launched:
        yield launched


@dataclass
class PageWatch:
    """Collects what a page must not do: logs, exceptions, requests to other hosts."""

    address: str
    expected: tuple[str, ...]
    complaints: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        """Collect errors and warnings, but for the failed requests that the test expects."""
        if message.text == BLOCKED:
            return
        refused = message.text.startswith("Failed to load resource")
        if refused and any(words in message.text for words in self.expected):
            return
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def on_request(self, request: Request) -> None:
        """Collect requests to other hosts."""
        if not request.url.startswith((self.address, "blob:", "data:")):
            self.complaints.append(f"a request to {request.url}")


OpenPage = Callable[..., Page]

BLOCKED = "Service Worker registration blocked by Playwright"
"""The warning that `service_workers="block"` causes on each page."""

LOG_VIOLATIONS = """
document.addEventListener('securitypolicyviolation', (event) =>
    console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
"""


@pytest.fixture
def open_page(browser: Browser, server: str, servers: ExitStack) -> Iterator[OpenPage]:
    """Opens the search page, or the page at the path `at` of the server.

    `expected` names the failed requests that the browser may log.

    A page may still load its map when the test ends, so all servers outlive it.

    Any other console error or warning, exception, violation of the content security policy or
    request to another host fails the test.
    """
    opened: list[tuple[Page, PageWatch]] = []

    def start(
        address: str = server, expected: tuple[str, ...] = (), at: str = "", **options: Any
    ) -> Page:
        # A service worker would hide requests from the tests that answer them in its place.
        usual = {"viewport": {"width": 1280, "height": 900}, "service_workers": "block"}
        context = browser.new_context(**{**usual, **options})
        context.set_default_timeout(TIMEOUT_MS)
        context.add_init_script(LOG_VIOLATIONS)
        page = context.new_page()
        watch = PageWatch(address, expected)
        page.on("console", watch.on_console)
        page.on("pageerror", lambda error: watch.complaints.append(str(error)))
        page.on("request", watch.on_request)
        note_requests(page)
        opened.append((page, watch))
        page.goto(address + at)
        return page

    yield start
    for page, watch in opened:
        page.context.close()
        assert watch.complaints == []


@pytest.fixture(scope="session")
def png_of() -> Callable[[Path], bytes]:
    """A photo file as PNG bytes, the only image format that browsers put on the clipboard."""

    def encode(path: Path) -> bytes:
        out = io.BytesIO()
        Image.open(path).save(out, "PNG")
        return out.getvalue()

    return encode


@dataclass
class WritableServer:
    """A server whose index `key` may change, and `read_key` may only read."""

    address: str
    key: str
    read_key: str


@pytest.fixture(scope="module")
def writable_server(
    index_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WritableServer]:
    """A server whose index may be changed, and whose places 3, 5 and 6 are one spot."""
    folder = tmp_path_factory.mktemp("writable") / "town"
    shutil.copytree(index_folder, folder)
    fields: dict[str, FieldType] = {"floor": "number", "open": "boolean", "seen": "date"}
    texts = ("plaque", "constructor", "__proto__")
    declare_fields(folder, {**fields, **dict.fromkeys(texts, "text")})
    change_groups(folder, GroupEdit(SPOT, "Gate", add=[5, 6]).changed)
    secret, key = new_key("me", "write")
    keys = folder.parent / "keys"
    read_secret, read_key = new_key("other", "read")
    keys.write_text(f"{key.line}\n{read_key.line}")
    with serving(folder, "--writable", "--public", "--keys", str(keys)) as (_, address):
        yield WritableServer(address, secret, read_secret)


@pytest.fixture
def open_place(open_page: Any, writable_server: WritableServer) -> Callable[..., Page]:
    def start(place: int = SPOT, fragment: str = "", **options: Any) -> Page:
        page: Page = open_page(writable_server.address, **options)
        page.evaluate("key => sessionStorage.setItem('place-search-key', key)", writable_server.key)
        page.goto(f"{writable_server.address}place?id={place}{fragment}")
        expect(page.locator("#tools form.tend")).to_be_visible()
        return page

    return start


@pytest.fixture
def api(writable_server: WritableServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {writable_server.key}"}
    with httpx.Client(base_url=writable_server.address, headers=headers, timeout=60) as client:
        yield client
