"""An index that is closed: what it lets go of, and what it says afterwards."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from place_search.core.errors import PlaceSearchError
from place_search.indexer import Index, build_index, open_index, open_source, parse_filter
from place_search.models import Model
from place_search.search.engine import Engine


def open_files(folder: Path) -> list[str]:
    descriptors = Path("/proc/self/fd")
    paths = [str(entry.readlink()) for entry in list(descriptors.iterdir()) if entry.is_symlink()]
    return [path for path in paths if path.startswith(str(folder))]


@pytest.mark.parametrize("store", ["exact", "hnsw-sq8"])
def test_its_files_go_at_once(photos: Path, tmp_path: Path, model: Model, store: str) -> None:
    folder = tmp_path / "index"
    build_index(open_source(photos), folder, model, photos_per_shard=4, store=store)
    gc.disable()  # what only a collection frees would count as kept
    try:
        with open_index(folder) as index:
            engine = Engine(index, model)
            answer = engine.search(photos / "p01.jpg", k=3, verify=True)
            index.ordered("name", parse_filter(index.edits))
            assert index.thumbnail(0)
            assert len(open_files(folder)) == 6  # three shards, and their thumbnails
            held: Any = weakref.ref(index._store)
            assert held() is not None
        assert open_files(folder) == []
        assert held() is None
    finally:
        gc.enable()
    assert answer.results[0].name == "p01.jpg"
    index.close()  # once more does nothing


@pytest.mark.parametrize(
    "use",
    [
        len,
        lambda index: list(index.places()),
        lambda index: index.search(np.ones(96), 1),
        lambda index: index.descriptors(),
        lambda index: index.positions,
        lambda index: index.groups,
        lambda index: index.thumbnail(0),
        lambda index: index.__enter__(),
    ],
)
def test_a_closed_index_says_so(built: Path, use: Callable[[Index], object]) -> None:
    index = open_index(built)
    assert index.positions.shape == (11, 2)
    index.close()
    with pytest.raises(PlaceSearchError, match=r"index .*index was closed; open it again with"):
        use(index)
    assert repr(index).startswith(f"<Index {built}: 11 places, blocks-0")
    assert not hasattr(index, "_repr_html_")


def test_a_search_of_a_closed_index_says_so(built: Path, photos: Path, model: Model) -> None:
    index = open_index(built)
    engine = Engine(index, model)
    index.close()
    with pytest.raises(PlaceSearchError, match="was closed"):
        engine.search(photos / "p01.jpg")


def test_rows_that_were_taken_keep_their_files(built: Path) -> None:
    with open_index(built) as index:
        rows = index.descriptors()
        all_rows = np.asarray(rows)
    np.testing.assert_array_equal(np.asarray(rows), all_rows)
    assert len(open_files(built)) == 3
