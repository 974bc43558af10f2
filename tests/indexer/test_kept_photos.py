"""Photos that a server keeps, of places that no source lists, when an index is made anew."""

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from place_search.core.geodesy import Position
from place_search.indexer import (
    IndexWriteError,
    KeptPhotos,
    PhotoList,
    Source,
    SourceError,
    VideoRequest,
    add_photos,
    build_index,
    collect_leftovers,
    compact_index,
    descriptor_file_model,
    edit_place,
    open_descriptor_file,
    open_index,
    open_source,
    read_manifest,
    remove_places,
    sync_photos,
)
from place_search.indexer.storage.kept_photos import NOTE, REMOVED
from place_search.models import Model
from place_search.search.server.content.kept_answers import Answer, KeptAnswers, RequestKey
from tests.full_disk import files_up_to
from tests.indexer.conftest import Render, keep_photo
from tests.indexer.whole import whole
from tests.panoramas import panorama


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755])
def test_who_may_not_read_the_index_may_not_read_them(tmp_path: Path, mode: int) -> None:
    index = tmp_path / "my-index"
    index.mkdir(mode)
    folder = KeptPhotos(index).folder
    KeptPhotos(index).note_removed([Path("0.jpg")])
    assert stat.S_IMODE(folder.stat().st_mode) == mode
    shutil.rmtree(folder)
    KeptAnswers(folder).keep(RequestKey("me", "1", "a"), Answer(200, {}, {}))
    assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_a_full_disk_is_told_with_the_folder_and_no_removed_photo_is_forgotten(built: Path) -> None:
    kept = KeptPhotos(built)
    names = [f"{number:032x}.jpg" for number in range(3)]
    with files_up_to(40), pytest.raises(OSError, match="File too large"):
        kept.note_removed(map(Path, names))
    kept.note_removed(map(Path, names))
    photos = dict.fromkeys(names, b"photo")
    with pytest.raises(IndexWriteError) as told, files_up_to(40), kept.adding(photos):
        pass
    assert str(told.value) == (
        f"{kept.folder} is on a full disk; free some space, then run the same command again."
    )
    for name in names:
        (kept.folder / name).write_bytes(b"photo")
    kept.settle(read_manifest(built))
    assert not list(kept.folder.glob("*.jpg"))


def test_an_error_of_another_file_is_not_told_as_theirs(built: Path) -> None:
    kept, name = KeptPhotos(built), f"{1:032x}.jpg"
    other = OSError(5, "Input/output error", "shard.h5")
    with pytest.raises(OSError, match=r"shard\.h5"), kept.adding({name: b"photo"}):
        raise other
    assert not (kept.folder / name).exists()
    assert not kept.is_unsettled()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("/.lock", lambda index: remove_places(index, [0], compact=False)),
        (f"-photos/{NOTE}", collect_leftovers),
        (f"-photos/{NOTE}", lambda index: KeptPhotos(index).adding({}).__enter__()),
        (f"-photos/{REMOVED}", lambda index: KeptPhotos(index).note_removed([Path("0.jpg")])),
    ],
)
def test_a_link_in_a_stranger_s_index_changes_no_other_file(
    built: Path, name: str, change: Callable[[Path], object]
) -> None:
    KeptPhotos(built).folder.mkdir(exist_ok=True)
    mine = built.parent / "diary.txt"
    mine.write_text("mine")
    link = Path(f"{built}{name}")
    link.unlink(missing_ok=True)
    link.symlink_to(mine)
    with pytest.raises((IndexWriteError, OSError), match="symbolic links"):
        change(built)
    assert mine.read_text() == "mine"


def test_they_outlast_indexing_anew(
    built: Path, photos: Path, tmp_path: Path, model: Model, render: Render
) -> None:
    files = [render(KeptPhotos(built).folder / f"{number:032x}.jpg", number) for number in (70, 71)]
    listed = PhotoList(files[0].parent)
    listed.append(files[0].name, name="gate", position=Position(48, 11), taken=5.0, heading=90.0)
    listed.append(files[1].name, name="gone")
    add_photos(built, Source(listed.root, listed, "csv"), model)
    edit_place(built, 11, {"note": "north"})
    remove_places(built, ["gone"], compact=False)
    (before,) = open_index(built).places_of([files[0].name])
    for folder in (built, listed.root):
        folder.rename(tmp_path / f"moved-{folder.name}")
    built = tmp_path / f"moved-{built.name}"
    (photos / "p00.jpg").unlink()
    for places in (11, 11):
        report = build_index(open_source(photos), built, model)
        assert (report.places, report.skipped) == (places, [])
        (place,) = whole(built).places_of([files[0].name])
        path = KeptPhotos(built).folder / files[0].name
        assert place == replace(before, place_id=10, path=path, version=place.version)
    for photo in photos.rglob("*.jpg"):
        photo.write_bytes(b"no photo")
    with pytest.raises(SourceError, match="None of the 10 photos in"):
        build_index(open_source(photos), built, model)
    assert len(open_index(built)) == 11
    compact_index(built)
    assert sorted(photo.name for photo in KeptPhotos(built).folder.glob("*.jpg")) == [path.name]
    # They may be listed, too.
    assert build_index(open_source(path.parent), built, model).places == 1


@pytest.mark.parametrize("copied", [True, False])
def test_they_stay_where_an_index_moves_without_them(
    built: Path, photos: Path, tmp_path: Path, model: Model, copied: bool
) -> None:
    kept_photo = keep_photo(built, model, name="gate")
    (kept_photo.parent / NOTE).touch()
    moved = tmp_path / "moved"
    shutil.copytree(built, moved) if copied else built.rename(moved)
    assert sync_photos(moved, open_source(photos), model).removed == 0
    assert build_index(open_source(photos), moved, model).places == 12
    kept_photo.parent.rename(tmp_path / "away")
    assert sync_photos(moved, open_source(photos), model).removed == 0
    with pytest.raises(SourceError, match=f"1 places of .* bring it to .*{moved.name}-photos, or"):
        build_index(open_source(photos), moved, model)
    assert len(open_index(moved)) == 12
    (tmp_path / "away").rename(KeptPhotos(moved).folder)
    assert build_index(open_source(photos), moved, model).places == 12
    shutil.rmtree(KeptPhotos(moved).folder)
    with pytest.raises(SourceError, match="or make that folder"):
        build_index(open_source(photos), moved, model)
    KeptPhotos(moved).folder.mkdir()
    report = build_index(open_source(photos), moved, model)
    assert (report.places, [photo.name for photo in report.skipped]) == (11, ["gate"])


def test_indexing_anew_over_damage_tells_of_them(
    built: Path, photos: Path, model: Model, render: Render
) -> None:
    kept_photo = render(KeptPhotos(built).folder / f"{1:032x}.jpg", 70)
    (built / "descriptors/00000.h5").write_bytes(b"damaged")
    report = build_index(open_source(photos), built, model)
    assert report.intake.warnings == (
        f"which of the photos in {kept_photo.parent} were places cannot be read from the damaged "
        f"index that was there; `place-search add {built} {kept_photo.parent}` adds them all.",
    )
    assert add_photos(built, open_source(kept_photo.parent), model).added == 1


@pytest.mark.slow
def test_an_index_may_lie_in_a_folder_whose_name_is_not_utf_8(
    photos: Path, tmp_path: Path, model: Model, render: Render
) -> None:
    """Then the paths of kept photos and views are not UTF-8: they are known by their ends."""
    out = tmp_path / os.fsdecode(b"\xff") / "index"
    out.parent.mkdir()
    (photos / "360.jpg").write_bytes(panorama(3, 0.0, 1024))
    source = open_source(photos, None, VideoRequest(out))
    assert build_index(source, out, model).skipped == []
    keep_photo(out, model)
    report = sync_photos(out, source, model)
    assert (report.unchanged, report.added, report.removed) == (23, 0, 0)
    assert build_index(source, out, model).places == 24
    assert all(place.path.is_file() for place in whole(out).places())
    render(out.parent / "others/a.jpg", 71)
    with pytest.raises(
        SourceError, match=r"Photos of .*/\\xff/others cannot be added: its name is"
    ):
        add_photos(out, open_source(out.parent / "others"), model)


def test_those_that_a_file_of_descriptors_lacks_are_told(
    built: Path, photos: Path, tmp_path: Path, model: Model
) -> None:
    kept_photo = keep_photo(built, model, name="gate")
    np.save(tmp_path / "made.npy", np.eye(11, dtype=np.float32))
    source = open_source(photos)
    model_of_file = descriptor_file_model(open_descriptor_file(tmp_path / "made.npy"), source)
    report = build_index(source, built, model_of_file)
    assert report.places == 11
    assert [photo.name for photo in report.skipped] == ["gate"]
    assert kept_photo.exists()
