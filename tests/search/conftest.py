"""A small real index of rendered places, and one real server for all tests of this room."""

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from PIL import ExifTags, Image

from place_search.core.geodesy import Position
from place_search.indexer import Index, build_index, open_index, open_source
from place_search.models import Model, open_model
from place_search.search.engine import Engine
from tests.processes import unmeasured
from tests.rendered import rendered_place
from tests.search.guarded import READ_SECONDS
from tests.waiting import PATIENT, SECONDS, wait_until

PROGRAM = (sys.executable, "-m", "place_search")
PLACES = 12
WITHOUT_POSITION = (10, 11)
GONE = 9
"""The place whose photo is deleted once it is indexed."""


@dataclass(frozen=True)
class Street:
    """Rendered places along a street: what they look like, and where they are."""

    folder: Path

    def position(self, place: int) -> Position | None:
        """Places lie 0.001° of latitude (111 m) apart; the last ones have no position."""
        return None if place in WITHOUT_POSITION else Position(48.0 + place / 1000, 11.5)

    def photo(self, place: int) -> Image.Image:
        """What the place looks like, 640 × 480."""
        return rendered_place(place)

    def query(self, place: int) -> bytes:
        """The place seen again: cropped, darker, more compressed, without metadata."""
        crop = self.photo(place).crop((24, 18, 620, 465)).point(lambda value: value * 0.9)
        return jpeg(crop, quality=70)


def jpeg(image: Image.Image, *, quality: int = 90, position: Position | None = None) -> bytes:
    """A JPEG, with a position in its Exif block if one is given."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, exif=_exif(position))
    return out.getvalue()


def _exif(position: Position | None) -> Image.Exif:
    exif = Image.Exif()
    if position is not None:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef] = "N" if position.latitude >= 0 else "S"
        gps[ExifTags.GPS.GPSLatitude] = (abs(position.latitude), 0.0, 0.0)
        gps[ExifTags.GPS.GPSLongitudeRef] = "E" if position.longitude >= 0 else "W"
        gps[ExifTags.GPS.GPSLongitude] = (abs(position.longitude), 0.0, 0.0)
    return exif


@pytest.fixture(scope="session")
def encode_photo() -> Callable[..., bytes]:
    """`jpeg`, for the test modules."""
    return jpeg


@pytest.fixture(scope="session")
def model() -> Model:
    return open_model()


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Street:
    street = Street(tmp_path_factory.mktemp("street"))
    for place in range(PLACES):
        content = jpeg(street.photo(place), position=street.position(place))
        (street.folder / f"{place:02d}.jpg").write_bytes(content)
    (street.folder / "half.jpg").write_bytes(street.query(0)[:2000])
    return street


@pytest.fixture(scope="session")
def index_folder(street: Street, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index") / "street"
    build_index(open_source(street.folder), folder, model)
    (street.folder / f"{GONE:02d}.jpg").unlink()
    return folder


@pytest.fixture(scope="session")
def index(index_folder: Path) -> Index:
    return open_index(index_folder)


@pytest.fixture(scope="session")
def engine(index: Index, model: Model) -> Engine:
    return Engine(index, model)


@dataclass
class RunningServer:
    """A `place-search serve` process."""

    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)
    address: str = ""

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        return self.process.wait(timeout=SECONDS)

    def text(self) -> str:
        """What it has printed so far, on both streams."""
        return "".join(self.output)


StartServer = Callable[..., RunningServer]


@pytest.fixture(scope="session")
def start_server() -> Iterator[StartServer]:
    """Starts `place-search serve` on a free port and waits until it says that it is ready.

    Coverage, which takes a third of its time, leaves out those that are pressed hard.
    """
    started: list[RunningServer] = []

    def start(
        index_folder: Path, *options: str, measured: bool = True, within: Sequence[str] = ()
    ) -> RunningServer:
        process = subprocess.Popen(
            [*within, *PROGRAM, "serve", str(index_folder), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**PATIENT, **(os.environ if measured else unmeasured()), "COLUMNS": "200"},
        )
        server = RunningServer(process)
        started.append(server)
        reader = threading.Thread(target=_collect, args=(server,), daemon=True)
        reader.start()
        wait_until(lambda: server.address or process.poll() is not None, "no server")
        if not server.address:
            reader.join(SECONDS)
            pytest.fail(f"the server did not get ready:\n{server.text()}")
        return server

    yield start
    for server in started:
        server.stop()
        assert server.process.stdout is not None
        server.process.stdout.close()


def _collect(server: RunningServer) -> None:
    assert server.process.stdout is not None
    for line in server.process.stdout:
        server.output.append(line)
        if "ready at " in line:
            server.address = line.split("ready at ")[1].strip()


@pytest.fixture(scope="session")
def server(start_server: StartServer, index_folder: Path) -> RunningServer:
    """The one server that most tests ask; it takes at most 2 MiB a request."""
    return start_server(index_folder, "--max-body-mb", "2")


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.address, timeout=SECONDS) as client:
        yield client
    if server.process.poll() is not None:
        pytest.fail(f"the server died:\n{server.text()}")


@pytest.fixture(scope="module")
def guarded(start_server: StartServer, index_folder: Path) -> RunningServer:
    """A server with short patience, two searches at a time and two in the queue."""
    return start_server(
        index_folder,
        *("--workers", "2", "--queue", "2", "--max-body-mb", "4", "--connections", "60"),
        *("--read-seconds", str(READ_SECONDS)),
        # A busy machine takes longer over the photos of those who went away.
        *("--queue-seconds", "20"),
    )


@pytest.fixture
def ask(guarded: RunningServer) -> Iterator[httpx.Client]:
    """Asks the guarded server, which must be well afterwards."""
    with httpx.Client(base_url=guarded.address, timeout=SECONDS) as client:
        yield client
        assert client.get("/livez").status_code == 200
    assert guarded.process.poll() is None, guarded.text()
