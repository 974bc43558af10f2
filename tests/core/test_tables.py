"""Tables as spreadsheets and other programs write them."""

import csv
import io
import re
from pathlib import Path

import pytest

from place_search.core.errors import PlaceSearchError
from place_search.core.tables import open_table, table_text


class OurError(PlaceSearchError):
    pass


def rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    with open_table(path, ("path", "latitude"), error=OurError) as table:
        return list(table)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_separators_and_ends_of_lines_make_no_difference(
    tmp_path: Path, encoding: str, separator: str, end: str
) -> None:
    lines = ["Image, Lat ,x", '"a,;b.jpg", 48.1 ,', "", "Ä .jpg,1"]
    text = end.join(line.replace(",", separator) for line in lines)
    text = text.replace(f'"a{separator};b.jpg"', '"a,;\tb.jpg"')
    file = tmp_path / "t.csv"
    file.write_bytes(text.encode(encoding))
    assert rows(file) == [
        (2, {"path": "a,;\tb.jpg", "latitude": "48.1", "x": ""}),
        (4, {"path": "Ä .jpg", "latitude": "1", "x": ""}),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "lacks the column path: .* names nothing"),
        (b"path\na", "lacks the column latitude: .* names path"),
        (b"path,lat,latitude\na,1,2", "names a column twice in its first row, latitude"),
        (b"path,lat,floor, Floor \na,1,2,3", "names a column twice in its first row, floor"),
        (b"path,lat\na,1,2", "has 3 fields in row 2 under 2 columns"),
        (b'path,lat\n"a,1', "is not a CSV file"),
        (b"path,lat\n\xff,1", "is not UTF-8 text"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(OurError, match=says):
        rows(file)
    with pytest.raises(OurError, match="does not exist"):
        rows(tmp_path / "none.csv")
    with pytest.raises(OurError, match="is a folder where a CSV file is needed"):
        rows(tmp_path)


def test_columns_without_a_name_may_be_many(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b"path,lat,,\na,1,,")
    assert rows(file) == [(2, {"path": "a", "latitude": "1", "": ""})]


def test_what_a_spreadsheet_would_run_is_text() -> None:
    starts = ("=1+1", "+1-", "-a", "@sum(A1)", "\tx", "\n=x", '=HYPERLINK("http://x","a")')
    numbers = ("-11.5", "+3", "-1e-3", "0.5")
    text = table_text([["name", *starts], [1, *numbers], ["a,b", None, -2.5, "\r=b"]])
    first, second, third = csv.reader(io.StringIO(text, newline=""))
    assert first == ["name", *(f"'{start}" for start in starts)]
    assert second == ["1", *numbers]
    assert third == ["a,b", "", "-2.5", "'\r=b"]


def test_all_other_text_reads_back_as_it_is(tmp_path: Path) -> None:
    name = 'a\x1b[31m\r\n\r\t\x9b\u202e\u2028,;"b'
    text = table_text([["path", "latitude"], [name, 1], [name, 2], ["not UTF-8: \udce9", 3]])
    (tmp_path / "t.csv").write_bytes(text.encode())
    assert [row["path"] for _, row in rows(tmp_path / "t.csv")] == [
        *(name, name, r"not UTF-8: \udce9"),
    ]


def test_every_csv_is_written_by_one_function() -> None:
    root = Path(__file__).parents[2]
    rooms = ("photos", "models", "indexer", "search", "evaluation", "training", "place_search")
    writers = [
        path.relative_to(root).as_posix()
        for room in rooms
        for path in (root / room).rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)", path.read_text("utf-8"))
    ]
    assert writers == ["place_search/core/tables.py"]
