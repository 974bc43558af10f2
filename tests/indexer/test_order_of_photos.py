"""When photos were taken, and of which sequence: from a source into the index, and out again."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import ExifTags, Image

from place_search.indexer import (
    PhotoList,
    Source,
    SourceError,
    add_photos,
    build_index,
    compact_index,
    open_index,
    open_source,
    sync_photos,
    verify_index,
)
from place_search.indexer.place_rows import place_rows
from place_search.indexer.sources.gpx import GpxTrack
from place_search.indexer.sources.gpx_positions import place_by_gpx
from place_search.models import Model
from place_search.photos import decode_photo, read_capture_time
from tests.indexer.conftest import Render

NOON = 1_777_636_800.0
"""2026-05-01 12:00:00 UTC."""

GPX = """<gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="48.0" lon="11.0"><time>2026-05-01T10:00:00Z</time></trkpt>
</trkseg></trk></gpx>"""


def photo_of(path: Path, tags: dict[int, str]) -> Path:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif).update(tags)
    Image.new("RGB", (32, 24), (90, 120, 60)).save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    ("tags", "taken"),
    [
        ({36867: "2026:05:01 12:00:00"}, NOON),
        ({36867: "2026:05:01 12:00:00", 36881: "+05:30"}, NOON - 19800),
        ({36867: "2026:05:01 12:00:00", 36881: "Z", 37521: "25"}, NOON + 0.25),
        ({36867: "2026:05:01 12:00:00", 36881: "noon"}, NOON),
        ({36867: "0000:00:00 00:00:00", 36868: "2026:05:01 12:00:00"}, NOON),
        ({36867: "    :  :     :  :  "}, None),
        ({36867: "yesterday"}, None),
        ({}, None),
    ],
)
def test_exif_says_when_a_photo_was_taken(
    tmp_path: Path, tags: dict[int, str], taken: float | None
) -> None:
    path = photo_of(tmp_path / "a.jpg", tags)
    assert decode_photo(path).taken == taken
    assert read_capture_time(path) == taken


def test_a_photo_that_cannot_be_opened_has_no_time(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff and nothing more")
    assert read_capture_time(broken) is None


def write_list(folder: Path, *rows: str) -> Path:
    listed = folder / "list.csv"
    listed.write_text("\n".join(("path,sequence,time", *rows)), "utf-8")
    return listed


def test_an_index_keeps_what_a_list_says_of_the_order(
    tmp_path: Path, model: Model, render: Render
) -> None:
    for name in "abc":
        render(tmp_path / f"{name}.jpg", ord(name))
    photo_of(tmp_path / "d.jpg", {36867: "2026:05:01 12:00:00"})
    listed = write_list(
        tmp_path, "a.jpg,way ä,2026-05-01T14:00:00+02:00", "b.jpg,way ä,7.5", "c.jpg,,", "d.jpg,,"
    )
    folder = tmp_path / "index"
    build_index(open_source(listed), folder, model, photos_per_shard=2)

    def stored() -> list[tuple[str, str, float]]:
        index = open_index(folder)
        names = index.names(np.arange(index.count))
        return sorted(zip(names, index.sequences(), index.taken.tolist(), strict=True))

    first = [("a.jpg", "way ä", NOON), ("b.jpg", "way ä", 7.5)]
    assert stored()[:2] == first
    assert stored()[3] == ("d.jpg", "", NOON)
    assert np.isnan(stored()[2][2])
    with h5py.File(folder / "descriptors.h5") as joined:
        assert joined["sequence"].asstr()[()].tolist() == ["way ä", "way ä", "", ""]
        assert joined["taken"][0] == NOON
    # The same words change nothing; others do, without the photos being embedded again.
    assert sync_photos(folder, open_source(listed), model).unchanged == 4
    write_list(tmp_path, "a.jpg,way ä,12:00", "b.jpg,way ä,7.5")
    with pytest.raises(SourceError, match="has '12:00' as time in row 2; write it as 2026-"):
        open_source(listed)
    write_list(tmp_path, "a.jpg,way,0001-01-01T00:00:00+05:00")
    with pytest.raises(SourceError, match="as time in row 2"):
        open_source(listed)
    write_list(tmp_path, "a.jpg,other,", "b.jpg,other,8", "c.jpg,,", "d.jpg,,9")
    report = sync_photos(folder, open_source(listed), model)
    assert (report.changed, report.copied) == (3, 3)
    expected = [("a.jpg", "other", NOON), ("b.jpg", "other", 8.0)]
    assert stored()[:2] == expected
    assert stored()[3] == ("d.jpg", "", 9.0)
    compact_index(folder)
    assert stored()[:2] == expected
    assert verify_index(folder).whole


@pytest.mark.parametrize(
    "time", ["1714550400000", "-4600000000", "20240531", "0001-01-01T00:00:00+05:00"]
)
def test_what_is_no_time_of_a_photo_is_refused(tmp_path: Path, render: Render, time: str) -> None:
    render(tmp_path / "a.jpg", 1)
    listed = write_list(tmp_path, f"a.jpg,,{time}")
    with pytest.raises(SourceError, match=re.escape(f"has '{time}' as time in row 2; write it as")):
        open_source(listed)


def test_an_index_with_a_time_that_no_calendar_has_is_listed(
    tmp_path: Path, model: Model, render: Render
) -> None:
    """Indexes of before were made of lists with times in milliseconds."""
    listed = PhotoList(tmp_path)
    listed.append(render(tmp_path / "a.jpg", 1).name, taken=1714550400000.0)
    source = Source(tmp_path, listed, "csv")
    build_index(source, tmp_path / "index", model)
    (row,) = place_rows(open_index(tmp_path / "index"))
    assert "time" not in row
    (tmp_path / "walk.gpx").write_text(GPX)
    with pytest.raises(SourceError, match="were taken from 1714550400000 s since 1970 to"):
        place_by_gpx(source, GpxTrack(tmp_path / "walk.gpx"))


def without_order(shard: Path) -> None:
    """Make a shard as version 0.1 wrote them: without these columns."""
    with h5py.File(shard, "r+", libver=("v110", "v110")) as file:
        del file["sequence"], file["taken"], file["crc32"]


def test_shards_without_these_columns_are_read_beside_others(
    tmp_path: Path, model: Model, render: Render
) -> None:
    photos, folder = tmp_path / "photos", tmp_path / "index"
    render(photos / "a.jpg", 1)
    build_index(open_source(photos), folder, model)
    old = open_index(folder).manifest
    shard = folder / old.shards[0]
    written = shard.read_bytes()
    photo_of(photos / "b.jpg", {36867: "2026:05:01 12:00:00"})
    add_photos(folder, open_source(photos), model)
    assert written == shard.read_bytes()
    size = shard.stat().st_size
    without_order(shard)
    with shard.open("ab") as stream:
        stream.truncate(size)
    index = open_index(folder)
    assert index.sequences() == ["", ""]
    assert np.isnan(index.taken[0])
    assert index.taken[1] == NOON
