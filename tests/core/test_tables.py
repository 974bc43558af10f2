"""Tables as spreadsheets and other programs write them."""

from pathlib import Path

import pytest

from place_search.core.errors import PlaceSearchError
from place_search.core.tables import open_table


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
