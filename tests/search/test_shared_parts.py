"""A part that most photos of an index share, such as a car's bonnet, says nothing of a place."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import place_search
from place_search.evaluation import evaluate, read_truth_csv
from place_search.evaluation.verified_ranking import GeometryReranker
from place_search.indexer import Index, build_index, open_index, open_source
from place_search.indexer.shared_parts import LEAST_PHOTOS, SharedParts
from place_search.models import Codes, Model
from place_search.search.compare import compare_photos
from place_search.search.engine import Engine
from place_search.search.probability import UNSURE_FROM
from tests.search.conftest import Street, jpeg

PLACES = 20
STEP = 120
GRID = (12, 16)


@pytest.fixture(scope="module")
def drive(street: Street, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An index of one street, each view overlapping the next ones, seen over one bonnet."""
    root = tmp_path_factory.mktemp("drive")
    (root / "photos").mkdir()
    for place in range(PLACES):
        (root / "photos" / f"{place:02}.jpg").write_bytes(seen_from_the_car(street, STEP * place))
    build_index(open_source(root / "photos"), root / "index", model)
    return open_index(root / "index")


def seen_from_the_car(street: Street, x: int, first: int = 0) -> bytes:
    """The view at `x` pixels along the houses from `first` on, its lower third the bonnet."""
    house, inside = divmod(x, 640)
    view = Image.new("RGB", (640, 480))
    view.paste(street.photo(first + house), (-inside, 0))
    view.paste(street.photo(first + house + 1), (640 - inside, 0))
    view.paste(street.photo(99).resize((640, 160)), (0, 320))
    return jpeg(view)


@pytest.mark.slow
def test_photos_of_elsewhere_that_share_it_are_not_found(
    drive: Index, street: Street, model: Model
) -> None:
    engine = Engine(drive, model)
    for x in range(0, 640, 160):
        said = engine.search(seen_from_the_car(street, x, first=50))
        assert said.match.verdict == "not_found"
        path = drive.place(said.results[0].place_id).path
        photos = seen_from_the_car(street, x, first=50), path
        assert compare_photos(model, *photos).result == "same"
        beside = compare_photos(model, *photos, index=drive)
        assert beside.result == "different"


def test_what_is_there_is_found_by_what_is_its_own(
    drive: Index, street: Street, model: Model
) -> None:
    for place in (2, 7, 15):
        said = Engine(drive, model).search(seen_from_the_car(street, STEP * place + 30))
        assert said.match.verdict == "found"
        assert said.results[0].name == f"{place:02}.jpg"
    assert drive.shared_parts.share == pytest.approx(1 / 3, abs=0.05)
    share = f"{drive.shared_parts.share:.0%}"
    notes = place_search.doctor(drive.folder).notes
    assert f"show the same in {share} of the picture" in " ".join(notes)


@pytest.mark.slow
def test_an_evaluation_without_an_index_leaves_it_out_too(
    drive: Index, street: Street, model: Model, tmp_path: Path
) -> None:
    lines = ["query,positives"]
    for number, (x, first) in enumerate([(STEP * 7 + 30, 0), (0, 50), (160, 50), (320, 50)]):
        (tmp_path / f"{number}.jpg").write_bytes(seen_from_the_car(street, x, first))
        lines.append(f"{number}.jpg,{'places/07.jpg' if first == 0 else ''}")
    (tmp_path / "places").symlink_to(drive.place(0).path.parent)
    (tmp_path / "truth.csv").write_text("\n".join(lines))
    truth = read_truth_csv(tmp_path / "truth.csv", tmp_path, database=tmp_path / "places")
    report = evaluate(truth, model, reranker=GeometryReranker(model, tmp_path))
    there, *elsewhere = [ranked.probability for ranked in report.ranked]
    assert there > 0.95
    assert max(elsewhere) < UNSURE_FROM


def signs(random: np.random.Generator) -> NDArray[np.uint8]:
    return random.integers(0, 256, (*GRID, 7), np.uint8)


def shared_parts(photos: list[NDArray[np.uint8]]) -> SharedParts:
    """Of photos that are given as codes, (h, w, bytes)."""

    def codes(number: int) -> Codes:
        return photos[number].reshape(-1, 7), GRID

    return SharedParts(len(photos), codes)


@pytest.fixture
def photos() -> Callable[..., list[NDArray[np.uint8]]]:
    """Makes photos whose first rows are one photo's, but for a sixth of the bits."""

    def make(count: int, rows: int, seed: int = 7) -> list[NDArray[np.uint8]]:
        random = np.random.default_rng(seed)
        part = signs(random)[:rows]
        made = []
        for _ in range(count):
            photo = signs(random)
            flipped = np.packbits(random.random((rows, GRID[1], 56)) < 1 / 6, axis=-1)
            photo[:rows] = part ^ flipped
            made.append(photo)
        return made

    return make


def test_cells_that_are_alike_in_many_photos_are_left_out_of_those(
    photos: Callable[..., list[NDArray[np.uint8]]],
) -> None:
    some, others = photos(30, 4), photos(30, 0, seed=8)
    parts = shared_parts([*some, *others])
    assert parts.share == pytest.approx(4 / 12)
    left, grid = parts.left_out((some[5].reshape(-1, 7), GRID))
    assert grid == GRID
    assert (left.reshape(some[5].shape)[4:] == some[5][4:]).all()
    assert not left.reshape(some[5].shape)[:4].any()
    for other in ((others[3].reshape(-1, 7), GRID), (np.ones((6, 7), np.uint8), (2, 3))):
        assert parts.left_out(other) is other


def test_each_car_of_several_has_a_part_of_its_own(
    photos: Callable[..., list[NDArray[np.uint8]]],
) -> None:
    one, two = photos(24, 4), [photo[::-1] for photo in photos(24, 3, seed=8)]
    parts = shared_parts([*one, *two])
    for photo, rows in ((one[0], slice(0, 4)), (two[0], slice(9, 12))):
        left, _ = parts.left_out((photo.reshape(-1, 7), GRID))
        expected = photo.copy()
        expected[rows] = 0
        assert (left.reshape(photo.shape) == expected).all()


@pytest.mark.parametrize(("count", "rows"), [(LEAST_PHOTOS - 1, 4), (40, 0), (40, 10), (0, 0)])
def test_nothing_is_left_out_of_few_photos_other_ones_or_those_all_alike(
    photos: Callable[..., list[NDArray[np.uint8]]], count: int, rows: int
) -> None:
    assert shared_parts(photos(count, rows)).share == 0


def test_nothing_is_left_out_where_photos_are_alike_all_over(
    photos: Callable[..., list[NDArray[np.uint8]]],
) -> None:
    corridor = photos(40, 4)
    random = np.random.default_rng(9)
    rest = signs(random)[4:]
    for photo in corridor:
        photo[4:] = rest ^ np.packbits(random.random((8, GRID[1], 56)) < 0.31, axis=-1)
    assert shared_parts(corridor).share == 0


def test_black_frames_are_no_shared_part(
    photos: Callable[..., list[NDArray[np.uint8]]],
) -> None:
    framed = photos(40, 4)
    for photo in framed[: 40 - LEAST_PHOTOS + 1]:
        photo[:4] = 0
    assert shared_parts(framed).share == 0
    framed[0][:4] = framed[-1][:4]
    assert shared_parts(framed).share == pytest.approx(4 / 12)
