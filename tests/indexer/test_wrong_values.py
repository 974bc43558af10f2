"""Values of NumPy work as those of Python; values that mean nothing are refused in one sentence."""

import copy
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from place_search.core.errors import PlaceSearchError, WrongParameterError
from place_search.indexer import (
    Index,
    ModelMismatchError,
    UnknownPlaceError,
    build_index,
    declare_fields,
    edit_place,
    open_index,
    open_source,
    remove_places,
    restore_places,
    sync_photos,
    verify_index,
)
from place_search.indexer.sources.at_names import read_photo_list
from place_search.indexer.sources.kept_views import views_folder
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.models import Model


@pytest.mark.parametrize("place_id", [None, True, 1.0, [1], np.array([1]), "1"], ids=repr)
def test_what_is_no_id_is_no_place(index: Index, built: Path, place_id: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: index.place(place_id),
        lambda: index.row_of(place_id),
        lambda: index.thumbnail(place_id),
        lambda: index.codes(place_id),
        lambda: edit_place(built, place_id, {"note": "closed"}),
    ]
    for call in calls:
        with pytest.raises(UnknownPlaceError, match="is a whole number, not"):
            call()


def test_ids_of_numpy_are_ids(built: Path) -> None:
    for place_id in open_index(built).place_ids[1:3]:
        edit_place(built, place_id, {"note": f"{place_id}"})
    index = open_index(built)
    assert [index.place(place_id).note for place_id in index.place_ids[:3]] == ["", "1", "2"]
    remove_places(built, index.place_ids[1:3])
    assert restore_places(built, index.place_ids[1:3]).added == 2


@pytest.mark.parametrize("places", [1, None, "1", b"\x01", [1.0], [True], ["1.jpg"]], ids=repr)
def test_only_a_list_of_ids_is_restored(built: Path, places: Any) -> None:
    with pytest.raises(UnknownPlaceError, match=r"list of ids, such as \[12, 13\], not .*restored"):
        restore_places(built, places)


def test_fields_and_positions_take_numbers_of_numpy(built: Path) -> None:
    declare_fields(built, {"floor": "number", "lift": "boolean"})
    fields = {"floor": np.float32(2), "lift": np.True_}
    position = {"latitude": np.float32(48), "longitude": np.int64(11)}
    edit_place(built, 1, {"fields": fields, "position": position})
    place = open_index(built).place(1)
    assert dict(place.fields) == {"floor": 2.0, "lift": True}
    assert place.position == (48.0, 11.0)


@pytest.mark.parametrize(
    "rows",
    [[-1], [40], [0.5], np.ones(40, bool), slice(0, 2), [[0]], None],
    ids=["-1", "40", "half", "mask", "slice", "nested", "none"],
)
def test_rows_that_are_not_there_are_no_damage(index: Index, rows: Any) -> None:
    with pytest.raises(WrongParameterError, match="the numbers of rows from 0 to 39"):
        index.descriptors().take(rows)


@pytest.mark.parametrize("rows", [[], [3, 1], np.array([39], np.uint8)], ids=repr)
def test_rows_may_be_a_list(index: Index, rows: list[int]) -> None:
    whole = np.concatenate(list(index.descriptors().chunks()))
    np.testing.assert_array_equal(index.descriptors().take(rows), whole[[*rows]])


def test_numpy_reads_all_descriptors(built: Path) -> None:
    """It made an array of one object of them."""
    remove_places(built, [1])
    index = open_index(built)
    whole = np.asarray(index.descriptors())
    assert whole.shape == (len(index), index.dims)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole[1], index.descriptors().take([1])[0])
    assert np.asarray(index.descriptors(), np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="is a copy"):
        np.array(index.descriptors(), copy=False)


def test_columns_of_an_index_stay_as_they_are(index: Index) -> None:
    """A script that centred the positions in place searched around points off the Earth."""
    for column in (index.positions, index.place_ids, index.taken):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


@pytest.mark.parametrize(
    "value", [1j, np.datetime64(1, "s"), "1", 1e30, 1e300, None], ids=lambda value: f"{value!r}"
)
def test_a_descriptor_is_of_finite_numbers(index: Index, value: Any) -> None:
    """Texts and times are no numbers, though NumPy reads them as such; nor is a warning enough."""
    with pytest.raises(ModelMismatchError, match=r"not finite|is 96 numbers, not"):
        index.search(np.full(index.dims, value), 1)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
def test_an_index_is_not_copied_with_the_numbers_of_its_files(
    built: Path, copied: Callable[[object], object]
) -> None:
    """Another process, or this one later, has other files under these numbers."""
    index = open_index(built)
    for opened in (index, index.descriptors()):
        with pytest.raises(PlaceSearchError, match="open it there"):
            copied(opened)


def test_the_root_folder_has_neighbours_too() -> None:
    """`Path.with_name` raises for a folder without a name."""
    assert views_folder(Path("/")).parent == Path("/-views")
    assert KeptPhotos(Path("/")).folder == Path("/-photos")
    assert read_photo_list(Path("/")) is None


def test_a_photo_from_a_wrong_clock_is_a_place(photos: Path, tmp_path: Path, model: Model) -> None:
    """64 bits of nanoseconds end in 2262; ext4 and tmpfs hold later times."""
    late = 13_600_000_000 * 10**9
    os.utime(photos / "p01.jpg", ns=(late, late))
    if (photos / "p01.jpg").stat().st_mtime_ns != late:
        pytest.skip("this file system holds no such time")
    index = tmp_path / "index"
    assert build_index(open_source(photos), index, model).places == 11
    shutil.copy(photos / "p01.jpg", photos / "copy.jpg")
    os.utime(photos / "copy.jpg", ns=(late, late))
    report = sync_photos(index, open_source(photos), model)
    assert (report.added, report.copied, report.unchanged) == (1, 1, 11)
    assert verify_index(index).problems == []
