"""`place-search track` and `place_search.track`."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import Result

import place_search
from place_search.core.errors import PlaceSearchError
from place_search.search.tracks import track_files
from tests.rendered import rendered_place

Run = Callable[..., Result]
CheckFailure = Callable[[Result], str]


PLACES = 8
BACK = [f"places/{place}.jpg" for place in reversed(range(PLACES))]


def photo(place: int) -> Image.Image:
    """A picture of a place: 480 × 360."""
    return rendered_place(place, (480, 360))


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of places in a row, and frames of a way back along them."""
    root = tmp_path_factory.mktemp("walk")
    for folder in ("places", "frames"):
        (root / folder).mkdir()
    rows = ["path,latitude,longitude"]
    for place in range(PLACES):
        photo(place).save(root / "places" / f"{place}.jpg", quality=90)
        rows.append(f"places/{place}.jpg,48.00{place},11.5")
        crop = photo(place).crop((10, 10, 470, 350))
        crop.save(root / "frames" / f"{PLACES - 1 - place}.jpg", quality=80)
    (root / "places.csv").write_text("\n".join(rows))
    place_search.index(root / "places.csv", root / "index")
    return root


def test_a_walk_is_written_as_a_table(run: Run, walk: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.csv"
    result = run("track", walk / "index", walk / "frames", "--out", out)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"8 frames: 8 at known places, 0 off them. Written to {out}.\n"
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["place"] for row in rows] == BACK
    assert [file.name for file in tmp_path.iterdir()] == ["walk.csv"]


def test_counts_are_printed_as_json(run: Run, walk: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.geojson"
    result = run("track", walk / "index", walk / "frames", "--out", out, "--causal", "--json")
    told = json.loads(result.stdout)
    assert told == {"frames": 8, "known": 8, "off": 0, "notes": [], "out": str(out)}
    assert json.loads(out.read_text())["type"] == "FeatureCollection"


def test_what_cannot_be_tracked_is_said_in_a_sentence(
    run: Run, check_failure: CheckFailure, walk: Path, tmp_path: Path
) -> None:
    index, frames = walk / "index", walk / "frames"
    out = tmp_path / "o.csv"
    assert run("track", index, frames, "--out", tmp_path / "o.xls").exit_code != 0
    assert run("track", index, frames, "--out", out, "--fps", "2", "--every", "2").exit_code == 2
    told = check_failure(run("track", frames, index, "--out", out))
    assert "is an index and" in told
    told = check_failure(run("track", index, frames, "--out", out, "--fps", "2"))
    assert "is no video" in told
    told = check_failure(run("track", index, tmp_path / "none.mp4", "--out", out))
    assert "does not exist" in told
    told = check_failure(run("track", index, frames, "--out", tmp_path / "no" / "o.csv"))
    assert "name a file in a folder that exists" in told


def test_python_gives_the_frames(walk: Path, tmp_path: Path) -> None:
    seen: set[str] = set()
    track = place_search.track(
        walk / "index",
        walk / "frames",
        out=tmp_path / "walk.json",
        progress=lambda stage, done, total: seen.add(stage),
    )
    assert seen == {"Describing", "Tracking"}
    assert json.loads((tmp_path / "walk.json").read_text()) == track.to_dict()
    middle = track.frames[4]
    assert middle.place == "places/3.jpg"
    assert middle.heading == pytest.approx(180, abs=1)
    with pytest.raises(PlaceSearchError, match="Give one of fps and every"):
        place_search.track(walk / "index", walk / "frames", fps=1, every=2)


@pytest.mark.slow
def test_descriptors_are_kept_until_the_video_is_written(
    run: Run, walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    arguments = ("track", walk / "index", walk / "frames", "--out", tmp_path / "walk.mp4")
    with monkeypatch.context() as patched:
        patched.setattr(track_files, "write_video", stop)
        result = run(*arguments)
    kept = tmp_path / ".walk.mp4.frames"
    assert f"{kept.name} keeps what was described" in "".join(result.stderr.split("\n"))
    assert [*tmp_path.iterdir()] == [kept]
    assert run(*arguments).exit_code == 0
    assert [file.name for file in tmp_path.iterdir()] == ["walk.mp4"]


@pytest.mark.slow
def test_a_video_of_the_walk_beside_its_places(walk: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    place_search.track(walk / "index", walk / "frames", out=tmp_path / "walk.mp4")
    again = place_search.track(walk / "index", tmp_path / "walk.mp4", every=1)
    assert len(again.frames) == PLACES


@pytest.mark.parametrize("causal", [False, True])
def test_the_first_frame_may_be_unreadable(walk: Path, tmp_path: Path, causal: bool) -> None:
    (tmp_path / "0.jpg").write_bytes(b"no photo")
    for frame in (1, 2):
        (tmp_path / f"{frame}.jpg").write_bytes((walk / "frames" / f"{frame}.jpg").read_bytes())
    told = place_search.track(walk / "index", tmp_path, causal=causal)
    assert [frame.error is None for frame in told.frames] == [False, True, True]
    assert not told.frames[0].known or not causal
    assert told.frames[2].place == BACK[2]


def test_frames_of_which_none_can_be_read(
    run: Run, walk: Path, check_failure: CheckFailure, tmp_path: Path
) -> None:
    (tmp_path / "0.jpg").write_bytes(b"no photo")
    out = tmp_path / "track.csv"
    said = check_failure(run("track", walk / "index", tmp_path, "--out", out))
    assert said.startswith("None of the frames can be read: ")
    assert not out.exists()


@pytest.mark.slow
def test_an_empty_map_is_told(run: Run, walk: Path, tmp_path: Path) -> None:
    place_search.index(walk / "places", tmp_path / "index")  # without the list of positions
    written = [
        (["track", tmp_path / "index", walk / "frames"], ("gpx", "geojson"), ("csv",)),
        (["search", tmp_path / "index", walk / "frames"], ("geojson",), ("csv", "jsonl")),
        (["places", tmp_path / "index"], ("geojson",), ("csv",)),
    ]
    for command, drawn, others in written:
        for ending in drawn + others:
            result = run(*command, "--out", tmp_path / f"{command[0]}.{ending}")
            assert result.exit_code == 0
            told = f"nothing on the map of {command[0]}.{ending}" in result.stderr
            assert told == (ending in drawn)
    result = run("places", walk / "index", "--out", tmp_path / "placed.geojson")
    assert not result.stderr


@pytest.mark.slow
def test_metres_of_no_zone_are_no_positions_and_that_is_noted(walk: Path, tmp_path: Path) -> None:
    rows = [f"{walk / 'places' / f'{place}.jpg'},{100 * place},0" for place in range(PLACES)]
    (tmp_path / "metres.csv").write_text("\n".join(["path,easting,northing", *rows]))
    place_search.index(tmp_path / "metres.csv", tmp_path / "index")
    track = place_search.track(tmp_path / "index", walk / "frames")
    assert any(frame.known for frame in track.frames)
    assert {(frame.position, frame.heading) for frame in track.frames} == {(None, None)}
    assert any("metres of no UTM zone" in note for note in track.notes)
