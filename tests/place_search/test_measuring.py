"""What an index's own calibration is measured on, and where there is nothing to measure."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

import place_search
from place_search.search.calibrating.measure import OTHERS, other_rows
from place_search.search.index_calibration import FILE, read_index_calibration
from tests.place_search.conftest import photo

pytestmark = pytest.mark.slow
Run = Callable[..., Result]
PLACES = 20


def test_copies_are_compared_with_places_that_are_surely_others(
    run: Run, plain: Path, tmp_path: Path
) -> None:
    """Photos of one spot, or side by side where nothing is known, may show one place."""
    lines = ["path,latitude,longitude"]
    for place in range(40):
        photo(place).resize((96, 72)).save(tmp_path / f"{place:02d}.jpg")
        spot = place // 4
        lines.append(f"{place:02d}.jpg,{f'48.{spot:02d}0{place % 4},11.5' if place < 20 else ','}")
    (tmp_path / "places.csv").write_text("\n".join(lines), "utf-8")
    made = run("index", tmp_path / "places.csv", "--out", tmp_path / "index", "--model", plain)
    assert made.exit_code == 0, made.output
    index = place_search.open_index(tmp_path / "index")
    for row in range(40):
        for copy in range(20):
            others = other_rows(index, row, copy)
            assert len({row, *others.tolist()}) == OTHERS + 1
            with_position = others[others < 20]
            if row < 20:
                assert (with_position // 4 != row // 4).all()
            else:
                assert (abs(others - row) > 2).all()


def view(place: int) -> Image.Image:
    """Two textures, as one all over shows nothing: by similarity alone, boxes are all alike."""
    seen, below = textured(place), textured(place + PLACES + place // 5)
    seen.paste(below.crop((0, 0, 640, 240)), (0, 240))
    return seen


def textured(place: int) -> Image.Image:
    """Waves or patches of two colours."""
    y, x = np.mgrid[:480, :640].astype(float)
    random = np.random.default_rng(place)
    angle, period, cell = place * np.pi / 7, 12 + 9 * (place % 6), 8 << place % 3
    across, along = x * np.cos(angle) + y * np.sin(angle), x * np.sin(angle) - y * np.cos(angle)
    wave, other = np.sin(2 * np.pi * across / period), np.sin(np.pi * along / period)
    patches = np.kron(random.normal(size=(480 // cell, 640 // cell)), np.ones((cell, cell)))
    tone = (wave, wave * other, np.maximum(wave, other), patches, wave + patches)[place % 5]
    tone = (tone - tone.min()) / np.ptp(tone)
    dark, light = random.integers(0, 256, (2, 3))
    return Image.fromarray((dark + (light - dark) * tone[..., None]).astype(np.uint8))


def test_what_is_told_of_similarity_alone_is_what_searches_find(
    run: Run, plain: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for place in range(PLACES):
        view(place).save(tmp_path / "photos" / f"{place:02d}.jpg")
    said = run(
        "index", tmp_path / "photos", "--out", tmp_path / "i", "--model", plain,
        "--no-local-features",
    )  # fmt: skip
    kept = read_index_calibration(place_search.open_index(tmp_path / "i"))
    assert kept is not None, said.output
    model = place_search.open_model(plain)
    photos = sorted((tmp_path / "photos").iterdir())
    found = place_search.search_many(tmp_path / "i", photos, model=model)
    assert all(answer.match.verdict == "found" for answer in found)
    assert kept.calibration.recall > 0.2
    assert kept.calibration.calibration_error < 0.3


def test_photos_that_are_all_alike_measure_nothing_without_geometry_either(
    run: Run, plain: Path, tmp_path: Path
) -> None:
    (tmp_path / "alike").mkdir()
    for number in range(8):
        moved = photo(3).crop((number, number, 460 + number, 340 + number))
        moved.save(tmp_path / "alike" / f"{number}.jpg")
    said = run(
        "index", tmp_path / "alike", "--out", tmp_path / "i", "--model", plain,
        "--no-local-features",
    )  # fmt: skip
    assert "too many photos of one" in said.stderr
    assert not (tmp_path / "i" / FILE).exists()
