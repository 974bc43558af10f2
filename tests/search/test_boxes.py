"""Searching with a part of a photo, and comparing it: in process and over HTTP."""

import io
import math
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from place_search.models import Model
from place_search.photos import BoxError, PhotoBox, box_of
from place_search.search.compare import compare_photos
from place_search.search.engine import Engine
from tests.search.replies import problem, search

PART = PhotoBox(200, 150, 370, 280)
"""Where in a query the part of a place lies; in the place's own photo it begins at `OFFSET`."""
OFFSET = 100, 60


def pasted(street: Any, place: int, other: int, scale: int = 1) -> bytes:
    """A third of a place, pasted into a photo of another one."""
    photo = street.photo(other)
    left, top = OFFSET
    part = street.photo(place).crop((left, top, left + 370, top + 280))
    photo.paste(part, (200, 150))
    out = io.BytesIO()
    photo.resize((640 * scale, 480 * scale)).save(out, "JPEG", quality=90)
    return out.getvalue()


@pytest.mark.parametrize("place", [0, 3, 6, 9])
def test_only_the_box_is_searched_with(engine: Engine, street: Any, place: int) -> None:
    photo = pasted(street, place, 11)
    assert engine.search(photo, k=1).results[0].name == "11.jpg"
    found = engine.search(photo, k=1, box=PART)
    assert found.results[0].name == f"{place:02d}.jpg"
    assert (found.query.width, found.query.height) == (640, 480)
    assert found.results[0].verified is not None
    assert found.results[0].verified.inliers > 100


def test_a_box_is_in_pixels_of_the_photo_as_sent(engine: Engine, street: Any) -> None:
    """A large JPEG is decoded at a smaller scale."""
    box = PhotoBox(*(4 * value for value in PART))
    found = engine.search(pasted(street, 3, 11, scale=4), k=1, box=box)
    assert found.results[0].name == "03.jpg"
    assert (found.query.width, found.query.height) == (2560, 1920)


@pytest.mark.parametrize("box", [PART, PhotoBox(100, 100, 90, 120), PhotoBox(0, 0, 640, 480)])
def test_how_much_a_box_was_enlarged_is_known(model: Model, street: Any, box: PhotoBox) -> None:
    """Sides are rounded, and small boxes are enlarged."""
    photo = street.folder / "03.jpg"
    whole, part = model.read(photo), model.read(photo, box=box)
    of_part = len(model.prepare(part)) / box.height
    of_whole = len(model.prepare(whole)) / whole.height
    assert model.embed(part).zoom == pytest.approx(of_part / of_whole)
    assert model.embed(whole).zoom == 1


def test_a_place_that_is_found_comes_first(engine: Engine, street: Any) -> None:
    """A narrow strip has fewer matches than chance gives whole photos, but enough for itself."""
    photo = street.query(3)
    for left in range(0, 556, 20):
        found = engine.search(photo, box=PhotoBox(left, 0, 40, 447))
        assert found.match.probability == found.results[0].probability
        if found.match.verdict != "found":
            best = max(result.probability for result in found.results)
            assert best < found.match.threshold, left


def test_matches_of_a_box_are_pixels_of_the_whole_photo(model: Model, street: Any) -> None:
    reply = compare_photos(model, pasted(street, 3, 11), street.folder / "03.jpg", box=PART)
    assert reply.result == "same"
    moves = sorted(x1 - x2 for x1, _, x2, _ in reply.matches)
    assert moves[len(moves) // 2] == pytest.approx(200 - OFFSET[0], abs=12)
    for x, y, _, _ in reply.matches:
        assert PART.x <= x <= PART.x + PART.width
        assert PART.y <= y <= PART.y + PART.height


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("200,150", "'200,150' is no box"),
        ("a,b,c,d", "is no box"),
        ("0,0,nan,100", "is no box"),
        ("0,0,1_0,100", "is no box"),
        ("600,0,100,100", "does not lie within the photo, which has 640 × 480 pixels"),
        ("-1,0,100,100", "does not lie within"),
        ("700,500,100,100", "does not lie within"),
        ("10,10,20,200", "too small"),
        ("10,10,-200,200", "too small"),
    ],
)
def test_a_box_that_is_none_is_refused_in_a_sentence(
    client: httpx.Client, street: Any, box: str, said: str
) -> None:
    photo = pasted(street, 3, 11)
    detail = problem(search(client, photo, box=box), "bad-parameter")["detail"]
    assert said in detail
    files = {"image1": ("a", photo), "image2": ("b", photo)}
    compared = client.post("/v1/compare", params={"box": box}, files=files)
    assert problem(compared, "bad-parameter")["detail"] == detail


@pytest.mark.parametrize(
    "given", [(0, 0, math.nan, 50), (0, 0, "a", 1), (0, 0, 50), "1234", b"\x01\x02\x03\x04", 7]
)
def test_numbers_that_are_no_box_are_refused(given: Any) -> None:
    with pytest.raises(BoxError, match="is no box; write x,y,width,height"):
        box_of(given)
    assert box_of(np.array([1, 2, 40.0, 50])) == PhotoBox(1, 2, 40, 50)


def test_the_server_finds_in_a_box_what_the_engine_does(
    client: httpx.Client, engine: Engine, street: Any
) -> None:
    photo = pasted(street, 6, 11)
    body = search(client, photo, k=3, box="200,150,370,280").json()
    assert body["results"] == engine.search(photo, k=3, box=PART).to_dict()["results"]
    files = {"image1": ("a", photo), "image2": ("b", street.query(6))}
    compared = client.post("/v1/compare", params={"box": "200,150,370,280"}, files=files)
    expected = compare_photos(engine.model, photo, street.query(6), box=PART)
    assert compared.json() == {**expected.to_dict(), "photo_reasons": []}


@pytest.mark.parametrize("size", [(32, 32), (590, 32), (32, 440)])
def test_narrow_and_small_boxes_are_answered(
    engine: Engine, street: Any, size: tuple[int, int]
) -> None:
    found = engine.search(street.query(1), k=5, box=PhotoBox(5, 5, *size))
    assert len(found.results) == 5


@pytest.mark.parametrize("size", [(640, 480), (150, 480), (617, 283)])
def test_a_box_of_all_of_the_photo_is_the_photo(
    engine: Engine, street: Any, size: tuple[int, int]
) -> None:
    out = io.BytesIO()
    street.photo(5).crop((0, 0, *size)).save(out, "JPEG")
    whole = engine.search(out.getvalue(), k=3)
    boxed = engine.search(out.getvalue(), k=3, box=PhotoBox(0, 0, *size))
    assert boxed.results == whole.results


def test_a_box_says_itself_in_its_errors(street: Any, engine: Engine) -> None:
    with pytest.raises(BoxError, match="The box 0,0,641,480 does not lie within"):
        engine.search(street.folder / "05.jpg", box=PhotoBox(0, 0, 641, 480))
    blank = io.BytesIO()
    Image.new("RGB", (20, 20)).save(blank, "PNG")
    with pytest.raises(BoxError, match="too small"):
        engine.search(blank.getvalue(), box=PhotoBox(0, 0, 20, 20))
