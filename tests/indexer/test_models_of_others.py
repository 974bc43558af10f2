"""Positions from kapture, OpenSfM, COLMAP and GPX; the files are as those programs wrote them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from place_search.core.geodesy import (
    Position,
    east_north_up_to_degrees,
    from_geocentric,
    geocentric,
)
from place_search.indexer import PlacePhoto, SourceError, VideoRequest, open_source
from place_search.indexer.sources.gpx import GpxTrack
from place_search.indexer.sources.gpx_positions import place_by_gpx
from place_search.photos import decoding

# Written by pycolmap 4.2.1 of cameras at CENTRES; the third photo has no points.
COLMAP = """# Image list with two lines of data per image:
#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME
#   POINTS2D[] as (X, Y, POINT3D_ID)
# Number of images: 4, mean observations per image: 0
1 0.15561606441711276 0.18651687639493131 -0.19597346002732666 0.95004710319021801 0 0 0 1 sub/1.jpg
1.5 2.5 -1 
2 0.54542912653478759 -0.30849493305128489 0.20824457742971741 0.75098078549341085 3.1416937095489441 -6.7188653295578789 6.7842913645159513 1 sub/2.jpg
1.5 2.5 -1 
3 0.026206574845443351 -0.44626868697857742 -0.80245799411917129 -0.39524505189561954 8.2905293086742518 -15.42218264749887 -10.88271134273063 1 sub/3.jpg

4 -0.26663807394260691 -0.84660571528283646 -0.079667880168299343 -0.45366940523260268 -16.801507289112266 -4.1134846761712387 -27.254331704021144 1 sub/4.jpg
1.5 2.5 -1 
"""  # noqa: E501, W291
CENTRES = np.array([[0, 0, 0], [10, 1, 0.2], [20, 5, 0.1], [31, 9, -0.1]])

# Written by kapture 1.1.12.
SENSORS = """# kapture format: 1.1
# sensor_id, name, sensor_type, [sensor_params]+
cam, , camera, SIMPLE_PINHOLE, 640, 480, 400, 320, 240
GPS_cam, , gnss, EPSG:4326
left, , camera, UNKNOWN_CAMERA, 640, 480
"""
RECORDS = """# kapture format: 1.1
# timestamp, device_id, image_path
0, cam, day/a.jpg
1, cam, day/b.jpg
1, left, l.jpg
2, cam, c.jpg
"""
GNSS = """# kapture format: 1.1
# timestamp, device_id, x, y, z, utc, dop
0, GPS_cam, 11.5, 48.1, 500.0, 0, 1.0
1, GPS_cam, 11.6, 48.2, 500.0, 0, 1.0
"""
RIGS = """# kapture format: 1.1
# rig_id, sensor_id, qw, qx, qy, qz, tx, ty, tz
rig, cam,  1.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.0
rig, left, 0.8251369970070347, 0.10314212462587934, -0.5157106231293966, 0.20628424925175867,  1.0,  0.0,  0.5
"""  # noqa: E501
TRAJECTORIES = """# kapture format: 1.1
# timestamp, device_id, qw, qx, qy, qz, tx, ty, tz
       0, cam, 0.9233805168766387, 0.10259783520851541, 0.20519567041703082, 0.3077935056255462, 0.28210526315789464, -2.1831578947368424, -0.40526315789473677
       1, rig, 0.5773502691896258, 0.5773502691896258, -0.46188021535170065, 0.34641016151377546, -2.933333333333331, 2.293333333333335, -20.053333333333338
"""  # noqa: E501

GPX = """<gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="48.0" lon="11.0"><time>2026-05-01T10:00:00Z</time></trkpt>
<trkpt lat="48.01" lon="11.0"><time>2026-05-01T10:00:10Z</time></trkpt>
</trkseg></trk></gpx>"""


def photos_in(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6)).save(path)
    return folder


def by_name(data: Path, root: Path | None = None) -> dict[str, PlacePhoto]:
    return {photo.name: photo for photo in open_source(data, root).photos}


@pytest.fixture
def colmap(tmp_path: Path) -> Path:
    """A project as COLMAP lays it out."""
    model = tmp_path / "sparse" / "0"
    model.mkdir(parents=True)
    (model / "images.txt").write_text(COLMAP)
    (model / "cameras.txt").write_text("1 SIMPLE_PINHOLE 640 480 400 320 240\n")
    photos_in(tmp_path / "images", *(f"sub/{number}.jpg" for number in (1, 2, 3, 4, 5)))
    return model


def test_colmap_says_where_cameras_were(colmap: Path) -> None:
    (colmap / "images.txt").write_text(COLMAP, "utf-8-sig")  # as Windows' editors leave it
    source = open_source(colmap)
    assert (source.kind, source.root.name) == ("colmap", "images")
    assert [photo.name for photo in source.photos] == [f"sub/{n}.jpg" for n in (1, 2, 3, 4)]
    metres = np.array([photo.utm[:2] for photo in source.photos if photo.utm])
    np.testing.assert_allclose(metres, CENTRES[:, :2], atol=1e-9)
    assert "units of" in source.warnings[0]
    assert "point up" not in source.warnings[0]


def test_a_model_that_is_not_level_keeps_its_distances(colmap: Path) -> None:
    """COLMAP's own axes are those of its first camera, of which z looks forward."""
    lines = COLMAP.splitlines()
    turned = [line.split() for line in lines[4::2]]
    for row, centre in zip(turned, CENTRES, strict=True):
        # No rotation, so the translation is the centre, negative; y is down, z forward.
        row[1:5] = ["1", "0", "0", "0"]
        row[5:8] = [str(value) for value in (-centre[0], centre[2], -centre[1] * 9)]
    (colmap / "images.txt").write_text("\n\n".join(" ".join(row) for row in turned) + "\n\n")
    source = open_source(colmap)
    metres = np.array([photo.utm[:2] for photo in source.photos if photo.utm])
    expected = CENTRES[:, :2] * [1, 9]
    for first in range(4):
        np.testing.assert_allclose(
            np.linalg.norm(metres - metres[first], axis=1),
            np.linalg.norm(expected - expected[first], axis=1),
            atol=0.2,
        )
    assert "does not point up" in source.warnings[0]


def test_a_model_on_the_earth_has_degrees(colmap: Path) -> None:
    degrees = np.array([[48.1, 11.5], [48.2, 11.6], [48.3, 11.7], [-33.9, 18.4]])
    rows = [
        f"{number} 1 0 0 0 {-x} {-y} {-z} 1 sub/{number}.jpg\n\n"
        for number, (x, y, z) in enumerate(geocentric(degrees).tolist(), 1)
    ]
    (colmap / "images.txt").write_text("".join(rows))
    source = open_source(colmap)
    positions = np.array([photo.position for photo in source.photos])
    np.testing.assert_allclose(positions, degrees, atol=1e-9)
    assert source.warnings == ()


def test_what_is_wrong_with_a_colmap_model(colmap: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"4 of the 4 photos .* name the folder .* with --root"):
        open_source(colmap, tmp_path / "sparse")
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="no folder `images` beside it or above"):
        open_source(colmap)
    assert len(open_source(colmap, tmp_path / "elsewhere").photos) == 4
    for text, message in (
        ("1 0.5 0.5\n\n", "where IMAGE_ID, QW"),
        ("1 1 0 0 0 x 0 0 1 a.jpg\n\n", "where numbers are needed"),
        ("# nothing\n", "names no photos"),
    ):
        (colmap / "images.txt").write_text(text)
        with pytest.raises(SourceError, match=message):
            open_source(colmap)
    (colmap / "images.txt").rename(colmap / "images.bin")
    with pytest.raises(SourceError, match=r"model_converter .* --output_type TXT"):
        open_source(colmap)
    photos_in(colmap, "a.jpg")  # a folder of photos, whatever else is in it
    assert list(by_name(colmap)) == ["a.jpg"]


@pytest.fixture
def kapture(tmp_path: Path) -> Path:
    folder = tmp_path / "kapture" / "sensors"
    photos_in(folder / "records_data", "day/a.jpg", "day/b.jpg", "l.jpg", "c.jpg")
    (folder / "sensors.txt").write_text(SENSORS)
    (folder / "records_camera.txt").write_text(RECORDS)
    return folder.parent


def test_kapture_places_photos_by_gnss(kapture: Path) -> None:
    (kapture / "sensors" / "records_gnss.txt").write_text(GNSS)
    source = open_source(kapture)
    assert source.kind == "kapture"
    photos = by_name(kapture)
    assert list(photos) == ["c.jpg", "day/a.jpg", "day/b.jpg", "l.jpg"]
    assert photos["day/a.jpg"].position == Position(48.1, 11.5)
    assert photos["day/b.jpg"].position == photos["l.jpg"].position == Position(48.2, 11.6)
    assert photos["c.jpg"].position is None
    assert "1 of the 4 photos" in source.warnings[0]
    metric = SENSORS.replace("EPSG:4326", "EPSG:32632")
    (kapture / "sensors" / "sensors.txt").write_text(metric)
    rows = GNSS.replace("11.5, 48.1", "686000, 5330000").replace("11.6, 48.2", "686001, 5330000")
    (kapture / "sensors" / "records_gnss.txt").write_text(rows)
    position = by_name(kapture)["day/a.jpg"].position
    assert position == pytest.approx((48.096, 11.498), abs=1e-3)


def test_kapture_places_photos_by_trajectories_and_rigs(kapture: Path) -> None:
    """What kapture itself says of these cameras."""
    assert all(photo.utm is None for photo in by_name(kapture).values())
    (kapture / "sensors" / "trajectories.txt").write_text(TRAJECTORIES)
    (kapture / "sensors" / "rigs.txt").write_text(RIGS)
    photos = by_name(kapture)
    for name, centre in (
        ("day/a.jpg", (1.0, 2.0)),
        ("day/b.jpg", (20.0, 4.0)),
        ("l.jpg", (20.207092198581567, 5.0209929078014275)),
    ):
        utm = photos[name].utm
        assert utm is not None
        assert utm[:2] == pytest.approx(centre, abs=1e-9)
    assert photos["c.jpg"].utm is None


def test_what_is_wrong_with_a_kapture(kapture: Path) -> None:
    sensors = kapture / "sensors"
    (sensors / "records_gnss.txt").write_text(GNSS.replace("48.1", "north"))
    with pytest.raises(SourceError, match="where numbers are needed"):
        open_source(kapture)
    (sensors / "records_gnss.txt").write_text(GNSS)
    (sensors / "sensors.txt").write_text(SENSORS.replace("EPSG:4326", "EPSG:0"))
    with pytest.raises(SourceError, match="the coordinates EPSG:0"):
        open_source(kapture)
    (sensors / "records_camera.txt").write_text("0, cam\n")
    with pytest.raises(SourceError, match="where 3 fields are needed"):
        open_source(kapture)
    (sensors / "records_camera.txt").write_text(RECORDS + "9, cam, gone.jpg\n")
    (sensors / "sensors.txt").write_text(SENSORS)
    with pytest.raises(SourceError, match=r"1 of the 5 photos .*'gone.jpg'"):
        open_source(kapture)


def test_opensfm_places_photos_by_its_reconstruction_and_exif(tmp_path: Path) -> None:
    photos_in(tmp_path / "images", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    half = np.pi / 2
    # A quarter turn about z takes the centre (30, 40, 0) to (-40, 30, 0) and t to its opposite.
    shots = {
        "a.jpg": {"rotation": [0, 0, half], "translation": [40.0, -30.0, 0.0]},
        "b.jpg": {"rotation": [0, 0, 0], "translation": [0.0, 0.0, -5.0]},
    }
    reference = {"latitude": 48.1, "longitude": 11.5, "altitude": 500.0}
    parts = [{"shots": {"b.jpg": shots["b.jpg"]}}, {"shots": shots, "reference_lla": reference}]
    (tmp_path / "reconstruction.json").write_text(json.dumps(parts))
    (tmp_path / "exif").mkdir()
    gps = {"gps": {"latitude": 48.2, "longitude": 11.6}}
    (tmp_path / "exif" / "c.jpg.exif").write_text(json.dumps(gps))
    (tmp_path / "exif" / "d.jpg.exif").write_text(json.dumps({"gps": {}}))
    photos = by_name(tmp_path)
    assert list(photos) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    [expected] = east_north_up_to_degrees(np.array([[30.0, 40.0, 0.0]]), 48.1, 11.5, 500.0)
    assert photos["a.jpg"].position == pytest.approx(tuple(expected), abs=1e-9)
    assert expected == pytest.approx([48.1 + 40 / 111_200, 11.5 + 30 / 74_400], abs=1e-6)
    assert photos["b.jpg"].position == pytest.approx((48.1, 11.5), abs=1e-9)
    assert photos["c.jpg"].position == Position(48.2, 11.6)
    assert photos["d.jpg"].position is None
    gps = {"gps": {"latitude": 98.2, "longitude": 11.6}}
    (tmp_path / "exif" / "d.jpg.exif").write_text(json.dumps(gps))
    (tmp_path / "images" / "film.mov").write_bytes(b"film")
    assert by_name(tmp_path)["d.jpg"].position is None
    assert open_source(tmp_path).left_out == {".mov file": 1}
    (tmp_path / "reconstruction.json").write_text("[{}]")
    with pytest.raises(SourceError, match="lacks what a shot needs"):
        open_source(tmp_path)
    (tmp_path / "reconstruction.json").write_text("{")
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(tmp_path)


def test_reconstructions_that_nothing_joins_are_not_laid_on_each_other(tmp_path: Path) -> None:
    photos_in(tmp_path / "images", "a.jpg", "b.jpg", "c.jpg")
    parts = [
        {"shots": {name: {"rotation": [0, 0, 0], "translation": [0, 0, 0]} for name in names}}
        for names in (["c.jpg"], ["a.jpg", "b.jpg"])
    ]
    (tmp_path / "reconstruction.json").write_text(json.dumps(parts))
    photos = by_name(tmp_path)
    assert [photo.is_placed for photo in photos.values()] == [True, True, False]
    _, told = open_source(tmp_path).warnings
    assert "gives no position of 1 photo, such as 'c.jpg'" in told


def test_a_reconstruction_that_is_nowhere_gets_no_metres_beside_one_on_earth(
    tmp_path: Path,
) -> None:
    photos_in(tmp_path / "images", "a.jpg", "b.jpg", "c.jpg")
    shot = {"rotation": [0, 0, 0], "translation": [0, 0, 0]}
    on_earth = {"latitude": 48.0, "longitude": 11.0, "altitude": 0.0}
    parts = [
        {"shots": {"c.jpg": shot}},
        {"shots": {"a.jpg": shot, "b.jpg": shot}, "reference_lla": on_earth},
    ]
    (tmp_path / "reconstruction.json").write_text(json.dumps(parts))
    photos = by_name(tmp_path)
    assert photos["a.jpg"].position == pytest.approx((48.0, 11.0))
    assert not photos["c.jpg"].is_placed
    [told] = open_source(tmp_path).warnings
    assert "such as 'c.jpg'" in told


def taken(path: Path, second: int, zone: str = "") -> None:
    """A photo that says it was taken at so many seconds after 10 o'clock."""
    exif = Image.Exif()
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    tags[ExifTags.Base.DateTimeOriginal] = f"2026:05:01 10:00:{second:02d}"
    if zone:
        tags[ExifTags.Base.OffsetTimeOriginal] = zone
    Image.new("RGB", (8, 6)).save(path, exif=exif)


def test_a_track_places_photos_by_their_times(tmp_path: Path) -> None:
    data, gpx = tmp_path / "photos", tmp_path / "walk.gpx"
    data.mkdir()
    gpx.write_text(GPX)
    for second in (0, 4, 30):
        taken(data / f"{second:02d}.jpg", second)
    photos_in(data, "none.jpg")
    request = VideoRequest(tmp_path / "index", gpx=gpx)
    source = open_source(data, None, request)
    positions = {photo.name: photo.position for photo in source.photos}
    assert positions["00.jpg"] == pytest.approx((48.0, 11.0))
    assert positions["04.jpg"] == pytest.approx((48.004, 11.0))
    assert positions["30.jpg"] is positions["none.jpg"] is None
    assert "2 of the 4 photos have no position by walk.gpx: 1 say no time" in source.warnings[-1]
    assert "such as 00.jpg name no time zone" in source.warnings[0]
    local = VideoRequest(tmp_path / "index", gpx=gpx, clock_offset_s=25)
    source = open_source(data, None, local)
    moved = {photo.name: photo.position for photo in source.photos}
    assert moved["30.jpg"] == pytest.approx((48.005, 11.0))
    for second in (0, 4, 30):
        taken(data / f"{second:02d}.jpg", second, "+00:00")
    for sentence in (*source.warnings, *open_source(data, None, request).warnings):
        assert "time zone" not in sentence


def test_the_header_of_a_photo_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, gpx = tmp_path / "photos", tmp_path / "walk.gpx"
    data.mkdir()
    gpx.write_text(GPX)
    for second in (0, 4):
        taken(data / f"{second:02d}.jpg", second, "+00:00")
    opened: list[str] = []
    inspect = decoding._inspect

    def inspected(path: Path) -> Any:
        opened.append(path.name)
        return inspect(path)

    monkeypatch.setattr(decoding, "_inspect", inspected)
    place_by_gpx(open_source(data), GpxTrack(gpx))
    assert sorted(opened) == ["00.jpg", "04.jpg"]


def test_a_clock_offset_is_that_of_photos_without_a_zone(tmp_path: Path) -> None:
    (tmp_path / "walk.gpx").write_text(GPX)
    data = tmp_path / "photos"
    data.mkdir()
    taken(data / "zoned.jpg", 4, "+00:00")
    taken(data / "plain.jpg", 29)
    request = VideoRequest(tmp_path / "index", gpx=tmp_path / "walk.gpx", clock_offset_s=25)
    for photo in open_source(data, None, request).photos:
        assert photo.position == pytest.approx((48.004, 11.0))
        assert photo.taken == datetime(2026, 5, 1, 10, 0, 4, tzinfo=UTC).timestamp()


def test_times_of_a_list_and_zones_count(tmp_path: Path) -> None:
    (tmp_path / "walk.gpx").write_text(GPX)
    taken(tmp_path / "a.jpg", 0, "+02:00")  # two hours too early, but the list knows better
    seconds = datetime(2026, 5, 1, 10, 0, 5, tzinfo=UTC).timestamp()
    (tmp_path / "list.csv").write_text(f"path,latitude,longitude,time\na.jpg,1,1,{seconds}\n")
    request = VideoRequest(tmp_path / "index", gpx=tmp_path / "walk.gpx")
    [photo] = open_source(tmp_path / "list.csv", None, request).photos
    assert photo.position == pytest.approx((48.005, 11.0))
    (tmp_path / "list.csv").unlink()
    with pytest.raises(SourceError, match=r"were taken from 2026-05-01 08:00:00.*--clock-offset"):
        open_source(tmp_path, None, request)


def test_a_track_that_can_place_nothing(tmp_path: Path) -> None:
    data = photos_in(tmp_path / "photos", "a.jpg")
    (tmp_path / "walk.gpx").write_text(GPX)
    request = VideoRequest(tmp_path / "index", gpx=tmp_path / "walk.gpx")
    with pytest.raises(SourceError, match=r"None of the photos .* says when it was taken"):
        open_source(data, None, request)
    with pytest.raises(SourceError, match="is no video"):
        open_source(data, None, VideoRequest(tmp_path / "index", fps=1))
    with pytest.raises(SourceError, match="counts only with a GPX file"):
        VideoRequest(tmp_path / "index", clock_offset_s=60)


def test_geocentric_there_and_back() -> None:
    degrees = np.array([[48.1, 11.5], [-33.0, -70.5], [np.nan, np.nan]])
    np.testing.assert_allclose(from_geocentric(geocentric(degrees)), degrees, atol=1e-9)
