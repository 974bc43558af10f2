"""Calibration on rendered places: far apart, so that every figure is perfect."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from place_search.evaluation import (
    Pair,
    TruthError,
    calibrate,
    read_pairs,
    write_calibration_report,
)
from place_search.models import open_model


def rendered(place: int) -> Image.Image:
    """A scene of its own: boxes in all sizes and places."""
    random = np.random.default_rng(place)
    picture = Image.new("RGB", (640, 480), tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(80):
        left, top = random.integers(0, (600, 440)).tolist()
        width, height = random.integers(8, 140, 2).tolist()
        colour = tuple(random.integers(0, 256, 3).tolist())
        draw.rectangle((left, top, left + width, top + height), fill=colour)
    return picture


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    for place in range(16):
        picture = rendered(place)
        for view in range(4):
            box = (view * 8, view * 6, 600 + view * 8, 450 + view * 6)
            picture.crop(box).save(folder / f"{place}-{view}.jpg")
    return folder


def pairs() -> list[Pair]:
    same = [
        Pair(f"{place}-{one}.jpg", f"{place}-{other}.jpg", True)
        for place in range(16)
        for one in range(4)
        for other in range(one)
    ] * 2
    different = [
        Pair(f"{place}-{view}.jpg", f"{(place + step) % 16}-0.jpg", False)
        for place in range(16)
        for view in range(4)
        for step in (1, 2, 3)
    ]
    return same + different


@pytest.mark.slow
def test_a_calibration_tells_places_apart(photos: Path, tmp_path: Path) -> None:
    fitted = calibrate(open_model(), [(photos, pairs())], data="rendered")
    found = fitted.calibration
    assert (found.same_pairs, found.different_pairs) == (192, 192)
    assert found.auc > 0.99
    assert found.precision is not None
    assert found.precision > 0.98
    assert found.recall > 0.9
    assert found.threshold == 0.95
    write_calibration_report(fitted, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "calibration.json",
        "precision_recall.csv",
        "precision_recall.svg",
    }


@pytest.mark.slow
def test_too_few_pairs_say_how_many_are_needed(photos: Path) -> None:
    with pytest.raises(TruthError, match="give at least 100 pairs of each kind"):
        calibrate(open_model(), [(photos, pairs()[:20])], data="few")


def test_pairs_are_read_and_their_faults_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("photo1,photo2,same\na.jpg,b.jpg,1\na.jpg,c.jpg,0\n")
    pairs = [Pair("a.jpg", "b.jpg", True), Pair("a.jpg", "c.jpg", False)]
    assert read_pairs([(path, tmp_path)]) == ([(tmp_path, pairs)], 0)
    path.write_text("photo1,photo2,same\na.jpg,b.jpg,maybe\n")
    with pytest.raises(TruthError, match="'maybe' under same in row 2"):
        read_pairs([(path, tmp_path)])
    path.write_text("one,two\n")
    with pytest.raises(TruthError, match=r"lacks the column photo1: .* as in photo1,photo2,same"):
        read_pairs([(path, tmp_path)])
    with pytest.raises(TruthError, match="does not exist"):
        read_pairs([(tmp_path / "none.csv", tmp_path)])


def test_two_photos_count_once_and_never_as_both(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("photo1,photo2,same\na.jpg,b.jpg,1\na.jpg,c.jpg,0\nb.jpg,a.jpg,1\n")
    second.write_text("photo1,photo2,same\nb.jpg,c.jpg,0\n./a.jpg,b.jpg,1\n")
    both = read_pairs([(first, tmp_path), (second, tmp_path)])
    assert [len(pairs) for _, pairs in both.sets] == [2, 1]
    assert both.repeated == 2
    twice = read_pairs([(first, tmp_path), (first, tmp_path)])
    assert ([len(pairs) for _, pairs in twice.sets], twice.repeated) == ([2, 0], 4)
    second.write_text("photo1,photo2,same\nx/../b.jpg,a.jpg,1\n")
    assert read_pairs([(first, tmp_path), (second, tmp_path)]).repeated == 2
    second.write_text("photo1,photo2,same\nb.jpg,c.jpg,0\n./a.jpg,b.jpg,1\n")
    elsewhere = read_pairs([(first, tmp_path), (second, tmp_path / "other")])
    assert [len(pairs) for _, pairs in elsewhere.sets] == [2, 2]
    second.write_text("photo1,photo2,same\nb.jpg,a.jpg,0\n")
    said = (
        f"{second} says 0 of 'b.jpg' and 'a.jpg' in row 2, but row 2 of {first} says 1; leave the "
        "wrong row out."
    )
    with pytest.raises(TruthError, match=f"^{re.escape(said)}$"):
        read_pairs([(first, tmp_path), (second, tmp_path)])


def test_a_photo_is_no_pair_with_itself(tmp_path: Path) -> None:
    """The diagonal of a matrix would make every figure better."""
    path = tmp_path / "pairs.csv"
    path.write_text("photo1,photo2,same\na.jpg,b.jpg,0\na.jpg,./a.jpg,1\n")
    with pytest.raises(TruthError, match=r"pairs\.csv pairs 'a\.jpg' with itself in row 3"):
        read_pairs([(path, tmp_path)])
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    path.write_text("photo1,photo2,same\na.jpg,link.jpg,1\n")
    with pytest.raises(TruthError, match=r"pairs\.csv pairs 'a\.jpg' with itself in row 2"):
        read_pairs([(path, tmp_path)])
