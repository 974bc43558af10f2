"""What folders and CSV files say, and how they may be wrong."""

import csv
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from place_search.core.geodesy import Position
from place_search.indexer import SourceError, open_source
from place_search.indexer.sources.walk import list_folder
from tests.indexer.conftest import touch


def _names(data: Path) -> list[str]:
    return [photo.name for photo in open_source(data).photos]


def test_a_folder_gives_its_photos_by_name(tmp_path: Path) -> None:
    touch(tmp_path / "b.JPG", tmp_path / "a" / "z.png", tmp_path / "a b/ü ñ.webp")
    touch(tmp_path / "notes.txt", tmp_path / ".hidden.jpg", tmp_path / ".cache" / "x.jpg")

    source = open_source(tmp_path)

    assert [photo.name for photo in source.photos] == ["a b/ü ñ.webp", "a/z.png", "b.JPG"]
    assert source.photos[0].path == tmp_path / "a b/ü ñ.webp"
    assert source.photos[0].position is None
    assert source.photos[-1] == source.photos[2]
    assert [photo.name for photo in source.photos[1:]] == ["a/z.png", "b.JPG"]
    assert (source.kind, source.root) == ("folder", tmp_path)


def test_loops_of_links_end_and_photos_keep_their_own_names(tmp_path: Path) -> None:
    touch(tmp_path / "real" / "a.jpg")
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    touch(outside / "b.jpg")
    (tmp_path / "link").symlink_to(outside)

    assert _names(tmp_path) == ["link/b.jpg", "real/a.jpg"]


def test_folders_that_a_network_drive_gives_one_inode_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "a" / "1.jpg", tmp_path / "b" / "2.jpg", tmp_path / "b" / "c" / "3.jpg")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    stat = Path.stat
    monkeypatch.setattr(
        Path, "stat", lambda path, **how: os.stat_result([stat(path, **how)[0], 0, 7, *[1] * 7])
    )

    assert _names(tmp_path) == ["a/1.jpg", "b/2.jpg", "b/c/3.jpg"]


def test_a_path_of_300_characters(tmp_path: Path) -> None:
    name = f"{'d' * 200}/{'f' * 100}.jpg"
    touch(tmp_path / name)

    assert _names(tmp_path) == [name]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "is empty"),
        (["notes.txt"], "holds no photos, only 1 other file;"),
        (["a/b.pdf", "c.doc", ".x.jpg"], "holds no photos, only 2 other files;"),
        (
            ["walk.MP4"],
            "holds no photos, only 1 other file; 1 .mp4 file cannot be indexed, but .jpg, .png, "
            ".webp and .heic can; name a video itself, not its folder.",
        ),
    ],
)
def test_folders_without_photos(tmp_path: Path, files: list[str], message: str) -> None:
    touch(*(tmp_path / file for file in files))

    with pytest.raises(SourceError, match=re.escape(f"{tmp_path} {message}")):
        open_source(tmp_path)


def test_a_missing_folder_and_a_file_in_its_place(tmp_path: Path) -> None:
    touch(tmp_path / "photo.jpg")

    with pytest.raises(SourceError, match="does not exist; give a folder of photos"):
        open_source(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="is a single photo; give its folder"):
        open_source(tmp_path / "photo.jpg")
    touch(tmp_path / "photos.bag")
    with pytest.raises(
        SourceError, match=r"is of no kind that is known; give .*the folder that holds"
    ):
        open_source(tmp_path / "photos.bag")


def test_a_text_names_photos_below_its_folder_or_a_root(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b" / "c d.jpg", tmp_path / "left.jpg")
    (tmp_path / "lists").mkdir()
    for folder, root in ((tmp_path, None), (tmp_path / "lists", tmp_path)):
        file = folder / "db.txt"
        file.write_text("b/c d.jpg\n\na.jpg\n", "utf-8")
        source = open_source(file, root)
        assert [photo.name for photo in source.photos] == ["b/c d.jpg", "a.jpg"]
        assert source.root == tmp_path
    for text, message in (
        ("# none\n", r"names '# none', which does not exist; write a path a line, relative to"),
        ("", "names no photos"),
    ):
        file.write_text(text, "utf-8")
        with pytest.raises(SourceError, match=message):
            open_source(file)


def test_a_text_names_a_photo_once_however_it_is_spelled(tmp_path: Path) -> None:
    touch(tmp_path / "town" / "0.jpg", tmp_path / "town" / "1.jpg")
    for spelled in ("0.jpg", "0.png", "./0.jpg", "../town/0.jpg", f"{tmp_path}/town/0.jpg"):
        text = f"0.jpg\n\n1.jpg\n{spelled}\n"
        for data, file in (
            (tmp_path / "town", tmp_path / "town_images_paths.txt"),
            (tmp_path / "town" / "list.txt", tmp_path / "town" / "list.txt"),
        ):
            file.write_text(text, "utf-8")
            with pytest.raises(SourceError, match=r"0\.jpg' twice, in rows 1 and 4; leave") as told:
                open_source(data)
            assert str(told.value).startswith(f"{file} names '")


def _csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    touch(folder / "a.jpg", folder / "b" / "c, d.jpg")
    file = folder / "places.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_a_csv_gives_positions_and_names_in_its_order(tmp_path: Path) -> None:
    text = 'Path, Latitude ,longitude,name,\r\n"b/c, d.jpg",-1.5, 2e1 ,Café,x\r\n\r\na.jpg,,\r\n'

    source = open_source(_csv(tmp_path, text, "utf-8-sig"))

    first, second = source.photos
    assert (first.name, first.position) == ("Café", Position(-1.5, 20.0))
    assert first.path == tmp_path / "b" / "c, d.jpg"
    assert (second.name, second.position, second.utm) == ("a.jpg", None, None)
    assert source.kind == "csv"


def test_a_csv_may_say_where_photos_look(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jpg").touch()
    table = tmp_path / "list.csv"
    table.write_text("path,heading\na.jpg,45.5\nb.jpg,-90\nc.jpg,\n")
    assert [photo.heading for photo in open_source(table).photos] == [45.5, 270, None]
    for wrong in ("north", "361", "nan"):
        table.write_text(f"path,heading\na.jpg,{wrong}\n")
        message = f"'{wrong}' as heading in row 2; give degrees clockwise from north, 0 to 360"
        with pytest.raises(SourceError, match=message):
            open_source(table)


def test_a_link_to_itself_beside_listed_photos_is_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (first,) = open_source(_csv(tmp_path, "path\na.jpg\n")).photos
    assert first.name == "a.jpg"


def test_short_names_of_columns_are_understood(tmp_path: Path) -> None:
    for header in ("path,lat,lon", "path,LAT,lng"):
        (first,) = open_source(_csv(tmp_path, f"{header}\na.jpg,47.1,8.5\n")).photos
        assert first.position == Position(47.1, 8.5)


def test_a_csv_may_give_utm_or_paths_alone(tmp_path: Path) -> None:
    utm = "path,easting,northing,zone\na.jpg,500000,4649776.5,31n\nb/c. d.jpg,,,\n"
    touch(tmp_path / "b" / "c. d.jpg")

    first, second = open_source(_csv(tmp_path, utm)).photos
    assert first.utm == (500000.0, 4649776.5, "31N")
    assert second.utm is None
    assert _names(_csv(tmp_path, "path\na.jpg\n")) == ["a.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the column path"),
        ("a.jpg,47.1,8.5\n", "lacks the column path: its first row must name the columns"),
        ("path,latitude\na.jpg,1\n", "lacks the column longitude"),
        ("path,lat,latitude\na.jpg,1,2\n", "a column twice in its first row, latitude"),
        ("path,easting,name\na.jpg,1,x\n", "lacks the column northing"),
        ("path,floor\na.jpg,1\n", "latitude: .* names path,floor; positions may be blank"),
        ("path,latitude,longitude,path\n", "names a column twice"),
        ("path,latitude,longitude\n", "names no photos"),
        ("path,latitude,longitude\n\n,1,2\n", "names no photo in row 3"),
        ("path,latitude,longitude\na.jpg,47°,8\n", "'47°' as latitude in row 2"),
        ("path,latitude,longitude\na.jpg,nan,8\n", "'nan' as latitude in row 2"),
        ("path,latitude,longitude\na.jpg,47,\n", "'' as longitude in row 2"),
        ("path,latitude,longitude\na.jpg,90.01,8\n", "the latitude 90.01 in row 2"),
        ("path,latitude,longitude\na.jpg,47,-181\n", "the longitude -181 in row 2"),
        ("path,latitude,longitude\na.jpg,47,1,8,2\n", "has 5 fields in row 2 under 3 columns"),
        ("path,easting,northing,zone\na.jpg,1,2,61T\n", "UTM zone '61T' in row 2"),
        ("path,latitude,longitude\na.jpg,1,2\na.jpg,1,2\n", "'a.jpg' twice, in rows 2 and 3"),
        (
            "path,latitude,longitude\na.jpg,1,2\nx.jpg,1,2\ny.jpg,1,2\n",
            "2 of the 3 photos that .* do not exist, the first is 'x.jpg' in row 3; paths are",
        ),
        ('path,latitude,longitude\n"a.jpg,1,2\n', "is not a CSV file"),
    ],
)
def test_broken_csv_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        open_source(_csv(tmp_path, text))
    assert str(tmp_path / "places.csv") in str(caught.value)


@pytest.mark.parametrize("spelled", ["./a.jpg", "b/../a.jpg", "{root}/a.jpg", "{root}/b/../a.jpg"])
def test_a_csv_names_a_photo_once_however_it_is_spelled(tmp_path: Path, spelled: str) -> None:
    touch(tmp_path / "b" / "c.jpg")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    text = "path\na.jpg\nlink.jpg\n"
    assert _names(_csv(tmp_path, text)) == ["a.jpg", "link.jpg"]
    with pytest.raises(SourceError, match=r"a\.jpg' twice, in rows 2 and 4"):
        open_source(_csv(tmp_path, f"{text}{spelled.format(root=tmp_path)}\n"))


def test_a_csv_in_another_encoding(tmp_path: Path) -> None:
    text = "path,latitude,longitude,name\na.jpg,1,2,Café\n"
    with pytest.raises(SourceError, match="is not UTF-8 text"):
        open_source(_csv(tmp_path, text, "latin-1"))


def test_an_unreadable_folder(unprivileged: Path) -> None:
    touch(unprivileged / "in" / "a.jpg", unprivileged / "in" / "locked" / "b.jpg")
    (unprivileged / "in" / "locked").chmod(0)
    try:
        source = open_source(unprivileged / "in")
        assert [photo.name for photo in source.photos] == ["a.jpg"]
        assert [folder.name for folder in source.unlisted] == ["locked/"]
        assert "cannot be listed (Permission denied)" in source.unlisted[0].reason
        (unprivileged / "in" / "a.jpg").unlink()
        with pytest.raises(SourceError, match="no photos that may be read; locked/: the folder"):
            open_source(unprivileged / "in")
        with pytest.raises(SourceError, match=r"locked cannot be listed \(Permission denied"):
            open_source(unprivileged / "in" / "locked")
    finally:
        (unprivileged / "in" / "locked").chmod(0o700)


def test_a_link_to_a_disk_that_is_not_there(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    (tmp_path / "2024").symlink_to("/nowhere/2024")
    (tmp_path / ".hidden").symlink_to("/nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "through").symlink_to("a.jpg/b")
    (tmp_path / "long").symlink_to("l" * 300)

    source = open_source(tmp_path)

    assert [photo.name for photo in source.photos] == ["a.jpg"]
    assert [folder.name for folder in source.unlisted] == ["2024"]
    assert "the link leads nowhere; mount the disk" in source.unlisted[0].reason
    assert source.left_out == {"file without an ending": 3}


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_an_entry_whose_kind_a_failing_disk_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    class Failing:
        name, path = "town", f"{tmp_path}/town"

        def is_dir(self) -> bool:
            raise OSError(number, os.strerror(number))

    @contextmanager
    def scan(_: Path) -> Iterator[Iterator[Failing]]:
        yield iter([Failing()])

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(
        SourceError, match=re.escape(f"town cannot be listed ({os.strerror(number)}")
    ):
        list_folder(tmp_path)


_file_names = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1)
    .map(lambda text: f"{text}.jpg")
    .filter(lambda text: not text.startswith(".") and len(text.encode()) < 250)
)
_positions = st.none() | st.builds(Position, st.floats(-90, 90), st.floats(-180, 180))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_file_names, _positions, min_size=1, max_size=6))
def test_csv_round_trip(rows: dict[str, Position | None]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        touch(*(folder / name for name in rows))
        with (folder / "list.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["path", "latitude", "longitude"])
            writer.writerows([name, *(position or ("", ""))] for name, position in rows.items())

        photos = open_source(folder / "list.csv").photos

        assert {photo.name: photo.position for photo in photos} == rows
        assert [photo.path.name for photo in photos] == list(rows)
        # The same photos, found by looking.
        assert sorted(_names(folder)) == sorted(rows)
    finally:
        shutil.rmtree(folder)


def test_names_that_are_not_utf8_are_listed(tmp_path: Path) -> None:
    touch(tmp_path / os.fsdecode(b"caf\xe9.jpg"))

    assert _names(tmp_path) == ["caf\udce9.jpg"]


def test_rows_of_a_list_that_give_no_place_are_said(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jpg").touch()
    (tmp_path / "p.csv").write_text(
        "path,latitude,longitude\na.jpg,1,2\nb.jpg,0,0\nc.jpg,0.0,-0.0\n"
    )
    source = open_source(tmp_path / "p.csv")
    assert [photo.position is None for photo in source.photos] == [False, True, True]
    (warning,) = source.intake.warnings
    assert "2 rows of" in warning
    assert "0, 0, which counts as not known, the first is 'b.jpg'" in warning
