"""Photos and lists on their way in, as disks, cameras and other programs leave them."""

import io
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from place_search.evaluation import TruthFiles
from place_search.evaluation.truth.open_truth import open_truth
from place_search.indexer import PhotoFiles, Source, SourceError, open_source, read_split
from tests.indexer.conftest import touch


def _photo(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "grey").save(out, kind)
    return out.getvalue()


def _names(source: Source) -> list[str]:
    return [photo.name for photo in source.photos]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "PPM"])
@pytest.mark.parametrize("name", ["photo", "photo.HIF", "photo.jfif", "photo.dat"])
def test_a_photo_is_known_by_its_content(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(_photo(kind))
    assert _names(open_source(tmp_path)) == [name]


def test_what_is_left_out_is_counted_by_kind(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b.MOV", tmp_path / "c.mov", tmp_path / "README")
    (tmp_path / "raw.nef").write_bytes(_photo("TIFF"))
    for folder in ("@eaDir/IMG.jpg", "#recycle", "sub/@eaDir", ".Trash-1000", "Lost+Found"):
        touch(tmp_path / folder / "x.jpg")
    source = open_source(tmp_path)
    assert _names(source) == ["a.jpg"]
    assert source.left_out == {
        ".mov file": 2,
        ".nef file": 1,
        "file without an ending": 1,
        "folder @eaDir": 2,
        "folder #recycle": 1,
        "folder .Trash-1000": 1,
        "folder Lost+Found": 1,
    }


def test_the_last_version_that_a_program_left_beside_a_photo_is_no_photo(tmp_path: Path) -> None:
    photos = ["1", "10", "a.jpg", "a.jpg.png", "a.jpg_2.jpg", "b.jpg_original", "c~", "d.JPG"]
    kept = ["1~", "a.jpg.bak", "a.jpg.orig", "a.jpg.~1~", "a.jpg_exiftool_tmp", "a.jpg_original"]
    kept += ["a.jpg~", "a.jpg.png.bak", "d.JPG.bak"]
    (tmp_path / "folder.jpg").mkdir()
    photos += ["folder.jpg.bak", "folder.jpg/a.jpg.bak"]  # without a photo beside them
    for name in (*photos, *kept):
        (tmp_path / name).write_bytes(_photo("JPEG"))
    source = open_source(tmp_path)
    assert _names(source) == photos
    assert sum(source.left_out.values()) == len(kept)
    assert source.left_out[".bak file"] == 3


def test_only_files_of_unknown_names_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(*(tmp_path / name for name in ("00001.jpg", "00002.jpg", "00001.jpg.bak", "odd")))
    opened = []

    def open_regular(path: Path) -> io.BytesIO:
        opened.append(path.name)
        return io.BytesIO()

    monkeypatch.setattr("place_search.indexer.sources.walk.open_regular", open_regular)
    assert _names(open_source(tmp_path)) == ["00001.jpg", "00002.jpg"]
    assert opened == ["odd"]


ACCENT = unicodedata.normalize("NFC", "café.jpg")
SPELLINGS = [
    ("sub/a.JPG", "sub/a.jpg"),
    ("sub/a.JPG", "sub\\a.jpg"),
    ("Sub/a.jpg", "sub/A.jpg"),
    ("a.png", "a.jpg"),
    ("a.png", "a"),
    ("1689.25.jpg", "1689.25"),
    ("St. Peter.jpg", "st. peter"),
    (ACCENT, unicodedata.normalize("NFD", ACCENT)),
    (unicodedata.normalize("NFD", f"ü/{ACCENT}"), f"ü/{ACCENT}"),
    ("a.jpg", " a.jpg "),
    (" a.jpg", " a.jpg"),
    ("back\\slash.jpg", "back\\slash.jpg"),
]


@pytest.mark.parametrize(("file", "listed"), SPELLINGS)
def test_a_listed_name_finds_its_file(tmp_path: Path, file: str, listed: str) -> None:
    touch(tmp_path / file)
    assert PhotoFiles(tmp_path).find(listed) == file
    (tmp_path / "list.csv").write_text(f'path,latitude,longitude\n"{listed}",1,2\n', "utf-8")
    assert [photo.path for photo in open_source(tmp_path / "list.csv").photos] == [tmp_path / file]


def test_the_exact_name_comes_first(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "A.JPG", tmp_path / "a.png")
    files = PhotoFiles(tmp_path)
    for name in ("a.jpg", "A.JPG", "a.png"):
        assert files.find(name) == name
    assert files.find("b.jpg") is None
    touch(tmp_path / "St.jpg", tmp_path / "St.Peter.jpg")
    assert PhotoFiles(tmp_path).find("St.Peter") == "St.Peter.jpg"


@pytest.mark.parametrize("listed", ["a.jpg 738089 2567137", "a.jpg,1,2", "17.jpg;x", "17.5"])
def test_what_is_no_ending_belongs_to_the_name(tmp_path: Path, listed: str) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "17.jpg")
    assert PhotoFiles(tmp_path).find(listed) is None
    (tmp_path / "list.txt").write_text(listed, "utf-8")
    with pytest.raises(SourceError, match="does not exist; write a path a line"):
        open_source(tmp_path / "list.txt")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_a_list_beside_a_folder(tmp_path: Path, encoding: str) -> None:
    touch(tmp_path / "town/sub/a.JPG", tmp_path / "town/b.jpg")
    lines = "sub\\a.jpg\r\nb.jpg\r\ngone.jpg\r\nnotes.txt\r\n"
    (tmp_path / "town_images_paths.txt").write_bytes(lines.encode(encoding))
    source = open_source(tmp_path / "town")
    assert _names(source) == ["sub/a.JPG", "b.jpg", "gone.jpg"]
    assert source.left_out == {".txt file": 1}


def test_names_in_bytes(tmp_path: Path) -> None:
    file = tmp_path / "s.npz"
    arrays = {"utmQ": [[1.0, 2]], "utmDb": [[1.0, 2]], "posDistThr": 25}
    names = {"qImageFns": np.array([b"q\\a.jpg"]), "dbImageFns": np.array(["é.jpg".encode()])}
    np.savez(file, **arrays, **names)  # type: ignore[arg-type]
    split = read_split(file)
    assert (split.queries, split.database) == (("q/a.jpg",), ("é.jpg",))
    names["dbImageFns"] = np.array([b"\xff.jpg"])
    np.savez(file, **arrays, **names)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="not UTF-8"):
        read_split(file)


def _csv(folder: Path, text: str) -> Path:
    touch(folder / "a.jpg")
    (folder / "list.csv").write_text(text, "utf-8")
    return folder / "list.csv"


@pytest.mark.parametrize(
    ("metres", "reason"),
    [
        ("361229,6253463,19S", "northing 6253463 is not in zone 19S, whose band S reaches from 32"),
        ("361229,6253463,33M", "is not in zone 33M"),
        ("3612290,4000000,19S", "easting 3612290 is outside of zone 19S"),
        ("-5,4000000,19S", "easting -5 is outside of zone 19S"),
        ("103.51,1.2,48N", "easting 103.51 is outside of zone 48N"),
    ],
)
def test_a_zone_that_contradicts_its_metres(tmp_path: Path, metres: str, reason: str) -> None:
    with pytest.raises(SourceError, match=f"row 2: the .*{reason}"):
        open_source(_csv(tmp_path, f"path,easting,northing,zone\na.jpg,{metres}\n"))
    east, north, zone = metres.split(",")
    touch(tmp_path / "at" / f"@{east}@{north}@{zone[:-1]}@{zone[-1]}@.jpg")
    with pytest.raises(SourceError, match=reason):
        open_source(tmp_path / "at")


@pytest.mark.parametrize("metres", ["361229,6253463,19H", "386570,6173971,33U", "386570,6173971,"])
def test_a_zone_that_fits(tmp_path: Path, metres: str) -> None:
    source = open_source(_csv(tmp_path, f"path,easting,northing,zone\na.jpg,{metres}\n"))
    assert source.photos[0].utm is not None
    assert source.intake.warnings == ()


def test_metres_that_look_like_degrees_are_a_warning(tmp_path: Path) -> None:
    source = open_source(_csv(tmp_path, "path,easting,northing\na.jpg,113.51,34.2\n"))
    assert "look like degrees, such as 113.51 and 34.2" in source.intake.warnings[0]
    touch(tmp_path / "at/@113.51@34.20@.jpg", tmp_path / "at/@113.99@34.70@.jpg")
    assert "look like degrees" in open_source(tmp_path / "at").doubts[0].sentence


def test_degrees_in_a_split_are_a_warning(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    for name, place in (("tokyo247_ours", [35.68, 139.76]), ("pitts_ours", [120.0, 30.5])):
        file = tmp_path / f"{name}.npz"
        names = {"qImageFns": np.array(["a.jpg"]), "dbImageFns": np.array(["a.jpg"])}
        np.savez(file, utmQ=[place], utmDb=[place], posDistThr=25, **names)  # type: ignore[arg-type]
        assert read_split(file).zone == ""
        assert "look like degrees" in open_source(file).intake.warnings[0]
        truth = open_truth(TruthFiles(split=file, root=tmp_path))
        assert "look like degrees" in truth.warnings[0]


@pytest.mark.parametrize(("latitude", "is_warned"), [("55.69824", False), ("55.6992", True)])
def test_metres_and_degrees_of_two_places_are_a_warning(
    tmp_path: Path, latitude: str, is_warned: bool
) -> None:
    rows = f"b.jpg,,,,55.7,13.2\na.jpg,386570,6173971,33U,{latitude},13.1952\n"
    touch(tmp_path / "b.jpg")
    listed = open_source(_csv(tmp_path, f"path,easting,northing,zone,latitude,longitude\n{rows}"))
    touch(tmp_path / "at" / f"@386570@6173971@33@U@{latitude}@13.1952@.jpg")
    for source in (listed, open_source(tmp_path / "at")):
        assert bool(source.intake.warnings) == is_warned
    if is_warned:
        assert "give 1 of 2 photos eastings" in listed.intake.warnings[0]
        assert "the first is 'a.jpg'" in listed.intake.warnings[0]


def test_zero_zero_stands_for_no_position(tmp_path: Path) -> None:
    source = open_source(_csv(tmp_path, "path,latitude,longitude\na.jpg,0,0.0\n"))
    assert source.photos[0].position is None


@pytest.mark.parametrize("number", ["48_1", "４８", "nan", "inf", "0x10"])
def test_numbers_are_plain_digits(tmp_path: Path, number: str) -> None:
    with pytest.raises(SourceError, match=f"'{number}' as latitude in row 2"):
        open_source(_csv(tmp_path, f"path,latitude,longitude\na.jpg,{number},2\n"))
