"""Files of rows: as many rows as a large index has."""

import csv
import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from place_search.core import row_files
from place_search.core.row_files import write_rows

ROWS = 100
COLUMNS = {"name": str, "latitude": float, "longitude": float}


class KeptRow(dict[str, object]):
    """A row that a weak reference may follow."""


def rows_kept_few_at_once(most: int) -> Iterator[KeptRow]:
    kept = weakref.WeakValueDictionary[int, KeptRow]()
    for number in range(ROWS):
        kept[number] = row = KeptRow(name=f"{number}", latitude=1.5, longitude=float(number))
        yield row
        del row
        assert len(kept) <= most


@pytest.mark.parametrize("ending", ["csv", "jsonl", "geojson"])
def test_a_text_holds_no_row_in_memory(ending: str, tmp_path: Path) -> None:
    out = tmp_path / f"rows.{ending}"
    write_rows(out, COLUMNS, rows_kept_few_at_once(2))
    text = out.read_text("utf-8")
    if ending == "csv":
        names = [row["name"] for row in csv.DictReader(text.splitlines())]
    elif ending == "jsonl":
        names = [json.loads(line)["name"] for line in text.splitlines()]
    else:
        names = [each["properties"]["name"] for each in json.loads(text)["features"]]
    assert names == list(map(str, range(ROWS)))


@pytest.mark.slow
def test_parquet_holds_a_group_of_rows_in_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(row_files, "GROUP_ROWS", 7)
    write_rows(tmp_path / "rows.parquet", COLUMNS, rows_kept_few_at_once(15))
    longitudes = parquet.read_table(tmp_path / "rows.parquet")["longitude"]
    assert longitudes.to_pylist() == list(range(ROWS))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "geojson", "parquet"])
def test_no_rows_are_a_file_too(ending: str, tmp_path: Path) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"rows.{ending}"
    write_rows(out, COLUMNS, iter(()))
    row_files.require_row_file(out, COLUMNS, tmp_path / "index")  # it is known as one of ours
    if ending == "geojson":
        assert json.loads(out.read_text())["features"] == []
