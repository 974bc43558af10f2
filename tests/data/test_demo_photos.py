from pathlib import Path

import pytest

from place_search import demo_photos
from place_search.demo_photos import DemoError, fetch_demo_photos
from place_search.indexer import open_source

Rows = list[dict[str, str]]


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_the_listed_photos_are_unpacked(pinned: Path, tmp_path: Path, photos: Rows) -> None:
    messages: list[str] = []
    demo = fetch_demo_photos(tmp_path / "a" / "demo", archive=pinned, print_message=messages.append)
    listed = {row["path"] for row in photos}
    assert files_below(demo.folder) == listed | {"places.csv", "truth.csv", "ORIGIN.txt"}
    assert files_below(tmp_path) == {f"a/demo/{name}" for name in files_below(demo.folder)}
    assert len(open_source(demo.places).photos) == sum(p.startswith("places/") for p in listed)
    assert demo.query().is_file()
    assert not messages


def test_what_is_complete_is_not_fetched_again(pinned: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    fetch_demo_photos(folder, archive=pinned, print_message=print)
    stamp = (folder / "truth.csv").stat().st_mtime_ns
    fetch_demo_photos(folder, print_message=print)
    assert (folder / "truth.csv").stat().st_mtime_ns == stamp


def test_a_lost_photo_is_fetched_again(pinned: Path, tmp_path: Path) -> None:
    demo = fetch_demo_photos(tmp_path / "demo", archive=pinned, print_message=print)
    demo.query().unlink()
    assert (
        fetch_demo_photos(tmp_path / "demo", archive=pinned, print_message=print).query().is_file()
    )


def test_what_people_put_there_stays(pinned: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = fetch_demo_photos(folder, archive=pinned, print_message=print)
    (folder / "places" / "home" / "garden").mkdir(parents=True)
    (folder / "places" / "home" / "garden" / "mine.jpg").write_bytes(b"of a garden")
    demo.query().unlink()
    before = files_below(folder)
    query = fetch_demo_photos(folder, archive=pinned, print_message=print).query()
    assert files_below(folder) == before | {query.relative_to(folder).as_posix()}
    assert (folder / "places" / "home" / "garden" / "mine.jpg").read_bytes() == b"of a garden"


def test_a_renewal_that_fails_harms_nothing_of_others(pinned: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    query = fetch_demo_photos(folder, archive=pinned, print_message=print).query()
    query.unlink()
    query.mkdir()
    (query / "mine.jpg").write_bytes(b"of a garden")
    with pytest.raises(DemoError, match="cannot be written"):
        fetch_demo_photos(folder, archive=pinned, print_message=print)
    assert (query / "mine.jpg").read_bytes() == b"of a garden"
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_another_archive_is_refused_and_leaves_nothing(small_archive: Path, tmp_path: Path) -> None:
    # Not pinned: the real sha256 holds.
    with pytest.raises(DemoError, match=r"is not the pinned kapture-1\.1\.12\.tar\.gz"):
        fetch_demo_photos(tmp_path / "demo", archive=small_archive, print_message=print)
    assert not any(tmp_path.iterdir())


def test_an_archive_without_a_listed_photo_leaves_nothing(
    pinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    for name in ("demo_places.csv", "demo_truth.csv"):
        (lists / name).write_text("path\n")
    # "places" is there, but as a link.
    (lists / "demo_photos.csv").write_text("path,member\nplaces/x/1.jpg,places\n")
    monkeypatch.setattr(demo_photos, "_LISTS", lists)
    with pytest.raises(DemoError, match=r"lacks 1 photos, the first is kapture-1\.1\.12/places"):
        fetch_demo_photos(tmp_path / "demo", archive=pinned, print_message=print)
    assert files_below(tmp_path) == {f"lists/{path.name}" for path in lists.iterdir()}


def test_a_missing_archive_is_named(pinned: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(DemoError, match="--from"):
            fetch_demo_photos(
                tmp_path / "demo", archive=tmp_path / "gone.tar.gz", print_message=print
            )
        fetch_demo_photos(
            tmp_path / "demo", archive=pinned, print_message=print
        )  # now nothing is missing


def test_a_folder_of_other_things_is_left_alone(pinned: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    fetch_demo_photos(folder, archive=pinned, print_message=print)  # empty: may be used
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(DemoError, match="holds other things already"):
        fetch_demo_photos(other, archive=pinned, print_message=print)
    (other / "ORIGIN.txt").write_text("my own notes on origins")
    with pytest.raises(DemoError, match="holds other things already"):
        fetch_demo_photos(other, archive=pinned, print_message=print)
    assert (other / "thesis.txt").read_text() == "years of work"
    with pytest.raises(DemoError, match="holds other things already"):
        fetch_demo_photos(other / "thesis.txt", archive=pinned, print_message=print)


@pytest.mark.slow
def test_without_a_network_the_mend_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    messages: list[str] = []
    with pytest.raises(
        DemoError, match=r"package kapture==1\.1\.12 could not be downloaded \(.*--from"
    ):
        fetch_demo_photos(tmp_path / "demo", print_message=messages.append)
    assert messages == ["Fetching kapture-1.1.12.tar.gz (54 MB, once) from the package index."]
    assert not any(tmp_path.iterdir())
