"""Several photos of one spot as one query: in process and over HTTP."""

from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from place_search.indexer import Hit
from place_search.models import included_calibration
from place_search.photos import PhotoBox, UnreadablePhotoError
from place_search.search.engine import Engine
from place_search.search.errors import ParameterError
from place_search.search.probability import match_of, rounded_probability
from place_search.search.several.fusion import fused_probabilities
from place_search.search.several.views import RankedPlace, best_of_views
from tests.search.conftest import jpeg
from tests.search.replies import problem

CALIBRATION = included_calibration()


def half(street: Any, place: int, left: int) -> bytes:
    """Half of what there is to see at a place."""
    return jpeg(street.photo(place).crop((left, 0, left + 320, 480)))


def post(client: httpx.Client, photos: list[bytes], **query: Any) -> httpx.Response:
    files = [("photo", (f"{number}.jpg", photo)) for number, photo in enumerate(photos)]
    return client.post("/v1/search", params=query, files=files)


@pytest.mark.parametrize("unsure", [1e-7, 1e-9, 1e-11])
def test_several_photos_are_told_as_surely_as_one(unsure: float) -> None:
    sure = 1 - unsure
    for by_photo in ([sure, 0.5], [sure, sure, 1e-3], [sure] * 16):
        [none, fused] = fused_probabilities([[unsure, one] for one in by_photo])
        assert rounded_probability(fused) == pytest.approx(sure, abs=2e-12)
        assert rounded_probability(none) == pytest.approx(unsure, abs=2e-12)
        assert match_of(CALIBRATION, fused).verdict == "found"
        assert match_of(CALIBRATION, none).verdict == "not_found"


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_several_photos_have_the_verdict_of_their_bounded_odds(by_photo: list[float]) -> None:
    [fused] = fused_probabilities([[one] for one in by_photo])
    sure = np.clip(sorted(by_photo, reverse=True)[: (len(by_photo) + 1) // 2], 1e-6, 1 - 1e-6)
    bounded = float(1 / (1 + np.exp(-np.log(sure / (1 - sure)).mean())))
    within = float(np.clip(fused, 1e-6, 1 - 1e-6))
    assert within == pytest.approx(bounded, rel=1e-9)


def test_one_sure_photo_does_not_outvote_the_others() -> None:
    [fused] = fused_probabilities([[1 - 1e-11], [1e-6], [1e-6]])
    assert match_of(CALIBRATION, fused).verdict == "unsure"


def test_a_view_of_a_panorama_is_told_as_surely_as_a_photo() -> None:
    for unsure, verdict in ((1e-9, "found"), (1e-2, "found"), (1e-1, "unsure"), (0.9, "not_found")):
        [seen] = best_of_views([[RankedPlace(Hit(0, 0.9), None, 1 - unsure)], *[[]] * 7])
        assert seen.probability is not None
        assert 1 - seen.probability < 10 * unsure
        assert match_of(CALIBRATION, seen.probability).verdict == verdict


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


@pytest.mark.parametrize("verify", [True, False])
def test_how_many_places_are_asked_for_changes_no_verdict(
    engine: Engine, street: Any, verify: bool
) -> None:
    """A place that one photo is matched with in full, all are: of others similarity spoke."""
    strip = jpeg(street.photo(4).crop((0, 0, 200, 480)))
    views = [strip, *(jpeg(street.photo(place)) for place in range(100, 104))]
    told = {engine.search(views, k=k, verify=verify).match for k in (1, 5, 10, 12, 50)}
    assert len(told) == 1


def test_the_location_is_that_of_the_first_result(engine: Engine, street: Any) -> None:
    """Four photos are of one place, and one that agrees more than any of them is of another."""
    views = [half(street, 2, left) for left in (0, 100, 160, 320)]
    found = engine.search([*views, street.query(8)])
    assert (found.match.verdict, found.results[0].name) == ("found", "02.jpg")
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
    with pytest.raises(UnreadablePhotoError, match=r"^Photo 2: the photo is truncated"):
        engine.search([photo, photo[:900]])
    with pytest.raises(UnreadablePhotoError, match=r"^the photo is truncated"):
        engine.search([photo[:900]])


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
    empty = problem(post(client, [photo, b""]), "bad-parameter")
    assert empty["detail"].startswith("Photo 2: The field photo holds no bytes")
    bad = problem(post(client, [photo, photo, b"text"]), "unsupported-photo")
    assert bad["detail"].startswith("Photo 3: the photo is not a photo")
    assert bad["reason"] == {"code": "no-photo", "values": {"what": "the photo", "photo": "3"}}
    assert (
        "box is for"
        in problem(post(client, [photo] * 2, box="0,0,90,90"), "bad-parameter")["detail"]
    )
    none = client.post("/v1/search", data={"photo": "text"}, files={})
    assert "photo: send the photo as a file" in problem(none, "bad-parameter")["detail"]
