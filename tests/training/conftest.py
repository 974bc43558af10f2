"""Rendered places: flat scenes of shapes, seen from a few standpoints under changing light."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from place_search.photos.opencv import cv2
from tests.training import kill_run

Render = Callable[..., Path]


def scene(place: int) -> NDArray[np.uint8]:
    """A facade of rectangles and discs, another for each place, 240 × 192."""
    random = np.random.default_rng(place)
    canvas = np.full((192, 240, 3), random.integers(60, 190, 3), dtype=np.uint8)
    for _ in range(40):
        colour = random.integers(0, 256, 3).tolist()
        x, y = int(random.integers(0, 240)), int(random.integers(0, 192))
        wide, high = (int(side) for side in random.integers(6, 50, 2))
        if random.random() < 0.7:
            cv2.rectangle(canvas, (x, y), (x + wide, y + high), colour, -1)
        else:
            cv2.circle(canvas, (x, y), wide // 2, colour, -1)
    return canvas


def photo(place: int, number: int, light: float) -> Image.Image:
    """A photo of a place: shifted by up to a tenth, under light of another direction and colour."""
    random = np.random.default_rng((place, number))
    left, top = (int(side) for side in random.integers(0, 24, 2))
    seen = scene(place)[top : top + 160, left : left + 208].astype(np.float64) / 255
    rows, columns = np.mgrid[:160, :208] / 200
    angle = random.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * (rows - 0.4) + np.sin(angle) * (columns - 0.5)
    gain = np.exp(light * 3 * slope)[..., None] * np.exp(light * random.normal(0, 0.4, 3))
    shot = seen * gain * np.exp(-light * random.uniform(0, 1.5))
    shot = shot + random.normal(0, 0.06 * light, shot.shape)
    return Image.fromarray((np.clip(shot, 0, 1) * 255).astype(np.uint8))


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Renders places into a folder with a list `images.csv`; the first place's number may vary."""

    def make(places: int, photos: int = 4, *, first: int = 0, light: float = 1.0) -> Path:
        folder = tmp_path_factory.mktemp("places")
        rows = ["image,place"]
        for place in range(first, first + places):
            for number in range(photos):
                name = f"{place:03d}-{number}.png"
                photo(place, number, light).save(folder / name)
                rows.append(f"{name},{place}")
        (folder / "images.csv").write_text("\n".join(rows), "utf-8")
        return folder

    return make


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small products are many times slower on threads that the machine has no cores for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are written without graphs and with a mean of few photos, curves without pictures."""
    for room in ("loop.train", "cluster"):
        module = import_module(f"place_search.training.{room}")
        monkeypatch.setattr(module, "write_model", kill_run.write_plainly)
    monkeypatch.setattr("place_search.training.loop.train.MEAN_PHOTOS", kill_run.MEAN_PHOTOS)
    monkeypatch.setattr("place_search.training.loop.curve.Curve.draw", kill_run.draw_nothing)
