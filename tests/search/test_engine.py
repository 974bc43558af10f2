import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

import place_search
from place_search.core.geodesy import Position
from place_search.indexer import Index, ModelMismatchError, UnknownPlaceError
from place_search.models import Model
from place_search.photos import UnreadablePhotoError
from place_search.photos.sandbox.decoder import DecoderBusyError
from place_search.search import engine as engine_module
from place_search.search import verification
from place_search.search.engine import Engine
from place_search.search.errors import ParameterError


@pytest.mark.parametrize("place", range(12))
def test_a_place_seen_again_is_found_first(engine: Engine, street: Any, place: int) -> None:
    best, second = engine.search(street.query(place), k=2).results
    assert best.name == f"{place:02d}.jpg"
    assert best.similarity > second.similarity


def test_the_reply_tells_everything_about_the_results(engine: Engine, street: Any) -> None:
    reply = engine.search(street.query(3), verify=False)
    assert reply.index_id == engine.index.index_id
    assert reply.model == "lite0-netvlad-1024"
    assert reply.location is None
    assert [result.rank for result in reply.results] == list(range(1, 11))
    similarities = [result.similarity for result in reply.results]
    assert similarities == sorted(similarities, reverse=True)
    best = reply.results[0]
    assert best.position is not None
    assert best.position.latitude == pytest.approx(48.003, abs=1e-6)
    assert best.position.longitude == pytest.approx(11.5, abs=1e-6)
    assert best.utm is not None
    assert best.utm.zone == "32U"
    assert best.verified is None
    shown = reply.to_dict()["results"][0]
    assert shown["image_url"] == f"/v1/places/{best.place_id}/image"
    assert shown["thumbnail_url"] == f"/v1/places/{best.place_id}/thumbnail?v={reply.index_id}"


def test_results_are_a_table_and_a_picture_for_notebooks(engine: Engine, street: Any) -> None:
    reply = engine.search(street.query(3), k=2, verify=True)
    columns = reply.to_columns()
    assert columns["name"] == [result.name for result in reply.results]
    assert columns["inliers"][0] == reply.results[0].verified.inliers  # type: ignore[union-attr]
    assert {len(column) for column in columns.values()} == {2}
    page = reply._repr_html_()
    assert page.count('<img src="data:image/jpeg;base64,') == 2
    assert "03.jpg" in page
    assert "Index" not in repr(reply)


def test_a_photo_of_the_index_is_like_itself(engine: Engine, street: Any) -> None:
    reply = engine.search(street.folder / "05.jpg", k=1)
    assert reply.results[0].name == "05.jpg"
    assert 0.9999 < reply.results[0].similarity <= 1.0
    assert (reply.query.width, reply.query.height) == (640, 480)


def test_k_beyond_the_index_gives_every_place_once(engine: Engine, street: Any) -> None:
    results = engine.search(street.query(0), k=100).results
    assert sorted(result.name for result in results) == [f"{place:02d}.jpg" for place in range(12)]


def test_near_leaves_only_places_within_the_radius(engine: Engine, street: Any) -> None:
    # 250 m around place 4 reach two neighbours each way; the photo shows place 0, out of reach.
    reply = engine.search(street.query(0), near=street.position(4), radius_m=250)
    assert {result.name for result in reply.results} == {f"{p:02d}.jpg" for p in range(2, 7)}
    inside = engine.search(street.query(5), near=street.position(4), radius_m=250)
    assert inside.results[0].name == "05.jpg"


def test_near_the_whole_earth_leaves_out_places_without_position(
    engine: Engine, street: Any
) -> None:
    reply = engine.search(street.query(10), near=Position(0, 0), radius_m=3e7)
    assert {result.name for result in reply.results} == {f"{p:02d}.jpg" for p in range(10)}


def test_near_nothing_gives_no_results_and_says_so(engine: Engine, street: Any) -> None:
    reply = engine.search(street.query(0), near=Position(-48, 11), radius_m=50)
    assert reply.results == ()
    assert any("within 50 m of -48,11" in note for note in reply.query.notes)


@pytest.mark.parametrize(
    "parameters",
    [
        {"k": 0},
        {"k": 101},
        {"near": Position(48, 11)},
        {"radius_m": 10.0},
        {"near": Position(48, 11), "radius_m": 0.0},
        {"near": Position(48, 11), "radius_m": float("nan")},
        {"near": Position(48, 11), "radius_m": float("inf")},
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    engine: Engine, street: Any, parameters: dict[str, Any]
) -> None:
    with pytest.raises(ParameterError):
        engine.search(street.query(0), **parameters)


def test_the_photo_s_own_position_is_told(
    engine: Engine, street: Any, encode_photo: Callable[..., bytes]
) -> None:
    photo = encode_photo(street.photo(0), position=Position(-33.5, -70.25))
    position = engine.search(photo).query.position
    assert position is not None
    assert (position.latitude, position.longitude) == pytest.approx((-33.5, -70.25))
    assert engine.search(street.query(0)).query.position is None


def test_what_was_odd_in_the_photo_is_noted(engine: Engine, street: Any) -> None:
    out = io.BytesIO()
    frames = [street.photo(1), street.photo(2)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    reply = engine.search(out.getvalue(), k=1)
    assert reply.results[0].name == "01.jpg"
    assert any("frames" in note for note in reply.query.notes)


def test_verification_ranks_by_geometry_and_locates(engine: Engine, street: Any) -> None:
    reply = engine.search(street.query(3), verify=True, k=12)
    best, *others = reply.results
    assert best.name == "03.jpg"
    assert best.verified is not None
    assert best.verified.inliers >= 200
    scores = [result.verified.score for result in reply.results if result.verified]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == len(others) + 1
    assert max(scores[1:]) < best.verified.score / 3
    assert reply.location is not None
    assert reply.location.latitude == pytest.approx(48.003, abs=1e-6)
    assert reply.location.radius_m >= 15
    assert reply.timings_ms.verify > 0


def test_verification_without_the_time_for_it_says_so(engine: Engine, street: Any) -> None:
    hurried = Engine(engine.index, engine.model, verify_budget_s=-1.0)
    reply = hurried.search(street.query(3), verify=True)
    assert [result.verified for result in reply.results] == [None] * 10
    assert reply.location is None
    assert list(reply.query.notes) == [
        "Time ran out before 12 of 12 places were verified; they come last."
    ]
    assert reply.results[0].name == "03.jpg"
    few = Engine(engine.index, engine.model, candidates=5, verify_budget_s=-1.0)
    assert list(few.search(street.query(3), k=2, verify=True).query.notes) == [
        "Time ran out before 5 of 5 places were verified; they come last."
    ]


def test_a_busy_machine_changes_no_answer(
    index: Index, engine: Engine, street: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it: 100 seconds go by from one look at the clock to the next."""
    expected = engine.search(street.query(3), verify=True)
    clock = SimpleNamespace(perf_counter=count(step=100).__next__)
    monkeypatch.setattr(engine_module, "time", clock)
    monkeypatch.setattr(verification, "time", clock)
    reply = place_search.search(index, street.query(3), model=engine.model, verify=True)
    assert reply.results == expected.results
    assert not reply.query.notes


def test_a_place_without_position_gives_no_location(engine: Engine, street: Any) -> None:
    reply = engine.search(street.query(10), verify=True)
    assert reply.results[0].name == "10.jpg"
    assert reply.location is None


def test_unverified_results_have_no_location(engine: Engine, street: Any) -> None:
    reply = engine.search(street.query(3), verify=False)
    assert {result.verified for result in reply.results} == {None}
    assert reply.location is None


def test_timings_add_up(engine: Engine, street: Any) -> None:
    timings = engine.search(street.query(0), verify=False).timings_ms
    stages = timings.decode + timings.embed + timings.search
    assert min(timings.decode, timings.embed, timings.search) > 0
    assert stages <= timings.total <= stages + 20
    assert timings.queue == timings.verify == 0


def test_an_index_of_another_model_is_refused(index: Index, model: Model) -> None:
    preprocessing = replace(model.card.preprocessing, width=320)
    other = Model(replace(model.card, preprocessing=preprocessing), model.runtime)
    with pytest.raises(ModelMismatchError):
        Engine(index, other)


def test_a_missing_photo_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(UnreadablePhotoError, match=r"nowhere\.jpg does not exist"):
        engine.search(tmp_path / "nowhere.jpg")


@pytest.mark.slow
def test_threads_get_the_same_answers(engine: Engine, street: Any) -> None:
    queries = [street.query(place) for place in range(12)]
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(engine.search, queries * 3))
    names = [reply.results[0].name for reply in replies]
    assert names == [f"{place:02d}.jpg" for place in range(12)] * 3


@pytest.mark.parametrize("place_id", [-1, 12, 2**63, 10**30])
def test_an_unknown_place_is_refused(engine: Engine, place_id: int) -> None:
    with pytest.raises(UnknownPlaceError):
        engine.index.place(place_id)


@pytest.mark.slow
def test_tall_and_wide_photos_are_searched_too(engine: Engine) -> None:
    for size in ((300, 900), (900, 300), (1, 1), (2, 4000)):
        out = io.BytesIO()
        Image.new("RGB", size, "teal").save(out, "PNG")
        reply = engine.search(out.getvalue(), k=1)
        assert (reply.query.width, reply.query.height) == size


def test_a_damaged_thumbnail_is_no_reason_not_to_start(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Index, "thumbnail", lambda self, place_id: b"\xff\xd8")
    engine.warm_up()


def test_a_busy_decoder_is_no_reason_to_refuse_a_version(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object, **__: object) -> Any:
        raise DecoderBusyError("The server is decoding other large or slow photos.")

    monkeypatch.setattr(engine, "decode", decode)
    engine.warm_up()  # else a change that is on disk was answered with 429
