"""What people said of places follows the content of the photos, and their paths under one root."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from place_search.indexer import (
    Groups,
    Source,
    add_photos,
    build_index,
    change_groups,
    edit_place,
    open_source,
    sync_photos,
)
from place_search.models import Model
from tests.indexer.conftest import Render
from tests.indexer.whole import whole


def shifted(folder: Path) -> None:
    """The last one takes the name of a photo that is there."""
    for number in range(6, 1, -1):
        (folder / f"p{number:02d}.jpg").rename(folder / f"p{number + 1:02d}.jpg")


def swapped(folder: Path) -> None:
    (folder / "p02.jpg").rename(folder / "p")
    (folder / "p03.jpg").rename(folder / "p02.jpg")
    (folder / "p").rename(folder / "p03.jpg")


def shifted_over_one(folder: Path) -> None:
    (folder / "p04.jpg").unlink()
    for number in (3, 2):
        (folder / f"p{number:02d}.jpg").rename(folder / f"p{number + 1:02d}.jpg")


def deleted_and_renumbered(folder: Path) -> None:
    (folder / "p02.jpg").unlink()
    for number in (3, 4):
        (folder / f"p{number:02d}.jpg").rename(folder / f"p{number - 1:02d}.jpg")


def anew(folder: Path, source: Source, model: Model) -> None:
    build_index(source, folder, model)


def overwritten_by_a_copy(folder: Path) -> None:
    shutil.copyfile(folder / "p02.jpg", folder / "p03.jpg")


@pytest.mark.parametrize(
    ("update", "change", "place_count"),
    [
        (sync_photos, shifted, 10),
        (sync_photos, shifted_over_one, 10),
        (sync_photos, swapped, 11),
        (add_photos, swapped, 11),
        (sync_photos, overwritten_by_a_copy, 11),
        (add_photos, overwritten_by_a_copy, 11),
        (sync_photos, deleted_and_renumbered, 10),
        (anew, shifted, 10),
        (anew, shifted_over_one, 10),
        (anew, swapped, 11),
        (anew, deleted_and_renumbered, 10),
    ],
)
def test_what_was_said_follows_a_photo_whose_name_another_one_took(
    built: Path, photos: Path, model: Model, update: Any, change: Any, place_count: int
) -> None:
    contents = {}
    for place in whole(built).places():
        edit_place(built, place.place_id, {"note": place.path.name})
        contents[place.path.read_bytes()] = place.path.name
    change(photos)
    update(built, open_source(photos), model)
    places = list(whole(built).places())
    paths = [place.path for place in places]
    assert len(set(paths)) == len(paths), "one place a path"
    place_of_file = {place.path.name: place for place in places if place.path.exists()}
    if change is overwritten_by_a_copy:
        assert place_of_file["p02.jpg"].note == "p02.jpg"
        assert place_of_file["p03.jpg"].note == "p03.jpg", "changed in its place"
        return
    notes = {name: place.note for name, place in place_of_file.items()}
    assert notes == {
        name: contents[place.path.read_bytes()] for name, place in place_of_file.items()
    }
    assert len(notes) == place_count


@pytest.mark.parametrize("update", [sync_photos, anew])
def test_what_was_said_never_goes_to_the_same_name_in_another_folder(
    built: Path, photos: Path, tmp_path: Path, model: Model, render: Render, update: Any
) -> None:
    edit_place(built, 1, {"note": "town hall"})
    edit_place(built, 3, {"note": "in both"})
    pair = np.array([2, 4])
    is_held = np.array([True, True])
    change_groups(built, lambda _: Groups(pair, np.array([2, 2]), is_held, names={2: "bridge"}))
    paths = {number: whole(built).place(number).path for number in range(5)}
    harbour = tmp_path / "harbour"
    for number, path in paths.items():
        render(harbour / path.relative_to(photos), 60 + number)
    shutil.copyfile(paths[3], harbour / "other.jpg")
    update(built, open_source(harbour), model)
    index = whole(built)
    notes = {place.path.name: place.note for place in index.places()}
    assert {name for name, note in notes.items() if note} == {"other.jpg"}
    assert not index.groups.only(index.place_ids).held.any()
