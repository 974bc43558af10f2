"""Verdicts of small indexes, and of photos that show no place: a black one, sky, text, a face."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from place_search.indexer import build_index, open_index, open_source
from place_search.models import Model
from place_search.search.compare import compare_photos
from place_search.search.engine import Engine
from place_search.search.server.app import create_app
from tests.search.conftest import Street, jpeg
from tests.search.photos import NAMES_OF_NO_PLACE, OF_NO_PLACE

PLACES = {"one": [0], "two": [0, 1], "five": [0, 1, 2, 3, 4], "alike": [0, 0, 0, 0, 0, 0]}


def night(image: Image.Image) -> Image.Image:
    """An eighth of the light, with the noise of a sensor."""
    noise = np.random.default_rng(0).normal(0, 4, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) / 8 + noise).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def engine_of(
    street: Street, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Engine]:
    """An engine on an index of `PLACES`, made when it is first asked for."""
    engines: dict[str, Engine] = {}

    def make(kind: str) -> Engine:
        if kind not in engines:
            root = tmp_path_factory.mktemp(kind)
            (root / "photos").mkdir()
            for number, place in enumerate(PLACES[kind]):
                photo = jpeg(street.photo(place), quality=95 - 5 * number)
                (root / "photos" / f"{number}.jpg").write_bytes(photo)
            build_index(open_source(root / "photos"), root / "index", model)
            engines[kind] = Engine(open_index(root / "index"), model)
        return engines[kind]

    return make


@pytest.mark.slow
@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("name", NAMES_OF_NO_PLACE)
def test_a_photo_of_no_place_is_never_found(
    engine_of: Callable[[str], Engine], kind: str, name: str, verify: bool
) -> None:
    answer = engine_of(kind).search(jpeg(OF_NO_PLACE[name]()), verify=verify)
    assert answer.match.verdict in ("unsure", "not_found")
    assert answer.location is None
    assert len(answer.results) == len(PLACES[kind])
    assert all(0 <= result.probability < answer.match.threshold for result in answer.results)


@pytest.mark.parametrize("kind", PLACES)
def test_a_place_is_found_among_few_and_among_copies(
    engine_of: Callable[[str], Engine], street: Street, kind: str
) -> None:
    answer = engine_of(kind).search(street.query(0))
    assert answer.match.verdict == "found"
    if kind == "alike":
        assert all(result.probability > 0.95 for result in answer.results)
    else:
        assert answer.results[0].name == "0.jpg"
        assert all(result.probability < 0.5 for result in answer.results[1:])


@pytest.mark.parametrize("kind", PLACES)
def test_another_place_is_not_found_among_few(
    engine_of: Callable[[str], Engine], street: Street, kind: str
) -> None:
    assert engine_of(kind).search(street.query(9)).match.verdict == "not_found"


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("kind", PLACES)
def test_a_photo_of_the_index_finds_itself(
    engine_of: Callable[[str], Engine], street: Street, kind: str, verify: bool
) -> None:
    answer = engine_of(kind).search(jpeg(street.photo(0), quality=95), verify=verify)
    assert answer.match.verdict == "found"
    assert answer.match.probability > 0.99
    assert answer.results[0].similarity > 0.999


def test_night_and_blur_are_found_until_nothing_is_left_to_see(
    engine_of: Callable[[str], Engine], street: Street
) -> None:
    engine = engine_of("five")
    photo = street.photo(0)
    dark = engine.search(jpeg(night(photo)))
    assert dark.match.verdict == "found"
    assert dark.results[0].name == "0.jpg"
    soft, shapeless = (
        engine.search(jpeg(photo.filter(ImageFilter.GaussianBlur(radius)))).match.verdict
        for radius in (1, 60)
    )
    assert soft == "found"
    assert shapeless in ("unsure", "not_found")


@pytest.mark.parametrize("name", NAMES_OF_NO_PLACE)
def test_the_answer_is_the_same_over_http(engine_of: Callable[[str], Engine], name: str) -> None:
    engine = engine_of("two")
    photo = jpeg(OF_NO_PLACE[name]())

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(engine))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/v1/search", files={"photo": photo})

    answer = asyncio.run(ask())
    assert answer.status_code == 200
    here = engine.search(photo)
    assert answer.json()["match"] == here.to_dict()["match"]
    assert answer.json()["location"] is None


@pytest.mark.parametrize("colour", ["black", "white"])
@pytest.mark.slow
def test_a_blank_photo_is_not_found_beside_a_blank_one(
    street: Street, model: Model, tmp_path: Path, colour: str
) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (640, 480), "black").save(tmp_path / "photos" / "black.jpg")
    for place in range(12):
        (tmp_path / "photos" / f"{place}.jpg").write_bytes(jpeg(street.photo(place)))
    build_index(open_source(tmp_path / "photos"), tmp_path / "index", model)
    blank = jpeg(Image.new("RGB", (640, 480), colour))
    answer = Engine(open_index(tmp_path / "index"), model, candidates=12).search(blank)
    assert answer.match.verdict == "not_found"
    assert answer.results[0].verified is not None
    assert answer.results[0].verified.inliers == 0
    assert compare_photos(model, blank, blank).result == "different"


@pytest.mark.parametrize("name", NAMES_OF_NO_PLACE)
def test_nothing_agrees_with_a_blank_photo(model: Model, name: str) -> None:
    blank, other = jpeg(Image.new("RGB", (640, 480), "white")), jpeg(OF_NO_PLACE[name]())
    for compared in (
        compare_photos(model, other, blank),
        compare_photos(model, blank, other),
        compare_photos(model, logo(), blank),
    ):
        assert (compared.result, compared.inliers) == ("different", 0)


def logo() -> bytes:
    """A few plain shapes on white: most of it is as blank as a blank photo."""
    picture = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((220, 140, 420, 340), fill=(200, 30, 30))
    draw.rectangle((290, 190, 350, 290), fill="white")
    return jpeg(picture)


@pytest.mark.parametrize("colour", ["black", "white"])
def test_a_photo_in_which_nothing_can_be_matched_is_told(
    engine_of: Callable[[str], Engine], model: Model, street: Street, colour: str
) -> None:
    blank, photo = jpeg(Image.new("RGB", (640, 480), colour)), jpeg(street.photo(1))
    for number, pair in ((1, (blank, photo)), (2, (photo, blank))):
        assert compare_photos(model, *pair).photo_notes == (
            f"Photo {number}: The photo looks the same all over, so nothing in it can be matched "
            "with others.",
        )
    for verify in (True, False):
        found = engine_of("two").search(blank, verify=verify)
        assert "looks the same all over" in found.query.notes[0]
        assert found.match.verdict == "not_found"


@pytest.mark.slow
@pytest.mark.parametrize("verify", [True, False])
def test_a_blank_photo_is_not_found_beside_one_like_it(
    model: Model, street: Street, tmp_path: Path, verify: bool
) -> None:
    (tmp_path / "photos").mkdir()
    for place in range(12):
        street.photo(place).save(tmp_path / "photos" / f"{place}.jpg")
    fog = np.random.default_rng(0).normal(235, 2, (480, 640, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(fog).save(tmp_path / "photos" / "fog.png")
    build_index(open_source(tmp_path / "photos"), tmp_path / "index", model)
    engine = Engine(open_index(tmp_path / "index"), model)
    found = engine.search(jpeg(Image.new("RGB", (640, 480), "white")), verify=verify)
    assert found.results[0].name == "fog.png"
    assert found.match.verdict == "not_found"
