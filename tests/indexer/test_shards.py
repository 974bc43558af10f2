"""What shards hold, that the same rows give the same bytes, and the joined view of them."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from place_search.core.geodesy import Position, Utm
from place_search.indexer import IndexFormatError
from place_search.indexer.storage.array_file import ArrayFile
from place_search.indexer.storage.shard_reader import ShardRows
from place_search.indexer.storage.shards import Row, joined_image, shard_image, thumbnails_image


def _row(place_id: int, grid: tuple[int, int] = (2, 3), **changes: object) -> Row:
    rng = np.random.default_rng(place_id)
    cells = grid[0] * grid[1]
    fields: dict[str, object] = {
        "place_id": place_id,
        "name": f"{place_id}.jpg",
        "path": f"{place_id}.jpg",
        "position": None,
        "utm": None,
        "width": 640,
        "height": 480,
        "size": 1234,
        "mtime_ns": 1_700_000_000_000_000_000 + place_id,
        "content": bytes(rng.integers(0, 256, 32, dtype=np.uint8)),
        "descriptor": rng.standard_normal(8).astype(np.float32),
        "codes": rng.integers(1, 256, (cells, 2), dtype=np.uint8),
        "grid": grid,
        "thumbnail": bytes(rng.integers(0, 256, 10 + place_id % 7, dtype=np.uint8)),
    }
    return Row(**{**fields, **changes})  # type: ignore[arg-type]


def _write(path: Path, image: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image)
    return path


def test_a_shard_holds_its_rows(tmp_path: Path) -> None:
    utm = Utm(465000.5, 5243000.0, "32T")
    placed = _row(7, (3, 3), name="Zürich 湖", position=Position(47.3, 8.5), utm=utm)
    bare = _row(9)

    with h5py.File(_write(tmp_path / "s.h5", shard_image([placed, bare], "float32")), "r") as file:
        assert file["descriptors"].dtype == np.float32
        np.testing.assert_array_equal(
            file["descriptors"], np.stack([placed.descriptor, bare.descriptor])
        )
        assert file["cells"].shape == (2, 9, 2)
        np.testing.assert_array_equal(file["cells"][0], placed.codes)
        np.testing.assert_array_equal(file["cells"][1, :6], bare.codes)
        assert not file["cells"][1, 6:].any()
        assert file["grid"][()].tolist() == [[3, 3], [2, 3]]
        assert file["place_id"][()].tolist() == [7, 9]
        assert file["name"].asstr()[()].tolist() == ["Zürich 湖", "9.jpg"]
        assert file["path"].asstr()[()].tolist() == ["7.jpg", "9.jpg"]
        assert file["zone"].asstr()[()].tolist() == ["32T", ""]
        assert file["latitude"][0] == 47.3
        assert file["longitude"][0] == 8.5
        assert file["easting"][0] == 465000.5
        for key in ("latitude", "longitude", "easting", "northing"):
            assert np.isnan(file[key][1])
        assert file["mtime_ns"][1] == bare.mtime_ns
        assert file["place_id"].dtype == np.int64


def test_the_same_rows_give_the_same_bytes() -> None:
    first, again = ([_row(1), _row(2, (4, 1))] for _ in range(2))

    assert shard_image(first, "float32") == shard_image(again, "float32")
    assert thumbnails_image(first) == thumbnails_image(again)
    assert shard_image(first, "float32") != shard_image([_row(1), _row(3, (4, 1))], "float32")


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    shards=st.lists(
        st.lists(
            st.tuples(st.integers(1, 4), st.integers(1, 4), st.text(st.characters(codec="utf-8"))),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, shards: list[list[tuple[int, int, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    rows: list[Row] = []
    names = []
    for number, shard in enumerate(shards):
        part: Sequence[Row] = [
            # HDF5 ends a text of fixed length at its first NUL; no file name has one.
            _row(len(rows) + at, (height, width), name=text.replace("\0", ""))
            for at, (height, width, text) in enumerate(shard)
        ]
        rows += part
        names.append(f"descriptors/{number}.h5")
        _write(folder / names[-1], shard_image(part, "float32"))
    files = [ArrayFile(folder / name) for name in names]
    read = ShardRows(files)
    everything = np.stack([row.descriptor for row in rows])

    assert read.shape == everything.shape == (len(read), 8)
    np.testing.assert_array_equal(np.concatenate(list(read.chunks(3))), everything)
    some = np.random.default_rng(0).integers(0, len(rows), 5)
    np.testing.assert_array_equal(read.take(some), everything[some])

    _write(folder / "descriptors.h5", joined_image(folder, names, np.arange(len(rows)) == 0))
    moved = folder.rename(tmp_path_factory.mktemp("moved") / "index")
    with h5py.File(moved / "descriptors.h5", "r") as joined:
        np.testing.assert_array_equal(joined["descriptors"], everything)
        assert joined["name"].asstr()[()].tolist() == [row.name for row in rows]
        assert joined["removed"][()].tolist() == [1] + [0] * (len(rows) - 1)
        assert joined["grid"][()].tolist() == [list(row.grid) for row in rows]
        for row, cells in zip(rows, joined["cells"], strict=True):
            np.testing.assert_array_equal(cells[: len(row.codes)], row.codes)
            assert not cells[len(row.codes) :].any()


def test_a_shard_cut_short_is_an_error_not_a_crash(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.h5", shard_image([_row(number) for number in range(50)], "float32"))
    rows = ShardRows([ArrayFile(path)])
    with path.open("r+b") as stream:
        stream.truncate(1000)

    with pytest.raises(IndexFormatError, match=r"s\.h5 is missing or damaged"):
        rows.take(np.array([40]))
    with pytest.raises(IndexFormatError, match=r"s\.h5 is missing or damaged"):
        ArrayFile(path).shape("descriptors")
