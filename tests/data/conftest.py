import csv
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from place_search import demo_photos
from place_search.core.files import sha256_of

LISTS = Path(demo_photos.__file__).resolve().parent.parent / "data"
FOLDER_IN_ARCHIVE = demo_photos.ARCHIVE.removesuffix(".tar.gz")


def read_list(name: str) -> list[dict[str, str]]:
    with (LISTS / name).open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


@pytest.fixture(scope="session")
def photos() -> list[dict[str, str]]:
    return read_list("demo_photos.csv")


@pytest.fixture(scope="session")
def places() -> list[dict[str, str]]:
    return read_list("demo_places.csv")


@pytest.fixture(scope="session")
def truth() -> list[dict[str, str]]:
    return read_list("demo_truth.csv")


def paint(path: str) -> bytes:
    """A JPEG of blocks that says which place of the demo it is; photos of a place differ a bit."""
    rng = np.random.default_rng(list(path.split("/")[1].encode()))
    canvas = Image.new("RGB", (320, 240), "grey")
    for _ in range(40):
        left, top, width, height = (
            int(n) for n in rng.integers((0, 0, 10, 10), (300, 220, 90, 90))
        )
        colour = tuple(int(n) for n in rng.integers(0, 255, 3))
        canvas.paste(colour, (left, top, left + width, top + height))
    shift = len(path) % 5
    out = io.BytesIO()
    canvas.crop((shift, 0, shift + 312, 240)).save(out, "JPEG")
    return out.getvalue()


def add(packed: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    packed.addfile(entry, io.BytesIO(content))


@pytest.fixture(scope="session")
def small_archive(tmp_path_factory: pytest.TempPathFactory, photos: list[dict[str, str]]) -> Path:
    """An archive laid out like the real one, with painted photos and members to beware of."""
    path = tmp_path_factory.mktemp("archive") / demo_photos.ARCHIVE
    with tarfile.open(path, "w:gz") as packed:
        add(packed, "../outside.jpg", b"outside")
        add(packed, f"{FOLDER_IN_ARCHIVE}/samples/unwanted.jpg", b"unwanted")
        link = tarfile.TarInfo(f"{FOLDER_IN_ARCHIVE}/places")
        link.type, link.linkname = tarfile.SYMTYPE, "/"
        packed.addfile(link)
        for row in photos:
            add(packed, f"{FOLDER_IN_ARCHIVE}/{row['member']}", paint(row["path"]))
    return path


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch, small_archive: Path) -> Path:
    """The small archive, in the place of the one that is pinned."""
    monkeypatch.setattr(demo_photos, "SHA256", sha256_of(small_archive))
    return small_archive
