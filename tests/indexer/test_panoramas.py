"""360° panoramas in an index: each is the views that it is cut into, one group, with headings."""

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import numpy as np
import pytest
from PIL import Image

from place_search.core.files import FileStamp, write_whole
from place_search.core.geodesy import Position
from place_search.indexer import (
    Index,
    VideoRequest,
    add_photos,
    build_index,
    compact_index,
    edit_place,
    keep_listed_fields,
    open_index,
    open_source,
    parse_filter,
    read_listed_fields,
    remove_places,
    restore_places,
    sync_photos,
    verify_index,
)
from place_search.indexer.changes.verify import repair_index
from place_search.indexer.sources import panoramas
from place_search.indexer.sources.kept_views import MARK
from place_search.indexer.sources.panoramas import cut_panoramas
from place_search.indexer.sources.video_request import Panoramas
from place_search.models import Model
from tests.indexer.conftest import keep_photo, render
from tests.panoramas import gpano, panorama, photo, scene, sizes

HEADINGS = [(30.0 + 30 * number) % 360 for number in range(12)]
NAMES = [f"street/a.jpg#heading={round(heading):03}" for heading in HEADINGS]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two photos and a panorama between them by name."""
    folder = tmp_path / "photos"
    render(folder / "first.jpg", 1)
    (folder / "street").mkdir()
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 30.0, 0.0)}
    exif[0x8769] = {0x9003: "2026:05:01 10:00:00"}
    xmp = gpano(**sizes(2048, 1024), PoseHeadingDegrees=30)
    (folder / "street/a.jpg").write_bytes(photo(scene(1), xmp, exif=exif))
    render(folder / "street/z.jpg", 2)
    return folder


def build(data: Path, out: Path, model: Model, **options: object) -> Index:
    source = open_source(data, None, VideoRequest(out, **options))  # type: ignore[arg-type]
    build_index(source, out, model)
    return open_index(out)


def views_of(index: Index) -> list[int]:
    return [place.place_id for place in index.places() if "#" in place.name]


def test_each_view_is_a_place_with_its_heading(data: Path, tmp_path: Path, model: Model) -> None:
    (tmp_path / "i").mkdir(0o700)
    index = build(data, tmp_path / "i", model)
    places = list(index.places())
    assert [place.name for place in places] == ["first.jpg", *NAMES, "street/z.jpg"]
    assert [place.heading for place in places] == [None, *HEADINGS, None]
    for place in places[1:13]:
        assert place.position == Position(48 + 8 / 60, 11.5)
        assert place.taken == 1777629600
        assert place.utm is not None
        with Image.open(place.path) as picture:
            assert picture.size == (640, 480)
        assert index.thumbnail(place.place_id)
    assert verify_index(tmp_path / "i").whole
    assert stat.S_IMODE((tmp_path / "i-views").stat().st_mode) == 0o700


def test_the_views_of_a_panorama_are_one_group(data: Path, tmp_path: Path, model: Model) -> None:
    index = build(data, tmp_path / "i", model)
    views = views_of(index)
    assert {index.groups.of(view) for view in views} == {views[0]}
    assert index.groups.members(views[0]).tolist() == views
    assert index.groups.of(0) is None


def test_filters_find_views_where_the_panorama_lies(
    data: Path, tmp_path: Path, model: Model
) -> None:
    index = build(data, tmp_path / "i", model)
    for folder, count in (("street", 13), ("street/a.jpg", 12), ("views", 0)):
        rows = index.matching(parse_filter(index.edits, folder=folder))
        assert len(rows) == count, folder


def test_an_index_that_was_moved_finds_its_views(data: Path, tmp_path: Path, model: Model) -> None:
    build(data, tmp_path / "i", model)
    (tmp_path / "else").mkdir()
    shutil.move(tmp_path / "i", tmp_path / "else/j")
    shutil.move(tmp_path / "i-views", tmp_path / "else/j-views")
    index = open_index(tmp_path / "else/j")
    assert all(index.place(view).path.is_file() for view in views_of(index))


@pytest.mark.slow
def test_sync_follows_a_panorama(data: Path, tmp_path: Path, model: Model) -> None:
    out = tmp_path / "i"
    build(data, out, model)
    before = {view.name: view.stat().st_mtime_ns for view in (tmp_path / "i-views").rglob("*.jpg")}

    def sync() -> dict[str, int]:
        report = sync_photos(out, open_source(data, None, VideoRequest(out)), model)
        return {key: getattr(report, key) for key in ("added", "changed", "removed", "unchanged")}

    assert sync() == {"added": 0, "changed": 0, "removed": 0, "unchanged": 14}
    after = {view.name: view.stat().st_mtime_ns for view in (tmp_path / "i-views").rglob("*.jpg")}
    assert before == after  # nothing was cut again
    (data / "street/a.jpg").write_bytes(panorama(2, heading=30.0))
    assert sync() == {"added": 0, "changed": 12, "removed": 0, "unchanged": 2}
    index = open_index(out)
    assert [index.place(view).name for view in views_of(index)] == NAMES
    assert index.groups.members(index.groups.of(views_of(index)[0]) or 0).tolist() == views_of(
        index
    )
    (data / "street/b.jpg").write_bytes(panorama(3))
    assert sync() == {"added": 12, "changed": 0, "removed": 0, "unchanged": 14}
    names = [place.name for place in open_index(out).places()]
    assert [f"street/b.jpg#yaw={30 * number:03}" for number in range(12)] == names[-12:]
    (data / "street/a.jpg").unlink()
    assert sync() == {"added": 0, "changed": 0, "removed": 12, "unchanged": 14}
    assert verify_index(out).whole


@pytest.mark.parametrize(("before", "after", "places"), [("off", "auto", 12), ("auto", "off", 1)])
@pytest.mark.slow
def test_a_panorama_that_was_removed_stays_out_however_it_is_cut(
    data: Path,
    tmp_path: Path,
    model: Model,
    before: Panoramas,
    after: Panoramas,
    places: int,
) -> None:
    out = tmp_path / "index"
    build_index(open_source(data, None, VideoRequest(out, panoramas=before)), out, model)
    remove_places(out, ["street/a.jpg"])
    for _ in range(2):
        source = open_source(data, None, VideoRequest(out, panoramas=after))
        report = sync_photos(out, source, model)
        assert (report.added, report.forgotten, report.places) == (0, places, 2)
    source = open_source(data, None, VideoRequest(out, panoramas=after))
    assert sync_photos(out, source, model, forget=True).added == places
    for mode in (before, after):
        source = open_source(data, None, VideoRequest(out, panoramas=mode))
        assert sync_photos(out, source, model).forgotten == 0


@pytest.mark.slow
def test_one_view_that_was_removed_does_not_keep_its_panorama_out(
    data: Path, tmp_path: Path, model: Model
) -> None:
    out = tmp_path / "index"
    build_index(open_source(data, None, VideoRequest(out)), out, model)
    remove_places(out, [3])
    assert sync_photos(out, open_source(data, None, VideoRequest(out)), model).forgotten == 1
    source = open_source(data, None, VideoRequest(out, panoramas="off"))
    report = sync_photos(out, source, model)
    assert (report.added, report.removed, report.forgotten) == (1, 11, 0)
    assert not report.still_there, "views are cut of a photo, and are none"


def test_a_heading_that_is_corrected_comes_without_cutting_again(
    data: Path, tmp_path: Path, model: Model
) -> None:
    out, path = tmp_path / "i", data / "street/a.jpg"
    build(data, out, model)
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(content.replace(b'Degrees="30"', b'Degrees="31"'))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    report = sync_photos(out, open_source(data, None, VideoRequest(out)), model)
    assert (report.changed, report.copied) == (12, 12)
    index = open_index(out)
    assert [index.place(view).heading for view in views_of(index)] == [h + 1 for h in HEADINGS]


@pytest.mark.slow
def test_adding_and_removing_by_the_panorama(data: Path, tmp_path: Path, model: Model) -> None:
    out = tmp_path / "i"
    build(data, out, model)
    more = tmp_path / "more"
    more.mkdir()
    (more / "c.jpg").write_bytes(panorama(4, heading=0.0))
    report = add_photos(out, open_source(more, None, VideoRequest(out)), model)
    assert report.added == 12
    index = open_index(out)
    new = views_of(index)[12:]
    assert [index.place(view).name[-3:] for view in new] == [f"{30 * n:03}" for n in range(12)]
    assert index.groups.members(new[0]).tolist() == new
    assert remove_places(out, ["street/a.jpg"], compact=False).removed == 12
    assert views_of(open_index(out)) == new
    assert restore_places(out, list(range(1, 13))).added == 12
    assert remove_places(out, [NAMES[3]]).removed == 1


@pytest.mark.slow
def test_views_go_with_the_last_place_that_is_one(data: Path, tmp_path: Path, model: Model) -> None:
    """When removed places are dropped: before that they can be restored."""
    out = tmp_path / "i"
    (data / "street/b.jpg").write_bytes(panorama(5, heading=0.0))
    index = build(data, out, model)
    first, second = (index.place(view).path.parent for view in views_of(index)[::12])
    (first / "note.txt").write_text("a user's own")
    remove_places(out, [*views_of(index)[1:12], "street/b.jpg"], compact=False)
    assert len(list(second.glob("*.jpg"))) == 12
    compact_index(out)
    assert not second.exists()
    assert len(list(first.glob("*.jpg"))) == 12  # one of them is a place
    remove_places(out, [views_of(open_index(out))[0]], compact=False)
    compact_index(out)
    assert [path.name for path in first.iterdir()] == ["note.txt"]
    add_photos(out, open_source(data / "street", None, VideoRequest(out)), model)
    assert verify_index(out).whole


def test_a_damaged_shard_is_made_again_from_the_views(
    data: Path, tmp_path: Path, model: Model
) -> None:
    out = tmp_path / "i"
    build(data, out, model)
    shard = next((out / "descriptors").glob("*.h5"))
    shard.write_bytes(shard.read_bytes()[:100])
    report = repair_index(out, lambda: model)
    assert report.whole
    assert not report.lost
    index = open_index(out)
    assert [index.place(view).heading for view in views_of(index)] == HEADINGS


def test_an_index_that_was_moved_knows_its_panoramas(
    data: Path, tmp_path: Path, model: Model
) -> None:
    build(data, tmp_path / "i", model)
    for name in ("i", "i-views"):
        shutil.move(tmp_path / name, tmp_path / f"moved-{name}")
    out = tmp_path / "moved-i"
    ids = open_index(out).place_ids.tolist()
    for change in (add_photos, sync_photos):
        report = change(out, open_source(data, None, VideoRequest(out)), model)
        assert (report.added, report.removed, report.unchanged) == (0, 0, 14)
    assert open_index(out).place_ids.tolist() == ids
    edit_place(out, 5, {"note": "a gate"})
    shutil.move(tmp_path / "moved-i", tmp_path / "j")
    shutil.move(tmp_path / "moved-i-views", tmp_path / "j-views")
    assert build(data, tmp_path / "j", model).place(5).note == "a gate"


def test_an_index_that_was_moved_is_repaired_from_what_lies_beside_it(
    data: Path, tmp_path: Path, model: Model
) -> None:
    out = tmp_path / "i"
    build(data, out, model)
    keep_photo(out, model)
    (tmp_path / "else").mkdir()
    for name in ("i", "i-views", "i-photos"):
        shutil.move(tmp_path / name, tmp_path / "else" / name)
    out = tmp_path / "else/i"
    before = [(place.name, place.path) for place in open_index(out).places()]
    for shard in (out / "descriptors").glob("*.h5"):
        shard.write_bytes(shard.read_bytes()[:100])
    report = repair_index(out, lambda: model)
    assert (report.whole, report.lost) == (True, [])
    assert [(place.name, place.path) for place in open_index(out).places()] == before


@pytest.mark.slow
def test_photos_of_2_to_1_without_metadata_are_left_whole_and_that_is_said(
    data: Path, tmp_path: Path, model: Model
) -> None:
    for name in ("m.jpg", "n.jpg"):
        (data / name).write_bytes(photo(scene(5)))
    source = open_source(data, None, VideoRequest(tmp_path / "i"))
    assert source.warnings == (
        "m.jpg and 1 more: twice as wide as high, as 360° panoramas are, but the metadata does not "
        "call it one, so it is taken as one plain photo; --panoramas 2:1 cuts such photos into "
        "views.",
    )
    assert (len(source.photos), source.panoramas) == (16, 1)
    source = open_source(data, None, VideoRequest(tmp_path / "i", panoramas="2:1"))
    assert (len(source.photos), source.panoramas, source.warnings) == (38, 3, ())
    source = open_source(data, None, VideoRequest(tmp_path / "i", panoramas="off"))
    assert (len(source.photos), source.panoramas, source.warnings) == (5, 0, ())


@pytest.mark.slow
def test_panoramas_that_cannot_be_cut_stay_as_they_are(
    data: Path, tmp_path: Path, model: Model
) -> None:
    (data / "broken.jpg").write_bytes(photo(scene(6), gpano(FullPanoWidthPixels="many")))
    whole = panorama(7)
    (data / "half.jpg").write_bytes(whole[: len(whole) // 2])
    part = sizes(2048, 1024, (900, 480, 200, 60))
    (data / "part.jpg").write_bytes(photo(scene(8)[480:540, 900:1100], gpano(**part)))
    (data / "turned.jpg").write_bytes(
        photo(scene(9), gpano(**sizes(2048, 1024), PoseHeadingDegrees="x"))
    )
    source = open_source(data, None, VideoRequest(tmp_path / "i"))
    assert source.warnings == (
        "broken.jpg: The photo's metadata calls it a 360° panorama but gives no sizes that fit it, "
        "so it was taken as one plain photo.",
        "part.jpg: The panorama shows too little of the sphere to be cut into views, so it was "
        "taken whole.",
        "turned.jpg: The panorama's heading is broken and was left out.",
    )
    report = build_index(source, tmp_path / "i", model)
    assert [photo.name for photo in report.skipped] == ["half.jpg"]
    names = [place.name for place in open_index(tmp_path / "i").places()]
    assert {"broken.jpg", "part.jpg", "turned.jpg#yaw=000"} <= set(names)


def test_the_views_are_no_photos_of_a_folder_around_them(data: Path, model: Model) -> None:
    build(data, data / "i", model)
    source = open_source(data, None, VideoRequest(data / "i"))
    assert (len(source.photos), source.panoramas) == (14, 1)
    assert source.left_out["folder of panoramas' views"] == 1


def test_a_list_that_leads_elsewhere_writes_below_the_index_only(
    data: Path, tmp_path: Path, model: Model
) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "places.csv").write_text(
        "path,latitude,longitude,name,heading,floor\n../photos/street/a.jpg,50,10,Gate,-100,2\n"
    )
    out = tmp_path / "deep" / "i"
    out.parent.mkdir()
    index = build(lists / "places.csv", out, model)
    assert index.count == 12
    listed = read_listed_fields(lists / "places.csv", out)
    assert listed
    assert keep_listed_fields(out, listed) == 12
    for place in open_index(out).places():
        assert place.fields == {"floor": 2}
        assert place.name.startswith("Gate#heading=")
        # What the list says counts before what the panorama does.
        assert place.heading == (260 + 30 * place.place_id) % 360
        assert place.position == Position(50, 10)
        assert place.path.is_relative_to(out.parent / "i-views")


@pytest.mark.slow
def test_several_panoramas_are_cut_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "photos"
    data.mkdir()
    for number in range(6):
        (data / f"{number}.jpg").write_bytes(panorama(number, 10.0 * number))
    both, marks = Barrier(2), []

    def write(path: Path, content: bytes) -> FileStamp:
        if path == tmp_path / "i-views" / MARK:
            marks.append(path)
            with suppress(BrokenBarrierError):  # nobody else writes it meanwhile
                both.wait(1)
        return write_whole(path, content)

    monkeypatch.setattr(panoramas, "_CUTTERS", 2)
    monkeypatch.setattr(panoramas, "write_whole", write)
    source = open_source(data, None, VideoRequest(tmp_path / "i"))
    assert len(marks) == 1
    assert [photo.name[0] for photo in source.photos[::12]] == ["0", "1", "2", "3", "4", "5"]
    assert all(photo.path.is_file() for photo in source.photos)


def test_views_that_cannot_be_written_are_one_sentence(data: Path, tmp_path: Path) -> None:
    from place_search.indexer import IndexWriteError

    (tmp_path / "i-views").write_text("not a folder")
    with pytest.raises(IndexWriteError, match=r"Views of panoramas cannot be kept in .*; mend"):
        open_source(data, None, VideoRequest(tmp_path / "i"))


def test_other_sources_are_left_as_they_are(photos: Path, tmp_path: Path) -> None:
    source = open_source(photos)
    assert cut_panoramas(source, VideoRequest(tmp_path / "i")) == source
    assert not (tmp_path / "i-views").exists()
    heading = np.array([photo.heading for photo in source.photos])
    assert (heading == None).all()  # noqa: E711 - of an array
    asked = cut_panoramas(source, VideoRequest(tmp_path / "i", panoramas="2:1"))
    assert asked.photos == source.photos
    assert asked.warnings[-1].startswith("None of the photos was cut into views: ")
