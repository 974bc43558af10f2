"""The demo's lists agree with each other; what the photos show was judged by eye."""

from pathlib import Path, PurePosixPath

from place_search import demo_photos

Rows = list[dict[str, str]]


def test_each_photo_comes_from_a_member_of_its_own(photos: Rows) -> None:
    assert len({row["path"] for row in photos}) == len(photos)
    assert len({row["member"] for row in photos}) == len(photos)
    for row in photos:
        parts = PurePosixPath(row["path"]).parts
        assert len(parts) == 3
        assert parts[0] in ("places", "queries")
        assert ".." not in parts
        assert row["member"].startswith("samples/")


def test_the_places_are_the_database_photos(photos: Rows, places: Rows) -> None:
    database = [row["path"] for row in photos if row["path"].startswith("places/")]
    assert [row["path"] for row in places] == database


def test_positions_are_whole(places: Rows) -> None:
    for row in places:
        assert bool(row["latitude"]) == bool(row["longitude"])
        if row["latitude"]:
            assert abs(float(row["latitude"])) <= 90


def test_every_query_has_its_place_in_the_database(photos: Rows, places: Rows, truth: Rows) -> None:
    queries = [row["path"] for row in photos if row["path"].startswith("queries/")]
    assert [row["query"] for row in truth] == queries
    database = {row["path"] for row in places}
    for row in truth:
        positives = row["positives"].split(";")
        assert positives
        assert set(positives) <= database
        place = PurePosixPath(row["query"]).parts[1]
        same_place = {path for path in database if PurePosixPath(path).parts[1] == place}
        assert set(positives) == same_place


def test_the_card_tells_what_is_pinned(photos: Rows, places: Rows, truth: Rows) -> None:
    card = (Path(demo_photos.__file__).parents[1] / "data" / "README.md").read_text("utf-8")
    assert demo_photos.SHA256 in card
    assert demo_photos.ARCHIVE in card
    count = len({PurePosixPath(row["path"]).parts[1] for row in photos})
    assert f"{len(photos)} real photos of {count} real places" in card
    assert f"{len(places)} are indexed, {len(truth)} are queries" in card
