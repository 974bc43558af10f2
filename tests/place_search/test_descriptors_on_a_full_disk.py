"""Files of descriptors for which a disk has no room."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from place_search.core.errors import PlaceSearchError
from place_search.indexer.descriptor_files.write import (
    DescriptorFormat,
    Descriptors,
    write_descriptors,
)
from tests.full_disk import files_up_to


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.h5", "place-search"), ("a.h5", "hloc"), ("a.npy", "numpy"), ("kapture", "kapture")],
)
def test_a_full_disk_is_told_and_leaves_nothing(
    name: str, form: DescriptorFormat, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = np.random.default_rng(0).normal(size=(3, 32_768)).astype(np.float32)
    given = Descriptors(rows, ["1.jpg", "2.jpg", "3.jpg"], [], "model", "fingerprint")
    with files_up_to(50_000), pytest.raises(PlaceSearchError) as told:
        write_descriptors(tmp_path / name, form, given)
    said = "is on a full disk; free some space, then run the same command again."
    assert str(told.value) == f"{tmp_path / name} {said}"
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
    assert capfd.readouterr().err == ""


def test_cameras_that_found_no_room_are_written_by_the_next_run(tmp_path: Path) -> None:
    paths = [tmp_path / f"{size}.jpg" for size in range(10, 20)]
    for size, path in enumerate(paths, 10):
        Image.new("RGB", (size, size)).save(path)
    rows, names = np.eye(10, dtype=np.float32), [path.name for path in paths]
    given = Descriptors(rows, names, paths, "model", "fingerprint")
    with files_up_to(400), pytest.raises(PlaceSearchError, match="free some space"):
        write_descriptors(tmp_path / "kapture", "kapture", given)
    write_descriptors(tmp_path / "kapture", "kapture", given)
    cameras = (tmp_path / "kapture" / "sensors" / "sensors.txt").read_text("utf-8")
    assert cameras.splitlines()[-1] == "camera9, , camera, UNKNOWN_CAMERA, 19, 19"
