"""Opening and reading an index, and every way in which it may be damaged."""

import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from place_search.core.errors import WrongParameterError
from place_search.indexer import (
    Index,
    IndexFormatError,
    IndexReadError,
    ModelMismatchError,
    UnknownPlaceError,
    build_index,
    open_index,
    open_source,
)
from place_search.indexer.storage.manifest import with_checksum
from place_search.indexer.stores.vectors import exact_search
from place_search.models import Model, encode_features
from tests.waiting import wait_until


def test_what_an_index_says_of_itself(index: Index, model: Model) -> None:
    assert (len(index), index.count, index.dims) == (40, 40, 96)
    assert (index.model_id, index.fingerprint) == ("blocks-0", model.fingerprint)
    assert index.place_ids.tolist() == list(range(40))
    assert index.positions.shape == (40, 2)
    np.testing.assert_array_equal(np.isnan(index.positions[:, 0]), np.arange(40) % 4 == 0)
    index.check_model(model)


def test_places(index: Index, model: Model) -> None:
    place = index.place(13)
    assert place.name == "13.jpg"
    assert place.path.is_file()
    assert place.position == pytest.approx((47.0, 1.3))
    assert place.utm is not None
    assert place.utm.zone == "31T"
    assert index.place(12).position is None
    assert index.place(12).utm is None
    assert list(index.places())[13] == place
    for unknown in (-1, 40, 10**12):
        with pytest.raises(UnknownPlaceError, match=f"There is no place {unknown} in this index"):
            index.place(unknown)


def test_the_usual_place_has_the_commonest_shape(tmp_path: Path, model: Model) -> None:
    (tmp_path / "photos").mkdir()
    # Of one shape, whatever their size.
    for number, size in enumerate([(120, 160), (160, 120), (320, 240), (200, 200)]):
        Image.new("RGB", size, (90, 40 * number, 20)).save(tmp_path / "photos" / f"{number}.png")
    build_index(open_source(tmp_path / "photos"), tmp_path / "index", model)
    assert open_index(tmp_path / "index").usual_place() == 1


def test_thumbnails_and_cells(index: Index, model: Model) -> None:
    for place in index.places():
        photo = model.read(place.path)
        with Image.open(io.BytesIO(index.thumbnail(place.place_id))) as thumbnail:
            shown = np.asarray(thumbnail.convert("RGB"), dtype=np.float32)
        assert np.abs(shown - photo.pixels).mean() < 3
        codes, grid = index.codes(place.place_id)
        cells = model.embed(photo).require_local_features()
        assert grid == cells.shape[:2]
        np.testing.assert_array_equal(codes, encode_features(cells))
    with pytest.raises(UnknownPlaceError):
        index.thumbnail(40)
    with pytest.raises(UnknownPlaceError):
        index.codes(-1)


def test_searching(index: Index) -> None:
    rows = np.concatenate(list(index.descriptors().chunks()))
    ids, cosines = exact_search(index.descriptors(), rows, 5)
    for row, expected, similarities in zip(rows, ids, cosines, strict=True):
        hits = index.search(row * 3, 5)
        assert [hit.place_id for hit in hits] == expected.tolist()
        assert [hit.similarity for hit in hits] == pytest.approx(similarities.tolist(), abs=1e-5)
    only = np.array([3, 17, 99])
    assert {hit.place_id for hit in index.search(rows[0], 10, only=only)} == {3, 17}
    assert index.search(rows[0], 10, only=np.array([], np.int64)) == []
    assert len(index.search(rows[0], 100)) == 40
    assert index.search(rows[0], 0) == []
    assert index.search(rows[0].tolist(), 5) == index.search(rows[0], 5)
    for few in ([3, 17, 99], {3, 17}, (3, np.int64(17)), iter([17, 3]), np.array([3, 17], "u1")):
        assert {hit.place_id for hit in index.search(rows[0], 10, only=few)} == {3, 17}
    assert index.search(rows[0], 10, only=[]) == []
    assert index.search(np.zeros(96, np.float32), 2)[0].similarity == 0


def test_a_descriptor_or_model_of_another_kind(index: Index, blocks: ModuleType) -> None:
    for wrong in (np.ones(7, np.float32), [1.0] * 7):
        with pytest.raises(
            ModelMismatchError, match=r"of shape \(7,\) does not fit an index of 96"
        ):
            index.search(wrong, 5)
    for words in ("words", [[1.0], [1.0, 2.0]]):
        with pytest.raises(ModelMismatchError, match="A descriptor is 96 numbers, not "):
            index.search(words, 5)
    with pytest.raises(ModelMismatchError, match=r"made with model 'blocks-0' .* 'blocks-1'"):
        index.check_model(blocks.block_model(weights="1"))


def test_a_mask_is_no_list_of_ids(index: Index) -> None:
    query = np.ones(96)
    mask = index.place_ids > 30
    others: list[Any] = [mask, mask.tolist(), [1.5], ["1"], [[1]], [[1], []], np.array(1), 1]
    for only in others:
        with pytest.raises(
            WrongParameterError, match=r"must be the ids of places; those of a mask"
        ):
            index.search(query, 5, only=only)
    hits = index.search(query, 50, only=index.place_ids[mask])
    assert {hit.place_id for hit in hits} == set(range(31, 40))
    wrong: list[Any] = ["3", 2.5, True, -1, None]
    for k in wrong:
        with pytest.raises(WrongParameterError, match="but it must be a whole number from 0"):
            index.search(query, k)


def test_many_threads_read_one_index(index: Index) -> None:
    rows = np.concatenate(list(index.descriptors().chunks()))

    def read(place_id: int) -> tuple[object, ...]:
        hits = index.search(rows[place_id], 5)
        codes = index.codes(place_id)[0].tobytes()
        return hits, index.thumbnail(place_id), codes, index.place(place_id)

    alone = [read(place_id) for place_id in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, list(range(40)) * 5)) == alone * 5


def test_opening_is_quick(index: Index) -> None:
    def opens_at_once() -> bool:
        started = time.perf_counter()
        open_index(index.folder)
        return time.perf_counter() - started < 0.3

    wait_until(opens_at_once, "it always takes long")


def test_an_index_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name, message in (("nowhere", "does not exist"), ("empty", "holds no index")):
        with pytest.raises(IndexFormatError, match=f"{message}; make one with `place-search index"):
            open_index(tmp_path / name)
    with pytest.raises(IndexFormatError, match="is a file; name the folder of an index"):
        open_index(tmp_path / "file")


def _manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "manifest.json"
        table = json.loads(path.read_text())
        del table["sha256"]
        change(table)
        path.write_bytes(with_checksum(table))

    return damage


def _flip(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 4
        (folder / name).write_bytes(content)

    return damage


def _cut(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut("manifest.json"), r"manifest\.json is damaged; make the index again"),
        (
            lambda folder: (folder / "manifest.json").write_text("[" * 100_000),
            r"manifest\.json is damaged; make the index again",
        ),
        (lambda folder: (folder / "manifest.json").unlink(), "holds no index; make one"),
        (_manifest(lambda m: m.update(format="something")), "holds no place-search index"),
        (
            _manifest(lambda m: m.update(format_version=4)),
            r"newer place-search \(format 4, this one reads up to 3\); upgrade",
        ),
        (_manifest(lambda m: m.pop("files")), "is damaged"),
        (_manifest(lambda m: m["files"].pop("index.faiss")), "is damaged"),
        (_manifest(lambda m: m["files"].pop("thumbnails/00002.h5")), "is damaged"),
        (
            _manifest(lambda m: m["files"].update({"../x": {"sha256": "", "bytes": 1}})),
            "is damaged",
        ),
        (_manifest(lambda m: m.update(index_id="../../x")), "is damaged"),
        (_manifest(lambda m: m["counts"].update(places=7)), "its places do not fit its manifest"),
        (_manifest(lambda m: m["store"].update(engine="x")), "a vector store that this version"),
        (_flip("index.faiss"), r"index\.faiss is missing or damaged; `place-search verify"),
        (_flip("descriptors.h5"), r"descriptors\.h5 is missing or damaged"),
        (_cut("descriptors/00003.h5"), r"descriptors/00003\.h5 is missing or damaged"),
        (_cut("thumbnails/00003.h5"), r"thumbnails/00003\.h5 is missing or damaged"),
        (
            lambda folder: (folder / "descriptors" / "00001.h5").unlink(),
            r"descriptors/00001\.h5 is missing or damaged",
        ),
    ],
)
def test_damaged_indexes_do_not_open(
    index: Index, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "index"
    shutil.copytree(index.folder, folder)
    assert open_index(folder).index_id == index.index_id
    damage(folder)

    with pytest.raises(IndexFormatError, match=message):
        open_index(folder)


def test_a_manifest_that_may_not_be_read(unprivileged: Path) -> None:
    (unprivileged / "manifest.json").touch(mode=0)

    with pytest.raises(IndexReadError, match="may not be read; check its permissions"):
        open_index(unprivileged)


OPEN_WITH_FEW_FILES = """
import resource, sys
from pathlib import Path
from place_search.indexer import IndexReadError, open_index
hardest = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16 if sys.argv[2] == "hard" else hardest))
try:
    index = open_index(Path(sys.argv[1]))
except IndexReadError as error:
    print(error)
else:
    print([place.name for place in index.places()], len(index.thumbnail(0)) > 0)
"""


@pytest.mark.slow
def test_an_index_of_more_shards_than_files_may_be_open(
    photos: Path, tmp_path: Path, model: Model
) -> None:
    """Two files a shard: a soft limit is raised, and a hard one is not taken for damage."""
    folder = tmp_path / "index"
    build_index(open_source(photos), folder, model, photos_per_shard=1)

    def opened(limit: str) -> str:
        command = [sys.executable, "-c", OPEN_WITH_FEW_FILES, str(folder), limit]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    names = [place.name for place in open_index(folder).places()]
    assert len(names) == 11
    assert opened("soft") == f"{names} True\n"
    message = opened("hard")
    assert message.endswith(
        ".h5 cannot be opened beside all other files of the index; allow this process more of "
        "them (`ulimit -n`).\n"
    )
