"""Comparing two photos, in process and over HTTP."""

from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from place_search.indexer import Index
from place_search.models import Model, included_calibration
from place_search.search.compare import compare_photos
from place_search.search.engine import Engine
from place_search.search.reasons import reason_of
from place_search.search.results import CompareResult
from place_search.search.server.app import create_app
from tests.search.asking import asker
from tests.search.calibration_0_1 import CALIBRATION
from tests.search.photos import encoded


@pytest.fixture(scope="module")
def calibrated(model: Model) -> Model:
    return Model(replace(model.card, calibration=CALIBRATION), model.runtime)


@pytest.fixture(scope="module")
def same(calibrated: Model, street: Any) -> CompareResult:
    """What is said of a place and a query of it."""
    return compare_photos(calibrated, encoded(street.photo(2)), street.query(2))


def test_the_same_place_is_the_same(same: CompareResult) -> None:
    assert same.result == "same"
    assert same.threshold == 0.6
    assert same.probability > same.threshold
    assert same.inliers == len(same.matches) > 200


def test_matches_are_pixels_of_the_photos_as_sent(same: CompareResult) -> None:
    """The query is the photo cropped by 24 × 18 pixels and not resized."""
    moves = sorted((x1 - x2, y1 - y2) for x1, y1, x2, y2 in same.matches)
    across, down = moves[len(moves) // 2]
    assert across == pytest.approx(24, abs=10)
    assert down == pytest.approx(18, abs=25)
    assert all(0 <= x1 <= 640 and 0 <= y1 <= 480 for x1, y1, _, _ in same.matches)
    assert all(0 <= x2 <= 596 and 0 <= y2 <= 447 for _, _, x2, y2 in same.matches)


def test_other_places_are_different(calibrated: Model, street: Any) -> None:
    for other in (4, 5, 6):
        reply = compare_photos(calibrated, encoded(street.photo(2)), street.query(other))
        assert reply.result == "different"


def through_a_lens(seed: int) -> bytes:
    """Patches of colour within a circle, the rest nearly black, as a fisheye lens has it."""
    patches = np.random.default_rng(seed).integers(0, 256, (15, 20, 3), dtype=np.uint8)
    pixels = np.array(Image.fromarray(patches).resize((640, 480), Image.Resampling.BICUBIC))
    y, x = np.mgrid[:480, :640]
    outside = np.hypot(x - 319.5, y - 239.5) > 230
    pixels[outside] = 16 + np.random.default_rng(9).integers(0, 4, (480, 640, 1))[outside]
    return encoded(Image.fromarray(pixels))


def test_scenes_through_one_lens_do_not_match_in_its_black_corners(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = through_a_lens(1), through_a_lens(2)
    framed = compare_photos(model, *photos)
    assert framed.inliers < 120
    assert all(np.hypot(x - 319.5, y - 239.5) < 250 for x, y, _, _ in framed.matches)

    def no_frame(_: object, grid: tuple[int, int]) -> NDArray[np.bool_]:
        return np.zeros(grid, np.bool_)

    monkeypatch.setattr("place_search.models.model.black_frame", no_frame)
    assert compare_photos(model, *photos).inliers > 3 * framed.inliers


@pytest.mark.parametrize("size", [(640, 480), (32, 32), (2000, 40)])
@pytest.mark.parametrize("colour", ["black", "skyblue"])
def test_photos_of_nothing_are_not_the_same_as_a_place(
    calibrated: Model, street: Any, size: tuple[int, int], colour: str
) -> None:
    reply = compare_photos(calibrated, encoded(Image.new("RGB", size, colour)), street.query(1))
    assert reply.result == "different"


def test_without_a_calibration_that_of_the_included_model_is_borrowed(
    model: Model, street: Any
) -> None:
    plain = Model(replace(model.card, calibration=None), model.runtime)
    reply = compare_photos(plain, street.query(1), street.query(1))
    assert reply.result == "same"
    assert reply.threshold == included_calibration().threshold
    assert reply.similarity == pytest.approx(1, abs=1e-5)
    assert reason_of(reply.notes[0]) == ("no-calibration", {"model": plain.card.id})
    assert reply.photo_notes == ()


def test_compare_over_http(client: httpx.Client, model: Model, street: Any) -> None:
    files = {"image1": ("a.jpg", street.query(1)), "image2": ("b.jpg", street.query(2))}
    expected = compare_photos(model, street.query(1), street.query(2))
    for path in ("/v1/compare", "/compare"):
        response = client.post(path, files=files)
        assert response.status_code == 200
        assert response.json() == expected.to_dict()


def test_a_borrowed_calibration_is_told_over_http(index: Index, model: Model, street: Any) -> None:
    plain = Model(replace(model.card, calibration=None), model.runtime)
    ask = asker(create_app(Engine(index, plain)))
    files = {"image1": ("a.jpg", street.query(1)), "image2": ("b.jpg", street.query(2))}
    compared = ask("POST", "/v1/compare", files=files).json()
    similar = ask("GET", "/v1/places/0/similar").json()
    for reply in (compared, similar):
        assert list(map(reason_of, reply["notes"])) == [
            ("no-calibration", {"model": plain.card.id})
        ]


@pytest.mark.parametrize(
    ("image2", "status"), [(None, 400), (b"", 400), (b"text", 415), (b"\xff\xd8\xff\xe0", 422)]
)
def test_a_photo_that_cannot_be_compared(
    client: httpx.Client, street: Any, image2: bytes | None, status: int
) -> None:
    files = {"image1": ("a.jpg", street.query(1))}
    if image2 is not None:
        files["image2"] = ("b.jpg", image2)
    response = client.post("/v1/compare", files=files)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert ("Photo 2: " in response.json()["detail"]) == bool(image2)
