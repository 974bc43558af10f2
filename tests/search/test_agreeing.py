"""Results that cannot all be the photo's place: a part that photos of many places share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from place_search.core.geodesy import Position
from place_search.indexer import build_index, open_index, open_source
from place_search.models import CODE_BYTES, Model
from place_search.search.compare import compare_photos
from place_search.search.engine import Engine
from place_search.search.probability import UNSURE_FROM
from place_search.search.several.agreeing import MatchedPlace, in_agreement, share_a_part
from place_search.search.several.views import RankedPlace
from place_search.search.verification import NOTHING
from tests.search.conftest import Street, jpeg

PLACES = 8
SHARE = 0.45


@pytest.fixture(scope="module")
def driven(street: Street, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a drive, 11 km from place to place, seen over the bonnet of one car."""
    root = tmp_path_factory.mktemp("driven")
    (root / "photos").mkdir()
    for place in range(PLACES):
        at = Position(48.0 + place / 10, 11.5)
        photo = jpeg(over_the_bonnet(street, place), position=at)
        (root / "photos" / f"{place}.jpg").write_bytes(photo)
    build_index(open_source(root / "photos"), root / "index", model)
    return root / "index"


def over_the_bonnet(street: Street, place: int, share: float = SHARE) -> Image.Image:
    photo = street.photo(place)
    height = round(share * photo.height)
    bonnet = street.photo(99).resize((photo.width, height))
    photo.paste(bonnet, (0, photo.height - height))
    return photo


def test_what_places_far_apart_share_is_no_place(
    driven: Path, street: Street, model: Model
) -> None:
    engine = Engine(open_index(driven), model)
    elsewhere = jpeg(over_the_bonnet(street, 50))
    first = engine.search(elsewhere, k=1)
    path = engine.index.place(first.results[0].place_id).path
    assert compare_photos(model, elsewhere, path).result == "same"
    assert first.match.verdict == "unsure"
    assert first.location is None
    assert "km apart: what they share is no place" in " ".join(first.query.notes)
    assert {round(one.probability, 2) for one in engine.search(elsewhere, k=PLACES).results} <= {
        0.0,
        UNSURE_FROM,
    }


@pytest.mark.slow
@pytest.mark.parametrize("share", [SHARE, 0.55])
def test_what_places_without_positions_share_is_no_place(
    street: Street, model: Model, tmp_path: Path, share: float
) -> None:
    for place in range(PLACES):
        photo = jpeg(over_the_bonnet(street, place, share))
        (tmp_path / f"{place}.jpg").write_bytes(photo)
    build_index(open_source(tmp_path), tmp_path / "index", model)
    engine = Engine(open_index(tmp_path / "index"), model)
    said = engine.search(jpeg(over_the_bonnet(street, 50, share)))
    assert said.match.verdict == "unsure"
    assert "in a part, and not with each other beyond it" in " ".join(said.query.notes)
    for wide in ((800, 450), (480, 640)):  # the same, stretched
        stretched = over_the_bonnet(street, 50, share).resize(wide)
        assert engine.search(jpeg(stretched)).match.verdict != "found"
    # Of a place that is there more agrees than that part.
    known = over_the_bonnet(street, 3, share).crop((12, 9, 632, 474))
    assert engine.search(jpeg(known)).match.verdict == "found"
    assert engine.search(jpeg(known)).query.notes == ()


def test_photos_of_one_spot_agree_beyond_what_the_photo_shows(
    street: Street, model: Model, tmp_path: Path
) -> None:
    """Their views overlap more with each other than with a photo that shows a part of them."""
    for shift in range(4):
        view = street.photo(3).crop((10 * shift, 0, 600 + 10 * shift, 480))
        (tmp_path / f"{shift}.jpg").write_bytes(jpeg(view))
    build_index(open_source(tmp_path), tmp_path / "index", model)
    engine = Engine(open_index(tmp_path / "index"), model)
    part = street.photo(3).crop((160, 100, 520, 400))
    beside = street.photo(70)
    beside.paste(part.resize((430, 360)), (0, 0))
    said = engine.search(jpeg(beside))
    assert said.query.notes == ()
    assert said.match.verdict == "found"


def test_what_is_nearer_or_farther_is_no_part_of_the_car(
    street: Street, model: Model, tmp_path: Path
) -> None:
    """A house seen from several distances, before other traffic each time, is one place."""
    for number, percent in enumerate((85, 118, 130)):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(house_at(street, number, percent)))
    build_index(open_source(tmp_path), tmp_path / "index", model)
    said = Engine(open_index(tmp_path / "index"), model).search(jpeg(house_at(street, 9, 100)))
    assert said.query.notes == ()
    assert said.match.verdict == "found"


def house_at(street: Street, number: int, percent: int) -> Image.Image:
    photo = street.photo(40 + number)
    house = street.photo(3).crop((100, 100, 450, 350))
    photo.paste(house.resize((350 * percent // 100, 250 * percent // 100)), (20, 20))
    return photo


def test_places_that_match_other_parts_of_the_photo_share_none(
    street: Street, model: Model, tmp_path: Path
) -> None:
    left, right = (street.photo(3).resize((400, 480)), street.photo(7).resize((240, 480)))
    views = [(left, street.photo(20)), (street.photo(21), right), (street.photo(22), right)]
    for number, (at_left, at_right) in enumerate(views):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(side_by_side(at_left, at_right)))
    build_index(open_source(tmp_path), tmp_path / "index", model)
    said = Engine(open_index(tmp_path / "index"), model).search(jpeg(side_by_side(left, right)))
    assert said.query.notes == ()
    assert said.match.verdict == "found"


def test_places_without_a_match_share_nothing() -> None:
    blank = np.zeros((100, CODE_BYTES), np.uint8), (10, 10)
    assert not share_a_part([MatchedPlace(blank, NOTHING)] * 3)


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    photo = Image.new("RGB", (640, 480))
    photo.paste(left, (0, 0))
    photo.paste(right, (400, 0))
    return photo


@pytest.mark.slow
def test_a_place_that_is_there_is_found_beside_one_that_is_not_where_it_says(
    engine_at: Callable[..., Engine], street: Street
) -> None:
    there, near, far = Position(48.0, 11.5), Position(48.001, 11.5), Position(50.0, 9.0)
    for positions, verdict in (
        ([there, near, far], "found"),
        ([there, far], "unsure"),
        ([there, None], "found"),
        ([there, near], "found"),
    ):
        assert engine_at(positions).search(street.query(3)).match.verdict == verdict


@pytest.fixture
def engine_at(street: Street, model: Model, tmp_path: Path) -> Callable[..., Engine]:
    """Makes an index of one place's photos that say they were taken at these positions."""

    def make(positions: list[Position | None]) -> Engine:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for number, position in enumerate(positions):
            photo = street.photo(3).resize((640 - number, 480))
            (folder / f"{number}.jpg").write_bytes(jpeg(photo, position=position))
        build_index(open_source(folder), folder.with_suffix(".index"), model)
        return Engine(open_index(folder.with_suffix(".index")), model)

    return make


def test_nothing_is_said_of_no_results(driven: Path) -> None:
    notes: list[str] = []
    nothing: list[RankedPlace] = []
    assert in_agreement(open_index(driven), nothing, 0.95, notes) == []
    assert notes == []
