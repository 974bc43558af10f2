"""Folders of small rendered photos, and the block model."""

import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from place_search.core.geodesy import Position
from place_search.indexer import (
    Index,
    KeptPhotos,
    PhotoList,
    Source,
    add_photos,
    build_index,
    open_index,
    open_source,
)
from place_search.models import Model

SCRIPT = Path(__file__).with_name("block_model.py")


def _load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("block_model", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["block_model"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def blocks() -> ModuleType:
    """The module of the block model, which is also a script."""
    return _load_script()


@pytest.fixture(scope="session")
def model(blocks: ModuleType) -> Model:
    """A model that is quick and depends on nothing."""
    model: Model = blocks.block_model()
    return model


def touch(*paths: Path) -> None:
    """Make empty files, and the folders that they are in."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def render(
    path: Path, seed: int, size: tuple[int, int] = (160, 120), position: Position | None = None
) -> Path:
    """Write a photo of random colour patches, if asked with a GPS position in its Exif."""
    path.parent.mkdir(parents=True, exist_ok=True)
    patches = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    if position is not None:
        gps: dict[int, Any] = {
            ExifTags.GPS.GPSLatitudeRef: "N" if position.latitude >= 0 else "S",
            ExifTags.GPS.GPSLatitude: (abs(position.latitude), 0.0, 0.0),
            ExifTags.GPS.GPSLongitudeRef: "E" if position.longitude >= 0 else "W",
            ExifTags.GPS.GPSLongitude: (abs(position.longitude), 0.0, 0.0),
        }
        exif[ExifTags.IFD.GPSInfo] = gps
    image.save(path, exif=exif)
    return path


def keep_photo(index: Path, model: Model, *, name: str = "") -> Path:
    """Add a place to an index as a server does, with a photo that it keeps; its path."""
    photo = render(KeptPhotos(index).folder / f"{1:032x}.jpg", 70)
    listed = PhotoList(photo.parent)
    listed.append(photo.name, name=name)
    assert add_photos(index, Source(photo.parent, listed, "csv"), model).added == 1
    return photo


Render = Callable[..., Path]


@pytest.fixture(scope="session", name="render")
def _render() -> Render:
    return render


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of eleven photos in two shapes, some in a folder below."""
    folder = tmp_path / "photos"
    for number in range(11):
        below = "more" if number > 7 else "."
        size = (120, 160) if number % 3 == 0 else (160, 120)
        render(folder / below / f"p{number:02d}.jpg", number, size)
    return folder


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Index:
    """An open index of 40 places in five shards."""
    folder = tmp_path_factory.mktemp("index")
    for number in range(40):
        position = Position(47.0, number / 10) if number % 4 else None
        render(folder / "photos" / f"{number:02d}.jpg", number, position=position)
    source = open_source(folder / "photos")
    build_index(source, folder / "index", model, photos_per_shard=8, store="hnsw-sq8")
    return open_index(folder / "index")


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """An own folder, as a user whom permissions bind: root gives up being root for the test."""
    time.strptime("1", "%d")  # loads what this user may not reach where Python is root's own
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        if os.geteuid() != 0:
            yield path
            return
        os.chown(path, 65534, 65534)
        os.seteuid(65534)
        try:
            yield path
        finally:
            os.seteuid(0)


@pytest.fixture
def built(photos: Path, tmp_path: Path, model: Model) -> Path:
    """An index of the eleven photos, in three shards."""
    build_index(open_source(photos), tmp_path / "index", model, photos_per_shard=4)
    return tmp_path / "index"
