"""Several photos of one spot as one query: in process and over HTTP."""

from typing import Any

import httpx
import pytest

from place_search.photos import PhotoBox, UnreadablePhotoError
from place_search.search.engine import Engine
from place_search.search.errors import ParameterError
from tests.search.conftest import jpeg
from tests.search.replies import problem


def half(street: Any, place: int, left: int) -> bytes:
    """Half of what there is to see at a place."""
    return jpeg(street.photo(place).crop((left, 0, left + 320, 480)))


def post(client: httpx.Client, photos: list[bytes], **query: Any) -> httpx.Response:
    files = [("photo", (f"{number}.jpg", photo)) for number, photo in enumerate(photos)]
    return client.post("/v1/search", params=query, files=files)


@pytest.mark.parametrize("verify", [True, False])
def test_photos_of_one_spot_find_it_together(engine: Engine, street: Any, verify: bool) -> None:
    # Two of three show place 4; the other place has no more than its own photo.
    photos = [half(street, 7, 0), half(street, 4, 0), half(street, 4, 320)]
    found = engine.search(photos, verify=verify)
    assert found.results[0].name == "04.jpg"
    assert found.match.probability == found.results[0].probability
    assert (found.query.width, found.query.height) == (320, 480)


def test_a_photo_that_looks_elsewhere_takes_nothing_away(engine: Engine, street: Any) -> None:
    alone = engine.search(half(street, 4, 0))
    together = engine.search([half(street, 4, 0), jpeg(street.photo(100))])
    assert together.results[0].name == "04.jpg"
    assert together.match.verdict == alone.match.verdict == "found"


def test_photos_of_an_unknown_spot_stay_unknown(engine: Engine, street: Any) -> None:
    found = engine.search([jpeg(street.photo(place)) for place in range(100, 104)])
    assert found.match.verdict == "not_found"
    assert found.location is None


def test_one_photo_is_answered_as_ever(engine: Engine, street: Any) -> None:
    photo = street.query(3)
    assert engine.search([photo]).results == engine.search(photo).results


def test_what_cannot_be_one_query_is_refused(engine: Engine, street: Any) -> None:
    photo = street.query(3)
    with pytest.raises(ParameterError, match="17 photos, but one query takes from 1 to 16"):
        engine.search([photo] * 17)
    with pytest.raises(ParameterError, match="0 photos"):
        engine.search([])
    with pytest.raises(ParameterError, match="box is for a query of one photo"):
        engine.search([photo, photo], box=PhotoBox(0, 0, 100, 100))
    with pytest.raises(UnreadablePhotoError):
        engine.search([photo, photo[:900]])


def test_repeated_photos_are_one_query_over_http(
    client: httpx.Client, engine: Engine, street: Any
) -> None:
    photos = [half(street, 4, 0), half(street, 4, 320)]
    body = post(client, photos, k=3).json()
    assert body["results"] == engine.search(photos, k=3).to_dict()["results"]


def test_bad_queries_of_several_photos_are_told_in_a_sentence(
    client: httpx.Client, street: Any
) -> None:
    photo = street.query(3)
    many = problem(post(client, [b"a photo"] * 200), "bad-parameter")["detail"]
    assert many.startswith("The query has 200 photos, but one query takes from 1 to 16")
    assert "holds no bytes" in problem(post(client, [photo, b""]), "bad-parameter")["detail"]
    assert (
        "box is for"
        in problem(post(client, [photo] * 2, box="0,0,90,90"), "bad-parameter")["detail"]
    )
    none = client.post("/v1/search", data={"photo": "text"}, files={})
    assert "photo: send the photo as a file" in problem(none, "bad-parameter")["detail"]
