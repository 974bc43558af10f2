"""`place_search.add_photo`: photos that are in no folder, kept as a server keeps them."""

import errno
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import place_search
from place_search.core.errors import PlaceSearchError
from place_search.indexer.storage.lock import lock
from tests.panoramas import gpano, scene, sizes
from tests.panoramas import photo as photo_with
from tests.place_search.conftest import photo


@pytest.fixture
def town(photos: Path, tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "0.jpg").write_bytes((photos / "places" / "0.jpg").read_bytes())
    place_search.index(tmp_path / "photos", tmp_path / "town")
    return tmp_path / "town"


def png(number: int) -> bytes:
    out = io.BytesIO()
    photo(number).save(out, "png")
    return out.getvalue()


@pytest.mark.slow
def test_a_photo_in_memory_is_a_place(town: Path, tmp_path: Path) -> None:
    model = place_search.open_model()
    place = place_search.add_photo(
        town, io.BytesIO(png(2)), position=(48.1, 11.5), name="Gate", model=model
    )
    assert (place.place_id, place.name, place.position) == (1, "Gate", (48.1, 11.5))
    assert place.path.parent == tmp_path / "town-photos"
    with Image.open(place.path) as kept:
        assert (kept.format, kept.size) == ("JPEG", (480, 360))
    assert place_search.search(town, png(2), model=model).results[0].name == "Gate"
    again = place_search.add_photo(town, png(2), name="Other", model=model)
    assert (again.place_id, again.name) == (1, "Gate")
    (tmp_path / "3.png").write_bytes(png(3))
    unnamed = place_search.add_photo(town, tmp_path / "3.png", model=model)
    assert (unnamed.name, unnamed.position) == ("3.png", None)
    nameless = place_search.add_photo(town, png(4), model=model)
    assert nameless.name == nameless.path.name
    place_search.sync(town, tmp_path / "photos", model=model)
    assert len(place_search.open_index(town)) == 4
    round_photo = photo_with(scene(1), gpano(**sizes(2048, 1024), PoseHeadingDegrees=30))
    view = place_search.add_photo(town, round_photo, name="Square", model=model)
    index = place_search.open_index(town)
    assert view.name.startswith("Square#heading=")
    assert len(index) == 16
    group = index.groups.of(view.place_id)
    assert group is not None
    assert len(index.groups.members(group)) == 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (b"no photo", {}, "not a photo in a supported format; use JPEG"),
        ("gone.jpg", {}, r"gone.jpg cannot be read \(No such file or directory\)"),
        (Image.new("RGB", (8, 8)), {}, "not of the type Image"),
        (b"-", {"position": (91, 0)}, r"'\(91, 0\)' is no position"),
        (b"-", {"position": (0, 0)}, "position 0,0 stands for one that is not known"),
        (b"-", {"name": "a" * 201}, "The name of a place is up to 200 letters"),
        (b"-", {"panorama": "yes"}, "The parameter panorama is 'yes'"),
    ],
)
def test_what_cannot_be_added(
    town: Path, content: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PlaceSearchError, match=sentence):
        place_search.add_photo(town, content, **options)
    assert len(place_search.open_index(town)) == 1


@pytest.mark.slow
def test_the_reason_is_told_though_servers_do_not(town: Path) -> None:
    (town.parent / "town-photos").write_text("a file")
    with pytest.raises(PlaceSearchError, match=r"town-photos .*\(File exists\)"):
        place_search.add_photo(town, png(2))


@pytest.mark.slow
def test_it_names_the_folder_that_cannot_be_changed(
    town: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = place_search.open_model()
    with lock(town), pytest.raises(PlaceSearchError, match=r"town is being written by process \d"):
        place_search.add_photo(town, png(2), model=model)

    def write(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("place_search.indexer.storage.kept_photos.write_whole", write)
        with pytest.raises(PlaceSearchError, match="town-photos is on a full disk; free some"):
            place_search.add_photo(town, png(2), model=model)
    assert place_search.add_photo(town, png(2), model=model).place_id == 1
