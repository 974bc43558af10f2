"""What the functions of `place_search` answer, as values: compared, and as tables."""

import pickle
from pathlib import Path
from typing import Any

import pytest

import place_search


@pytest.fixture(scope="module")
def answers(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An answer of each function, by its class."""
    index, query = tmp_path_factory.mktemp("results") / "index", photos / "queries" / "1.jpg"
    truth: Any = {"truth": photos / "truth.csv", "root": photos}
    told: list[Any] = [
        place_search.index(photos / "places", index),
        place_search.add(index, photos / "places"),
        found := place_search.search(index, query),
        place_search.table([found]),
        place_search.similar(index, 0),
        place_search.compare(query, query),
        place_search.track(index, photos / "places"),
        place_search.pairs(index, photos / "queries"),
        place_search.evaluate(**truth, open_set=True),
        place_search.doctor(**truth),
        place_search.calibrate(index),
    ]
    return {type(answer).__name__: answer for answer in told}


@pytest.mark.slow
def test_answers_are_equal_to_their_copies(answers: dict[str, Any]) -> None:
    for name, answer in answers.items():
        assert pickle.loads(pickle.dumps(answer)) == answer, name


@pytest.mark.slow
def test_similar_places_and_tracks_are_tables(answers: dict[str, Any]) -> None:
    alike, track = answers["SimilarPlaces"], answers["Track"]
    columns = alike.to_columns()
    assert columns["name"] == [result.name for result in alike.results] != []
    assert list(columns) == list(answers["SearchResult"].to_columns())
    frames = track.to_columns()
    assert list(frames)[:3] == ["frame", "name", "seconds"]
    assert frames["place"] == [frame.place for frame in track.frames] != []
    assert {len(column) for column in frames.values()} == {len(track.frames)}


@pytest.mark.slow
def test_an_index_is_examined_with_nothing_beside_it(photos: Path, tmp_path: Path) -> None:
    place_search.index(photos / "places", tmp_path / "index")
    for diagnosis in (
        place_search.doctor(tmp_path / "index", split=None),
        place_search.doctor(index=tmp_path / "index", radius_m=None),
    ):
        assert not diagnosis.problems
        assert diagnosis.database > 0
