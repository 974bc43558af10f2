"""`place-search places`: the places of an index for maps and tables; positions on the way in."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from typer.testing import Result

import place_search

Run = Callable[..., Result]
CheckFailure = Callable[..., str]


def test_places_as_points_and_as_a_list_of_photos(run: Run, index: Path, tmp_path: Path) -> None:
    result = run("places", index, "--out", tmp_path / "p.geojson")
    assert result.stdout == f"3 places in {tmp_path / 'p.geojson'}\n"
    features = json.loads((tmp_path / "p.geojson").read_text())["features"]
    assert features[1]["geometry"] == {"type": "Point", "coordinates": [11.5, 48.001]}
    assert features[1]["properties"]["name"] == "places/1.jpg"
    assert run("places", index, "--out", tmp_path / "p.csv").exit_code == 0
    with (tmp_path / "p.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["place_id"] for row in rows] == ["0", "1", "2"]
    assert rows[2]["zone"] == "32U"
    # The table is a list of photos itself.
    assert run("index", tmp_path / "p.csv", "--out", tmp_path / "again").exit_code == 0
    assert run("places", tmp_path / "again", "--out", tmp_path / "again.csv").exit_code == 0
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "p.csv").read_text()


def test_times_sequences_and_own_fields_come_back_from_the_list(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos / "places", tmp_path / "places")
    listed = tmp_path / "list.csv"
    listed.write_text(
        "path,latitude,longitude,time,sequence,floor,open,since,what\n"
        "places/0.jpg,48,11,2026-05-01T10:00:00.5Z,north,2,true,2024-02-29,=old\n"
        "places/1.jpg,,,,,,,,\n"
    )
    for source, out in ((listed, "one"), (tmp_path / "one.csv", "two")):
        assert run("index", source, "--out", tmp_path / out).exit_code == 0
        for ending in ("csv", "jsonl"):
            told = run("places", tmp_path / out, "--out", tmp_path / f"{out}.{ending}")
            assert told.exit_code == 0, told.output
    first = json.loads((tmp_path / "one.jsonl").read_text().splitlines()[0])
    assert (first["time"], first["floor"], first["open"], first["since"]) == (
        *("2026-05-01T10:00:00.500000+00:00", 2.0, True, "2024-02-29"),
    )
    again = json.loads((tmp_path / "two.jsonl").read_text().splitlines()[0])
    assert {**again, "what": "=old"} == first
    assert first["sequence"] == "north"
    assert place_search.open_index(tmp_path / "two").sequences() == ["north", ""]


def test_an_own_field_takes_no_column_of_places(run: Run, photos: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "index", tmp_path / "p.jsonl"
    assert run("index", photos / "places", "--out", folder).exit_code == 0
    declared = ("latitude:number", "name:text", "floor:number", "File:text")
    assert run("fields", folder, "set", *declared).exit_code == 0
    said = (
        "--field",
        "latitude=1",
        "--field",
        "name=North",
        "--field",
        "floor=3",
        "--field",
        "File=a",
    )
    assert run("edit", folder, 1, *said).exit_code == 0
    before = run("places", folder, "--out", out)
    assert before.exit_code == 0, before.output
    row = json.loads(out.read_text().splitlines()[1])
    assert row["name"] == "1.jpg"
    assert "latitude" not in row, "the photo has no position"
    assert (row["field_latitude"], row["field_name"], row["floor"]) == (1.0, "North", 3.0)
    # A list takes "File" as "path", so that one could not be read with both.
    assert row["field_File"] == "a"
    assert run("places", folder, "--out", tmp_path / "p.csv").exit_code == 0
    again = run("index", tmp_path / "p.csv", "--out", tmp_path / "again")
    assert again.exit_code == 0, again.output


@pytest.mark.slow
def test_places_as_parquet(run: Run, index: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run("places", index, "--out", tmp_path / "p.parquet").exit_code == 0
    table = parquet.read_table(tmp_path / "p.parquet")
    assert table["latitude"].to_pylist() == [48.0, 48.001, 48.002]


def test_a_file_of_no_known_kind(
    run: Run, check_failure: CheckFailure, index: Path, tmp_path: Path
) -> None:
    assert "must end in .csv, .jsonl" in check_failure(
        run("places", index, "--out", tmp_path / "p.kml"), 2
    )


def test_a_folder_is_placed_by_a_track_on_a_clock_that_is_ahead(
    run: Run, check_failure: CheckFailure, photos: Path, tmp_path: Path
) -> None:
    data, gpx = tmp_path / "photos", tmp_path / "walk.gpx"
    data.mkdir()
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:05:01 12:00:05"
    with Image.open(photos / "places" / "0.jpg") as image:
        image.save(data / "a.jpg", exif=exif)
    gpx.write_text(
        '<gpx><trk><trkseg><trkpt lat="48" lon="11"><time>2026-05-01T10:00:00Z</time></trkpt>'
        '<trkpt lat="48.01" lon="11"><time>2026-05-01T10:00:10Z</time></trkpt></trkseg></trk></gpx>'
    )
    given = ("index", data, "--out", tmp_path / "index", "--gpx", gpx)
    assert "--clock-offset" in check_failure(run(*given))
    assert run(*given, "--clock-offset", "two").exit_code == 2
    result = run(*given, "--clock-offset", "+02:00")
    assert result.exit_code == 0, result.output
    assert run("places", tmp_path / "index", "--out", tmp_path / "p.jsonl").exit_code == 0
    told = json.loads((tmp_path / "p.jsonl").read_text())
    assert (told["latitude"], told["longitude"]) == pytest.approx((48.005, 11.0))
