"""Verifying: whatever byte is wrong is found, and what can be mended is."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from place_search.core.files import FileStamp, sha256_of
from place_search.core.geodesy import Position
from place_search.indexer import (
    IndexFormatError,
    ModelMismatchError,
    build_index,
    edit_place,
    open_index,
    open_source,
    read_manifest,
    remove_places,
    repair_index,
    sync_photos,
    verify_index,
)
from place_search.models import Model
from place_search.photos import Photo


def _no_model() -> Model:
    raise AssertionError("no photo needs to be embedded")


@pytest.fixture(scope="module")
def sound(
    tmp_path_factory: pytest.TempPathFactory, render: Callable[..., Path], model: Model
) -> Path:
    """An index of ten places, in three shards, of which one is removed."""
    folder = tmp_path_factory.mktemp("sound")
    for number in range(11):
        render(folder / "photos" / f"{number:02d}.jpg", number)
    build_index(
        open_source(folder / "photos"),
        folder / "index",
        model,
        photos_per_shard=4,
        store="rabitq",
    )
    remove_places(folder / "index", [5])
    return folder / "index"


@pytest.fixture
def index(sound: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    shutil.copytree(sound, tmp_path / "index")
    return tmp_path / "index"


def flip(path: Path, at: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def files(index: Path) -> list[str]:
    return ["manifest.json", *open_index(index).manifest.files]


def test_a_sound_index_is_whole(sound: Path) -> None:
    report = verify_index(sound)
    assert (report.problems, report.places, report.files) == ([], 10, 8)
    assert report.bytes == sum((sound / name).stat().st_size for name in files(sound)[1:])
    assert repair_index(sound, _no_model).repaired == []


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(file=st.integers(0, 8), share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(sound: Path, file: int, share: float, bit: int) -> None:
    name = files(sound)[file]
    path = sound / name
    content = path.read_bytes()
    flip(path, int(share * len(content)), bit)
    try:
        if name == "manifest.json":
            with pytest.raises(IndexFormatError):
                verify_index(sound)
        else:
            report = verify_index(sound)
            assert [problem.file for problem in report.problems] == [name]
            assert "checksum" in report.problems[0].what
    finally:
        path.write_bytes(content)


def test_every_byte_of_the_manifest_counts(sound: Path) -> None:
    path = sound / "manifest.json"
    content = path.read_bytes()
    try:
        for at in range(0, len(content), 7):
            flip(path, at, at % 8)
            with pytest.raises(IndexFormatError):
                verify_index(sound)
            path.write_bytes(content)
    finally:
        path.write_bytes(content)


def test_nothing_damaged_is_parsed(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in files(index)[1:]:
        flip(index / name, -1)
    monkeypatch.setattr("place_search.indexer.storage.array_file.h5py.File", None)
    monkeypatch.setattr("place_search.indexer.stores.faiss_store.faiss", None)
    assert len(verify_index(index).problems) == 8


@pytest.mark.parametrize("name", ["descriptors/00001.h5", "thumbnails/00001.h5"])
def test_a_bad_shard_is_made_again_from_its_photos(index: Path, name: str, model: Model) -> None:
    before = open_index(index)
    rows = np.concatenate(list(before.descriptors().chunks()))
    flip(index / name, 3000)

    report = repair_index(index, lambda: model)

    assert [problem.file for problem in report.problems] == [name]
    assert (report.repaired, report.lost, report.whole) == ([name], [], True)
    after = open_index(index)
    assert list(after.places()) == list(before.places())
    np.testing.assert_array_equal(np.concatenate(list(after.descriptors().chunks())), rows)
    assert after.thumbnail(6) == before.thumbnail(6)
    assert list(after.manifest.shards) == [f"descriptors/{number:05d}.h5" for number in (0, 3, 2)]
    assert verify_index(index).problems == []


def test_only_the_bad_shard_is_embedded(
    index: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    read = type(model).read

    def counted(opened: Model, photo: bytes | Path) -> Photo:
        seen.append("read")
        return read(opened, photo)

    monkeypatch.setattr(type(model), "read", counted)
    flip(index / "descriptors/00001.h5", 3000)
    repair_index(index, lambda: model)
    assert len(seen) == 3


@pytest.mark.parametrize("name", ["index.faiss", "descriptors.h5"])
def test_what_follows_from_the_shards_needs_no_photos(index: Path, name: str) -> None:
    before = open_index(index)
    rows = np.concatenate(list(before.descriptors().chunks()))
    hits = [before.search(row, 10) for row in rows]
    (index / name).unlink()
    assert verify_index(index).problems == [(name, "is missing")]

    assert repair_index(index, _no_model).repaired == [name]

    after = open_index(index)
    assert [after.search(row, 10) for row in rows] == hits
    assert after.count == 10


def test_what_cannot_be_made_again_is_told(index: Path, model: Model) -> None:
    flip(index / "descriptors/00000.h5", 3000)
    flip(index / "descriptors/00002.h5", 3000)
    flip(index / "thumbnails/00002.h5", 3000)
    place = open_source(_photos(index)).photos[2]
    content = place.path.read_bytes()
    place.path.unlink()
    try:
        report = repair_index(index, lambda: model)
    finally:
        place.path.write_bytes(content)
    assert report.whole
    assert [name for name, _ in report.lost] == ["descriptors/00002.h5", "02.jpg"]
    assert open_index(index).place_ids.tolist() == [0, 1, 3, 4, 6, 7]


def test_a_place_is_made_again_from_its_own_photo_alone(
    tmp_path: Path, render: Callable[..., Path], model: Model
) -> None:
    """Names were swapped, one photo was replaced by another, and one got a new name."""
    photos, index = tmp_path / "photos", tmp_path / "index"
    for number in range(8):
        render(photos / f"p{number:02d}.jpg", number, position=Position(10.0 + number, 20.0))
    build_index(open_source(photos), index, model, photos_per_shard=6)
    for place in range(6):
        edit_place(index, place, {"name": f"said of {place}"})
    remove_places(index, [5])
    render(photos / "p00.jpg", 50, position=Position(50.0, 20.0))
    for old, new in (("p01", "other"), ("p02", "p01"), ("other", "p02"), ("p04", "p04 b")):
        (photos / f"{old}.jpg").rename(photos / f"{new}.jpg")
    flip(index / "descriptors/00000.h5", 3000)

    report = repair_index(index, lambda: model)

    assert report.whole
    assert [name for name, _ in report.lost] == ["p00.jpg", "p04.jpg"]
    assert "sync" in report.lost[0].reason
    opened = open_index(index)
    assert [place.place_id for place in opened.places()] == [1, 2, 3, 6, 7]
    assert [opened.place(place).path.name for place in (1, 2, 3)] == [
        "p02.jpg",
        "p01.jpg",
        "p03.jpg",
    ]
    assert [opened.place(place).name for place in (1, 2)] == ["said of 1", "said of 2"]
    assert [opened.positions[row, 0] for row in range(3)] == [11, 12, 13]

    synced = sync_photos(index, open_source(photos), model)

    assert (synced.added, synced.removed, synced.unchanged) == (2, 0, 5)
    replaced, renamed = list(open_index(index).places())[-2:]
    if replaced.path.name != "p00.jpg":
        replaced, renamed = renamed, replaced
    assert (replaced.position, replaced.name) == (Position(50.0, 20.0), "said of 0")
    assert renamed.path.name == "p04 b.jpg"


def test_an_index_whose_photos_are_all_others_is_told(
    photos: Path, tmp_path: Path, render: Callable[..., Path], model: Model
) -> None:
    index = tmp_path / "index"
    build_index(open_source(photos), index, model)
    for number, photo in enumerate(open_source(photos).photos):
        render(photo.path, 50 + number)
    flip(index / "descriptors/00000.h5", 3000)
    with pytest.raises(IndexFormatError, match="cannot be repaired: the photos have changed"):
        repair_index(index, _no_model)


def test_an_index_of_which_nothing_is_left_is_told(index: Path) -> None:
    for path in index.glob("*/*.h5"):
        flip(path, 3000)
    with pytest.raises(IndexFormatError, match="cannot be repaired: the lists of all its places"):
        repair_index(index, _no_model)


def _photos(index: Path) -> Path:
    return Path(read_manifest(index).source["root"])


def test_another_model_cannot_repair(index: Path, blocks: ModuleType) -> None:
    flip(index / "descriptors/00000.h5", 3000)
    with pytest.raises(ModelMismatchError, match="was made with model 'blocks-0'"):
        repair_index(index, lambda: blocks.block_model(weights="1"))
    assert [file for file, _ in verify_index(index).problems] == ["descriptors/00000.h5"]


def test_files_that_do_not_belong_together_are_found(
    index: Path, sound: Path, model: Model, tmp_path: Path
) -> None:
    """Every file is what its checksum says, but the vector store is another index's."""
    photos = _photos(index)
    others = tmp_path / "others"
    others.mkdir()
    for photo in photos.iterdir():
        shutil.copy(photo, others)
    shutil.copy(photos / "00.jpg", others / "11.jpg")
    (others / "03.jpg").write_bytes(b"no photo")  # so there is no place 3
    build_index(open_source(others), tmp_path / "other", model, photos_per_shard=4, store="rabitq")
    shutil.copy(tmp_path / "other" / "index.faiss", index / "index.faiss")
    manifest = read_manifest(index)
    stamp = FileStamp(sha256_of(index / "index.faiss"), (index / "index.faiss").stat().st_size)
    replace(manifest, files={**manifest.files, "index.faiss": stamp}).write(index)

    problems = verify_index(index).problems
    assert {file for file, _ in problems} == {"index.faiss"}
    assert "does not fit the shards" in problems[0].what
    assert repair_index(index, _no_model).whole
    assert verify_index(index).problems == []
