"""Truths whose positives come from positions: splits, @ folders, CSV files, Exif."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import ExifTags, Image
from pyproj import Geod

from place_search.core.geodesy import Position, Utm, geocentric, to_position
from place_search.evaluation import (
    GroundTruth,
    TruthError,
    TruthFiles,
    open_protocol,
    open_truth,
    read_places_truth,
    read_split_truth,
)
from place_search.evaluation.truth.positives import metres_of, plane, within
from place_search.indexer import PlacePhoto, SourceError
from place_search.indexer.sources.at_names import read_at_name

WriteMat = Callable[..., Path]
# Quarters of a metre: squares and their sums are exact.
quarters = st.integers(-400, 400).map(lambda number: number / 4)
points = st.integers(0, 25).flatmap(lambda n: hnp.arrays(np.float64, (n, 2), elements=quarters))


@given(points, points, st.integers(1, 200).map(lambda number: number / 4), st.data())
@settings(max_examples=60)
def test_positives_are_those_within_the_radius(
    database: NDArray[np.float64], queries: NDArray[np.float64], radius: float, data: st.DataObject
) -> None:
    for table in (database, queries):
        if len(table) and data.draw(st.booleans()):
            table[data.draw(st.integers(0, len(table) - 1))] = np.nan
    found = within(database, queries, radius)
    assert len(found) == len(queries)
    for rows, query in zip(found, queries, strict=True):
        squares = ((database - query) ** 2).sum(axis=1)
        assert rows.tolist() == np.flatnonzero(squares <= radius**2).tolist()


def test_geocentric_metres_are_those_of_the_ground() -> None:
    # pyproj's geodesic says so: one arc second of latitude and of longitude.
    for latitude, longitude in ((0.0, 0.0), (35.66, 139.7), (-33.9, 151.2), (69.6, 179.9999)):
        a, b, c = geocentric(
            np.array(
                [
                    (latitude, longitude),
                    (latitude + 1 / 3600, longitude),
                    (latitude, longitude + 1 / 3600),
                ]
            )
        )
        ground = Geod(ellps="WGS84")
        north = ground.inv(longitude, latitude, longitude, latitude + 1 / 3600)[2]
        east = ground.inv(longitude, latitude, longitude + 1 / 3600, latitude)[2]
        assert math.dist(a, b) == pytest.approx(north, abs=1e-4)
        assert math.dist(a, c) == pytest.approx(east, abs=1e-4)


def test_neighbours_across_a_zone_border_are_near() -> None:
    # 6° E parts the zones 31 and 32; the photos are 14 m apart.
    degrees = [(50.0, 5.9999), (50.0, 6.0001)]
    photos = [PlacePhoto(Path("a"), "a", Position(*pair)) for pair in degrees]
    metres = metres_of(photos)
    assert metres.shape == (2, 3)
    assert math.dist(*metres) == pytest.approx(14.33, abs=0.05)
    flat = plane(metres)
    assert flat[1] - flat[0] == pytest.approx([14.33, 0], abs=0.05)
    one_zone = metres_of(photos[:1] * 2 + [PlacePhoto(Path("b"), "b")])
    assert one_zone.shape == (3, 2)
    assert np.isnan(one_zone[2]).all()
    utm = Utm(585042.67, 4476938.85, "17T")
    same = metres_of([PlacePhoto(Path("d"), "d", utm=utm), photos[0]])
    assert same[0] == pytest.approx(geocentric(np.array([to_position(utm)]))[0], abs=1e-3)


def test_bands_of_a_zone_have_the_same_metres() -> None:
    # 48° N parts the bands T and U; on the ground the photos are 25.01 m apart.
    north, south = 5316300.0, 5316275.0
    photos = [
        PlacePhoto(Path("a"), "a", utm=Utm(500000, north, "32U")),
        PlacePhoto(Path("b"), "b", utm=Utm(500000, south, "32T")),
        PlacePhoto(Path("c"), "c", utm=Utm(500000, south, "32N")),
    ]
    metres = metres_of(photos)
    assert metres.tolist() == [[500000, north], [500000, south], [500000, south]]
    assert within(metres[1:], metres[:1], 25.0)[0].tolist() == [0, 1]
    beyond = PlacePhoto(Path("d"), "d", utm=Utm(500000, 9_999_999, "32M"))
    assert metres_of([*photos, beyond]).shape == (4, 3)


def test_metres_count_before_degrees_in_however_many_zones() -> None:
    """As in `@` names, whose degrees have five decimals, and their metres two."""
    names = ("@500000.00@5533000.00@32@U@49.94930@9.00000@.jpg", "@500024.90@5533000.00@32@U@")
    photos = [
        PlacePhoto(Path(name), name, position=Position(49.9493, longitude), utm=known.utm)
        for name, longitude in zip(names, (9.0, 9.00036), strict=True)
        if (known := read_at_name(name)).utm is not None
    ]
    elsewhere = PlacePhoto(Path("o.jpg"), "o.jpg", position=Position(50.0, 5.0))
    for listed in (photos, [*photos, elsewhere]):
        metres = metres_of(listed)
        assert math.dist(metres[0], metres[1]) == pytest.approx(24.9, abs=0.02)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_all_rows_of_a_photo_are_its_own_however_it_is_spelled(
    tmp_path: Path, write_mat: WriteMat
) -> None:
    touch(tmp_path, "db/0.jpg", "db/1.jpg", "db/2.jpg")
    here = (0.0, 0.0)
    spelled = {"db/0.jpg": here, "db/1.jpg": here, "db/../db/0.jpg": here, "db/2.jpg": (900.0, 0.0)}
    spelled[f"{tmp_path}/db/2.jpg"] = (900.0, 0.0)
    queries = {"0.jpg": here, "../db/2.jpg": (900.0, 0.0)}
    truth = read_split_truth(write_mat(tmp_path / "s.mat", spelled, queries), tmp_path, "db")
    assert truth.database == ("db/0.jpg", "db/1.jpg", "db/0.jpg", "db/2.jpg", "db/2.jpg")
    assert truth.queries == ("db/0.jpg", "db/2.jpg")
    assert [own.tolist() for own in truth.own_rows] == [[0, 2], [3, 4]]
    assert [rows.tolist() for rows in truth.positives] == [[1], []]
    assert open_protocol(truth).candidates() == [3.0, 3.0]


def test_a_link_to_a_database_photo_is_that_photo(tmp_path: Path) -> None:
    """Data sets are often folders of links to the photos of another one."""
    touch(tmp_path, "raw/0.jpg", "raw/1.jpg", "raw/2.jpg")
    (tmp_path / "all").symlink_to("raw")
    (tmp_path / "asked").mkdir()
    (tmp_path / "asked" / "first.jpg").symlink_to("../raw/0.jpg")
    (tmp_path / "asked" / "gone.jpg").symlink_to("nowhere.jpg")
    database = ("raw/0.jpg", "raw/1.jpg", "all/0.jpg")
    queries = ("asked/first.jpg", "all/1.jpg", "all/2.jpg", "asked/gone.jpg", "n\0/one.jpg")
    truth = GroundTruth(tmp_path, database, queries, (np.array([0, 1]),) * len(queries))
    assert [own.tolist() for own in truth.own_rows] == [[0, 2], [1], [], [], []]
    assert [rows.tolist() for rows in truth.positives] == [[1], [0], *[[0, 1]] * 3]


PLACES = {f"000/{row}.jpg": (10.0 * row, 0.0) for row in range(6)}
QUERIES = {"000/0.jpg": (0.0, 0.0), "000/9.jpg": (50.0, 25.0), "000/8.jpg": (900.0, 0.0)}


def test_a_split_s_queries_are_under_their_own_folder(tmp_path: Path, write_mat: WriteMat) -> None:
    file = write_mat(tmp_path / "pitts30k_test.mat", PLACES, QUERIES)
    root = tmp_path / "photos"
    touch(root, *PLACES, *(f"queries/{name}" for name in QUERIES))
    truth = read_split_truth(file, root)
    assert truth.queries == tuple(f"queries/{name}" for name in QUERIES)
    # The first query is called as a database photo is, but it is another photo.
    assert [own.tolist() for own in truth.own_rows] == [[], [], []]
    assert [rows.tolist() for rows in truth.positives] == [[0, 1, 2], [5], []]
    assert (truth.missing, truth.radius_m, truth.protocol) == ((), 25.0, "raw")
    wide = read_split_truth(file, root, radius_m=100)
    assert wide.positives[1].tolist() == [0, 1, 2, 3, 4, 5]
    (root / "queries").rename(root / "other")
    assert len(read_split_truth(file, root).missing) == 3
    assert read_split_truth(file, root).queries[0] == "queries_real/000/0.jpg"
    assert read_split_truth(file, root, "other").missing == ()
    with pytest.raises(TruthError, match="no folder 'queries_real' for the queries"):
        read_split_truth(file, root, "queries_real")
    with pytest.raises(TruthError, match="nowhere does not exist"):
        read_split_truth(file, tmp_path / "nowhere")


def test_queries_may_lie_outside_the_root(tmp_path: Path, write_mat: WriteMat) -> None:
    file = write_mat(tmp_path / "s.mat", PLACES, QUERIES)
    touch(tmp_path / "images", *PLACES)
    touch(tmp_path / "247query_v2", *QUERIES)
    for folder in ("../247query_v2", str(tmp_path / "247query_v2")):
        truth = read_split_truth(file, tmp_path / "images", folder)
        assert truth.missing == ()
        assert truth.path(truth.queries[0]).is_file()


def test_tokyo_names_say_jpg_and_files_are_png(tmp_path: Path, write_mat: WriteMat) -> None:
    file = write_mat(tmp_path / "tokyo247.mat", PLACES, QUERIES)
    root = tmp_path / "photos"
    touch(root, *(name.replace(".jpg", ".png") for name in PLACES if name != "000/3.jpg"))
    touch(root, *(f"queries_real/{name}" for name in QUERIES), "000/3.txt")
    truth = read_split_truth(file, root)
    assert truth.database[0] == "000/0.png"
    assert truth.missing == ("000/3.jpg",)
    assert truth.protocol == "tokyo-12"
    with pytest.raises(TruthError, match=r"1 of the 9 photos of tokyo247 .* '000/3.jpg'; `place-s"):
        truth.require_photos()


def test_timestamps_choose_their_protocol(tmp_path: Path, write_mat: WriteMat) -> None:
    times = ([1, 1, 1, 2, 2, 2], [1, 2, 3])
    truth = read_split_truth(write_mat(tmp_path / "t.mat", PLACES, QUERIES, times=times), tmp_path)
    assert truth.protocol == "timestamp"


@pytest.mark.parametrize("given", ["", "images/test"])
def test_a_benchmark_folder_is_read_by_its_at_names(tmp_path: Path, given: str) -> None:
    data = tmp_path / "town"
    inner = data / "images" / "test"
    touch(inner / "database", "a/@100@200@.jpg", "b/@120@200@.jpeg", "b/@999@200@.png")
    touch(inner / "queries", "@110@200@.jpg", "@5000@200@.jpg")
    truth = open_truth(TruthFiles(data=data / given))
    assert truth.database == (
        "database/a/@100@200@.jpg",
        "database/b/@120@200@.jpeg",
        "database/b/@999@200@.png",
    )
    assert truth.queries == ("queries/@110@200@.jpg", "queries/@5000@200@.jpg")
    assert [rows.tolist() for rows in truth.positives] == [[0, 1], []]
    assert (truth.name, truth.protocol) == ("town-test", "raw")
    assert truth.path(truth.database[0]).is_file()


def test_photos_that_a_list_beside_a_folder_names_may_be_missing(tmp_path: Path) -> None:
    part = tmp_path / "town"
    touch(part / "database", "@100@200@.jpg")
    (part / "database" / "@160@200@.jpg").symlink_to("nowhere")
    touch(part / "queries", "@110@200@.jpg")
    open_truth(TruthFiles(data=part)).require_photos()
    (part / "database_images_paths.txt").write_text("@100@200@.jpg\n@130@200@.jpg\n")
    truth = open_truth(TruthFiles(data=part))
    assert truth.missing == ("database/@130@200@.jpg",)
    with pytest.raises(TruthError, match="1 of the 3 photos of database are not under"):
        truth.require_photos()
    # A query without a position is none, whether it is there or not.
    (part / "queries_images_paths.txt").write_text("@110@200@.jpg\nnone.jpg\n")
    assert open_truth(TruthFiles(data=part)).missing == truth.missing


def test_csv_files_with_positions(tmp_path: Path) -> None:
    touch(tmp_path, "db/a.jpg", "db/b.jpg", "q/1.jpg")
    places, asked = tmp_path / "places.csv", tmp_path / "q" / "asked.csv"
    places.write_text("path,latitude,longitude\ndb/a.jpg,48.0,11.5\ndb/b.jpg,48.01,11.5\n")
    asked.write_text("path,latitude,longitude\n1.jpg,48.0001,11.5\n")
    truth = open_truth(TruthFiles(database=places, queries=asked))
    assert truth.queries == ("q/1.jpg",)
    assert truth.name == "places → asked"
    assert [rows.tolist() for rows in truth.positives] == [[0]]
    near = read_places_truth(places, asked, radius_m=11)
    assert [rows.tolist() for rows in near.positives] == [[]]


def test_leave_one_out_of_photos_with_exif(tmp_path: Path) -> None:
    for name, latitude in (("a", 48.0), ("b", 48.0001), ("c", 48.1), ("d", None)):
        take_at(latitude, tmp_path / f"{name}.jpg")
    (tmp_path / "e.jpg").write_bytes(b"no photo")
    truth = open_truth(TruthFiles(data=tmp_path))
    assert truth.protocol == "leave-one-out"
    assert truth.database == ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    assert truth.queries == ("a.jpg", "b.jpg", "c.jpg")
    assert [own.tolist() for own in truth.own_rows] == [[0], [1], [2]]
    assert [rows.tolist() for rows in truth.positives] == [[1], [0], []]
    assert [warning.partition(":")[0] for warning in truth.warnings] == [
        "2 of the 5 photos that are searched have no position",
        "2 of the 5 queries have no position",
    ]


def take_at(latitude: float | None, path: Path) -> None:
    """Write a photo with this latitude, and the longitude -79.99, in its Exif."""
    exif = Image.Exif()
    if latitude is not None:
        exif[ExifTags.IFD.GPSInfo] = {
            ExifTags.GPS.GPSLatitudeRef: "N",
            ExifTags.GPS.GPSLatitude: (latitude, 0.0, 0.0),
            ExifTags.GPS.GPSLongitudeRef: "W",
            ExifTags.GPS.GPSLongitude: (79.99, 0.0, 0.0),
        }
    Image.new("RGB", (8, 8)).save(path, exif=exif)


def test_photos_have_the_positions_that_their_list_leaves_out(tmp_path: Path) -> None:
    for name, latitude in (("a", 10.0), ("b", 48.0001), ("c", 48.0002), ("d", None)):
        take_at(latitude, tmp_path / f"{name}.jpg")
    places = tmp_path / "places.csv"
    rows = ("a.jpg,48.0,-79.99", "b.jpg,,", "c.jpg,0,0", "d.jpg,,")
    places.write_text("\n".join(["path,latitude,longitude", *rows]))
    truth = open_truth(TruthFiles(data=places))
    assert truth.queries == ("a.jpg", "b.jpg", "c.jpg")
    assert [found.tolist() for found in truth.positives] == [[1, 2], [0, 2], [0, 1]]
    places.write_text("path\na.jpg\nb.jpg\nc.jpg\n")
    unlisted = open_truth(TruthFiles(data=places))
    assert [found.tolist() for found in unlisted.positives] == [[], [2], [1]]


def test_photos_near_a_pole_have_positions(tmp_path: Path) -> None:
    """There UTM has no zones."""
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    places = tmp_path / "places.csv"
    places.write_text("path,latitude,longitude\na.jpg,89.9999,0\nb.jpg,89.9999,90\nc.jpg,85,0\n")
    truth = open_truth(TruthFiles(data=places))
    assert [rows.tolist() for rows in truth.positives] == [[1], [0], []]


def test_photos_without_positions_have_no_truth(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    with pytest.raises(TruthError, match=r"None of the photos in .* has a position"):
        open_truth(TruthFiles(data=tmp_path))
    with pytest.raises(SourceError, match="does not exist"):
        open_truth(TruthFiles(data=tmp_path / "none"))
    with pytest.raises(TruthError, match="Say what is right"):
        open_truth(TruthFiles())


def test_queries_that_are_called_otherwise_are_not_passed_over(tmp_path: Path) -> None:
    for name in ("database/@1@2@.jpg", "database/@900@2@.jpg", "queries_v1/@1@3@.jpg"):
        path = tmp_path / "test" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    for data in (tmp_path, tmp_path / "test"):
        with pytest.raises(TruthError, match=r"not the two folders .* --queries .*queries_v1"):
            open_truth(TruthFiles(data=data))


@pytest.mark.parametrize("above", ["images", "."])
def test_parts_for_training_are_not_tested_on_together(tmp_path: Path, above: str) -> None:
    folder = tmp_path / above
    for part in ("train", "val"):
        touch(folder, f"{part}/database/@1@2@.jpg", f"{part}/queries/@1@3@.jpg")
    says = f"{tmp_path} has no part to test on, but .*val and .*train; name .* as {folder / 'val'}."
    with pytest.raises(TruthError, match=says):
        open_truth(TruthFiles(data=tmp_path))
    assert open_truth(TruthFiles(data=folder / "val")).protocol == "raw"


@pytest.mark.parametrize(
    ("database", "queries", "advice"),
    [
        ("Database", "query", "--database .*/Database --queries .*/query"),
        ("db", "queries", "--database .*/db --queries .*/queries"),
        ("reference", "Queries_real", "--database .*/reference --queries .*/Queries_real"),
        ("photos", "query", "--database .*/DATABASE --queries .*/query"),
        ("database_2020", "night", "--database .*/database_2020 --queries .*/QUERIES"),
    ],
)
def test_no_pair_of_folders_is_taken_for_one(
    tmp_path: Path, database: str, queries: str, advice: str
) -> None:
    touch(tmp_path, f"{database}/@1@2@.jpg", f"{database}/@1@9@.jpg", f"{queries}/@1@3@.jpg")
    with pytest.raises(TruthError, match=advice):
        open_truth(TruthFiles(data=tmp_path))


def test_metres_that_look_like_degrees_are_said(tmp_path: Path) -> None:
    touch(tmp_path, "database/@113.5@34.2@.jpg", "database/@99@12@.jpg", "queries/@113.6@34.3@.jpg")
    warnings = open_truth(TruthFiles(data=tmp_path)).warnings
    assert "look like degrees, such as 113.5 and 34.2" in warnings[0]


def test_metres_without_a_zone_do_not_pass_for_no_position() -> None:
    zoned = PlacePhoto(Path("a.jpg"), "a.jpg", utm=Utm(386570, 6173971, "33U"))
    blank = PlacePhoto(Path("b.jpg"), "b.jpg", utm=Utm(386570, 6173972))
    degrees = PlacePhoto(Path("c.jpg"), "c.jpg", position=Position(55.69824, 13.1952))
    for others in ([zoned], [degrees], [zoned, degrees]):
        with pytest.raises(TruthError, match=r"^1 of \d photos have metres without .* 'b.jpg'"):
            metres_of([*others, blank])
    assert metres_of([blank, blank]).tolist() == [[386570, 6173972]] * 2
    assert np.isfinite(metres_of([zoned, degrees])).all()


def test_metres_without_a_zone_beside_degrees_of_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (48.0, 0.0, 0.0), 3: "E", 4: (11.0, 0.0, 0.0)}
    Image.new("RGB", (8, 8)).save(tmp_path / "listed.jpg")
    Image.new("RGB", (8, 8)).save(tmp_path / "own.jpg", exif=exif)
    listed = tmp_path / "list.csv"
    listed.write_text("path,easting,northing\nlisted.jpg,386570,6173971\nown.jpg,,\n")
    with pytest.raises(TruthError, match=r"'listed.jpg', .* in their metadata, as 'own.jpg' has"):
        read_places_truth(listed)


def test_photos_at_a_pole_have_a_place_among_others() -> None:
    pole = PlacePhoto(Path("p.jpg"), "p.jpg", position=Position(-89.99, 10))
    town = PlacePhoto(Path("t.jpg"), "t.jpg", position=Position(48.1, 11.5))
    assert np.isfinite(metres_of([pole, town])).all()
