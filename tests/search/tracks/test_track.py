"""Tracks of photos among the places of a real index, and what is written of them."""

import csv
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageDraw

from place_search.core.geodesy import Position
from place_search.indexer import (
    Index,
    SourceError,
    build_index,
    edit_place,
    open_index,
    open_source,
)
from place_search.models import Model
from place_search.search.tracks.inputs import PhotoFrames, open_input
from place_search.search.tracks.live import LiveTrack
from place_search.search.tracks.located import locate
from place_search.search.tracks.observer import Observer
from place_search.search.tracks.smoothing import SequenceBreak
from place_search.search.tracks.track import Track, track_frames
from place_search.search.tracks.track_files import write_track

FEW = [1, 2, 3]
NORTHWARDS = [1, 2, 3, 4, 5, 6, 7, 8]


def photos_of(street: Any, folder: Path, places: Sequence[int]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, place in enumerate(places):
        (folder / f"frame_{number}.jpg").write_bytes(street.query(place))
    return folder


def track_of(index: Index, model: Model, frames: Path, **options: Any) -> Track:
    return track_frames(index, model, open_input(frames), frames.parent / "kept", **options)


@pytest.fixture(scope="module")
def walk(
    street: Any, index: Index, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Track:
    """From south to north, and one frame that cannot be read."""
    folder = photos_of(street, tmp_path_factory.mktemp("walk") / "frames", NORTHWARDS)
    (folder / "frame_4.jpg").write_bytes(b"no photo")
    return track_of(index, model, folder)


def test_each_frame_gets_place_position_and_heading(walk: Track, street: Any) -> None:
    for frame, place in zip(walk.frames, NORTHWARDS, strict=True):
        assert frame.known
        assert frame.place == f"{place:02d}.jpg"
        assert frame.position is not None
        assert abs(frame.position.latitude - street.position(place).latitude) < 0.0006
        assert frame.probability > 0.5
    for frame in walk.frames[2:-1]:
        assert frame.heading is not None
        assert min(frame.heading, 360 - frame.heading) < 1


def test_a_heading_just_west_of_north_is_told_as_0(walk: Track) -> None:
    frame = walk.frames[3]
    told = {angle: replace(frame, heading=angle).to_dict()["heading"] for angle in (359.9, 359.96)}
    assert told == {359.9: 359.9, 359.96: 0}


def test_a_frame_that_cannot_be_read_is_placed_by_its_neighbours(walk: Track) -> None:
    broken = walk.frames[4]
    assert broken.error is not None
    assert broken.place == "05.jpg"
    assert any("could not be read" in note for note in walk.notes)


def test_first_frames_that_cannot_be_read_are_placed_by_later_ones(
    street: Any, index: Index, model: Model, tmp_path: Path
) -> None:
    folder = photos_of(street, tmp_path / "frames", NORTHWARDS)
    for number in range(2):
        (folder / f"frame_{number}.jpg").write_bytes(b"no photo")
    track = track_of(index, model, folder)
    assert [frame.place for frame in track.frames] == [f"{place:02d}.jpg" for place in NORTHWARDS]
    assert track.frames[1].probability > 0.8


@pytest.mark.parametrize("causal", [False, True])
def test_frames_that_show_nothing_have_no_place(
    index: Index, model: Model, tmp_path: Path, causal: bool
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (320, 240)).save(folder / f"frame_{number}.jpg")
    track = track_of(index, model, folder, causal=causal)
    assert not any(frame.known for frame in track.frames)
    assert all(frame.place is None and frame.position is None for frame in track.frames)


def test_only_frames_that_show_a_place_say_that_the_camera_stands(index: Index) -> None:
    """A picture that stays may be a view, a covered lens or a card of text."""
    walk = index.descriptors().take(np.arange(1, 6))
    card = -walk.mean(axis=0)
    card /= np.linalg.norm(card)
    observer = Observer(index)
    stands, covered = LiveTrack(observer), LiveTrack(observer)
    for descriptor in walk:
        stands.add(descriptor)
        covered.add(descriptor)
    for _ in range(40):
        at_the_end = locate(observer, stands.add(walk[-1]), 0, "")
        behind_the_card = locate(observer, covered.add(card), 0, "")
    assert at_the_end.place == "05.jpg"
    assert at_the_end.probability > 0.9
    assert not behind_the_card.known


@pytest.fixture(scope="module")
def few(street: Any, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An index of three places."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "photos").mkdir()
    for place in FEW:
        street.photo(place).save(folder / "photos" / f"{place:02d}.jpg")
    build_index(open_source(folder / "photos"), folder / "index", model)
    return open_index(folder / "index")


@pytest.mark.parametrize("causal", [False, True])
def test_among_a_few_places_drawings_and_noise_have_no_place(
    few: Index, model: Model, tmp_path: Path, causal: bool
) -> None:
    """The median deviation of three similarities may be next to nothing."""
    frames = tmp_path / "frames"
    frames.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    drawing, text = Image.new("RGB", (320, 240), "white"), Image.new("RGB", (320, 240), "white")
    ImageDraw.Draw(drawing).ellipse((90, 60, 230, 190), outline="black", width=4)
    for line in range(0, 240, 15):
        ImageDraw.Draw(text).text(
            (10, line), "It says nothing of the place, whatever it is.", "black"
        )
    shown = (Image.fromarray(noise), drawing, text, Image.new("RGB", (320, 240)))
    for number, image in enumerate(shown):
        image.save(frames / f"frame_{number}.png")
    track = track_of(few, model, frames, causal=causal)
    assert not any(frame.known for frame in track.frames)
    assert not any("further apart" in note for note in track.notes)
    assert any("An index of 3 places has too few" in note for note in track.notes)


@pytest.mark.parametrize("causal", [False, True])
def test_among_a_few_places_each_is_found(
    street: Any, few: Index, model: Model, tmp_path: Path, causal: bool
) -> None:
    track = track_of(few, model, photos_of(street, tmp_path / "frames", FEW), causal=causal)
    assert [frame.place for frame in track.frames] == [f"{at:02d}.jpg" for at in FEW]
    assert not track.notes


def test_among_twelve_places_frames_that_are_not_known_are_noted(
    street: Any, index: Index, model: Model, tmp_path: Path
) -> None:
    frames = photos_of(street, tmp_path / "frames", [1, 2, 3])
    Image.new("RGB", (320, 240)).save(frames / "black.png")
    track = track_of(index, model, frames)
    assert any("An index of 12 places has too few" in note for note in track.notes)


@pytest.mark.slow
def test_frames_too_far_apart_are_noted(
    street: Any, index: Index, model: Model, tmp_path: Path
) -> None:
    close = track_of(index, model, photos_of(street, tmp_path / "close", NORTHWARDS))
    far = photos_of(street, tmp_path / "far", [0, 6, 1, 7, 2, 8, 3, 10, 4, 11, 5])
    assert not any("further apart" in note for note in close.notes)
    assert any("further apart" in note for note in track_of(index, model, far).notes)


def test_the_way_back_heads_south(street: Any, index: Index, model: Model, tmp_path: Path) -> None:
    track = track_of(index, model, photos_of(street, tmp_path / "back", NORTHWARDS[::-1]))
    headings = [frame.heading for frame in track.frames[2:-1]]
    assert all(heading is not None and abs(heading - 180) < 1 for heading in headings)
    live = track_of(index, model, tmp_path / "back", causal=True)
    assert [frame.place for frame in live.frames] == [frame.place for frame in track.frames]


def test_all_formats_tell_the_same(
    walk: Track, street: Any, index: Index, model: Model, tmp_path: Path
) -> None:
    folder = photos_of(street, tmp_path / "frames", NORTHWARDS)
    texts = {}
    for ending in ("csv", "json", "geojson", "gpx"):
        out = tmp_path / f"walk.{ending}"
        write_track(walk, out, open_input(folder), model, index)
        texts[ending] = out.read_text()
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    told = json.loads(texts["json"])
    assert [row["place"] for row in rows] == [frame["place"] for frame in told["frames"]]
    assert told["known"] == len(NORTHWARDS)
    assert told["off"] == 0
    features = json.loads(texts["geojson"])["features"]
    assert [each["geometry"]["type"] for each in features].count("Point") == len(NORTHWARDS)
    line = features[-1]["geometry"]["coordinates"]
    assert len(line) == len(NORTHWARDS)
    points = ElementTree.fromstring(texts["gpx"]).findall(".//{*}trkpt")
    assert [float(point.attrib["lat"]) for point in points] == pytest.approx(
        [latitude for _, latitude in line], abs=1e-6
    )


def test_gpx_is_xml_whatever_frames_are_called(
    walk: Track, street: Any, index: Index, model: Model, tmp_path: Path
) -> None:
    source = open_input(photos_of(street, tmp_path / "frames", NORTHWARDS))
    frames = [replace(walk.frames[0], name="a\uffff<\x01>\ufffe\U0001f6a9")]
    write_track(replace(walk, frames=frames), tmp_path / "w.gpx", source, model, index)
    (name,) = ElementTree.parse(tmp_path / "w.gpx").findall(".//{*}trkpt/{*}name")
    assert name.text == "a?<?>?\U0001f6a9"


def test_a_line_is_cut_where_it_crosses_the_date_line(
    walk: Track, street: Any, index: Index, model: Model, tmp_path: Path
) -> None:
    eastwards = [Position(10, 179.9), Position(10.3, -179.8), Position(10.3, -179.7)]
    frames = [
        replace(frame, position=position)
        for frame, position in zip(walk.frames, eastwards, strict=False)
    ]
    source = open_input(photos_of(street, tmp_path / "frames", NORTHWARDS))
    write_track(replace(walk, frames=frames), tmp_path / "w.geojson", source, model, index)
    geometry = json.loads((tmp_path / "w.geojson").read_text())["features"][-1]["geometry"]
    assert geometry["type"] == "MultiLineString"
    west, east = geometry["coordinates"]
    assert west == [[179.9, 10], pytest.approx([180, 10.1])]
    assert east == [pytest.approx([-180, 10.1]), [-179.8, 10.3], [-179.7, 10.3]]


def test_each_walk_has_a_line_of_its_own(
    street: Any, index: Index, model: Model, tmp_path: Path
) -> None:
    photos_of(street, tmp_path / "walks" / "a", [1, 2, 3])
    photos_of(street, tmp_path / "walks" / "b", [8, 9, 10])
    track = track_of(index, model, tmp_path / "walks")
    assert all(frame.known for frame in track.frames)
    for ending in ("geojson", "gpx"):
        out = tmp_path / f"walks.{ending}"
        write_track(track, out, open_input(tmp_path / "walks"), model, index)
    features = json.loads((tmp_path / "walks.geojson").read_text())["features"]
    lines = [each["properties"] for each in features if each["geometry"]["type"] == "LineString"]
    assert lines == [{"first": 0, "last": 2}, {"first": 3, "last": 5}]
    segments = ElementTree.parse(tmp_path / "walks.gpx").findall(".//{*}trkseg")
    assert [len(segment) for segment in segments] == [3, 3]


def test_one_frame_is_a_track_too(street: Any, index: Index, model: Model, tmp_path: Path) -> None:
    track = track_of(index, model, photos_of(street, tmp_path / "one", [3]))
    assert [frame.place for frame in track.frames] == ["03.jpg"]
    assert any("one frame only" in note for note in track.notes)


def test_a_walk_keeps_its_order_where_its_places_are_renamed(index: Index, tmp_path: Path) -> None:
    before = Observer(index).routes
    shutil.copytree(index.folder, tmp_path / "index")
    for place_id, name in ((2, "North gate"), (3, "Room 900"), (5, "1"), (6, "1")):
        edit_place(tmp_path / "index", place_id, {"name": name})
    renamed = open_index(tmp_path / "index")
    assert renamed.place(3).name == "Room 900"
    np.testing.assert_array_equal(Observer(renamed).routes.coordinate, before.coordinate)


@pytest.mark.slow
def test_an_index_without_order_says_so_and_finds_places(
    street: Any, model: Model, tmp_path: Path
) -> None:
    for place, letter in enumerate("abcdef"):
        street.photo(place).save(tmp_path / f"{letter}.png")
    photos = tmp_path / "photos"
    photos.mkdir()
    for picture in tmp_path.glob("*.png"):
        picture.rename(photos / picture.name)
    build_index(open_source(photos), tmp_path / "index", model)
    index = open_index(tmp_path / "index")
    assert not Observer(index).routes.is_ordered
    track = track_of(index, model, photos_of(street, tmp_path / "frames", [4, 0, 2]))
    assert [frame.place for frame in track.frames] == ["e.png", "a.png", "c.png"]
    assert any("in no order" in note for note in track.notes)


def test_lists_are_taken_in_the_order_of_their_numbers(street: Any, tmp_path: Path) -> None:
    photos_of(street, tmp_path, [1, 2, 3])
    listed = tmp_path / "list.txt"
    listed.write_text("frame_2.jpg\nframe_0.jpg\nframe_1.jpg\n")
    source = open_input(listed)
    assert isinstance(source, PhotoFrames)
    assert [source.photos[at].name for at in source.order] == [
        "frame_0.jpg",
        "frame_1.jpg",
        "frame_2.jpg",
    ]
    assert any("not in the order" in note for note in source.notes)
    listed.write_text("frame_2.jpg\nnothing.jpg\n")
    with pytest.raises(SourceError, match=r"names 'nothing.jpg', which does not exist"):
        open_input(listed)


def test_two_cameras_are_two_tracks(street: Any, tmp_path: Path) -> None:
    for camera in ("left", "right"):
        for number in range(3):
            (tmp_path / f"{camera}_{number}.jpg").write_bytes(street.query(number))
    source = open_input(tmp_path)
    assert isinstance(source, PhotoFrames)
    first, none, cut = SequenceBreak.NEW_FOLDER, SequenceBreak.NONE, SequenceBreak.NEW_SEQUENCE
    assert source.breaks == [first, none, none, cut, none, none]
    assert any("2 sequences" in note for note in source.notes)


def test_videos_beside_photos_are_told(street: Any, tmp_path: Path) -> None:
    folder = photos_of(street, tmp_path / "walk", [1, 2])
    (folder / "walk.mp4").write_bytes(b"a video")
    assert f"Left out of {folder}, as no photos: 1 .mp4 file." in open_input(folder).notes
