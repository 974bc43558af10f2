"""360° panoramas: what their metadata says, and the views that they are cut into."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from place_search.photos import Preprocessing, UnsupportedPhotoError
from place_search.photos.panorama import (
    PARTLY,
    UNMARKED,
    VIEW_SIZE,
    VIEWS,
    inspect_panorama,
    read_views,
)
from place_search.photos.preprocessing import decode_for
from place_search.photos.sandbox.decoder import Decoder
from tests.panoramas import Pixels, gpano, looking, panorama, photo, scene, sizes, tilted

WIDTH, HEIGHT = 2048, 1024
WHOLE = sizes(WIDTH, HEIGHT)
PLAIN = (Preprocessing(width=320, height=240),)


def difference(first: Pixels, second: Pixels) -> float:
    """The mean difference of two pictures' pixels, 0–255."""
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


@pytest.mark.slow
def test_a_view_is_what_a_camera_on_the_spot_sees() -> None:
    content = panorama(1, heading=30.0)
    inspected = inspect_panorama(content).panorama
    assert inspected is not None
    views = read_views(content, inspected).views
    assert [view.facing and view.facing.yaw for view in views] == [30.0 * n for n in range(VIEWS)]
    assert [view.facing and view.facing.heading for view in views] == [
        *(30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 210.0, 240.0, 270.0, 300.0, 330.0, 0.0)
    ]
    sphere = scene(1)
    for number, view in enumerate(views):
        assert view.pixels.shape == (VIEW_SIZE[1], VIEW_SIZE[0], 3)
        right = difference(view.pixels, looking(sphere, 30.0 * number))
        # Also for number 6, which looks at the seam.
        assert right < 8
        assert difference(view.pixels, looking(sphere, 30.0 * number + 5)) > 4 * right


@pytest.mark.slow
@pytest.mark.parametrize(("pitch", "roll"), [(12.0, 0.0), (0.0, -9.0), (10.0, 7.0)])
def test_views_of_a_tilted_camera_are_level(pitch: float, roll: float) -> None:
    sphere = scene(2)
    pose = gpano(**WHOLE, PosePitchDegrees=pitch, PoseRollDegrees=roll)
    content = photo(tilted(sphere, pitch, roll), pose)
    inspected = inspect_panorama(content).panorama
    assert inspected is not None
    for number, view in enumerate(read_views(content, inspected).views):
        assert difference(view.pixels, looking(sphere, 30.0 * number)) < 14


@pytest.mark.slow
def test_metadata_may_be_attributes_or_elements_and_of_any_format() -> None:
    sphere = scene(3)
    for kind in ("JPEG", "WEBP", "PNG"):
        for elements in (False, True):
            xmp = gpano(elements, **WHOLE, PoseHeadingDegrees=350.5)
            if kind == "PNG":
                from PIL.PngImagePlugin import PngInfo

                info = PngInfo()
                info.add_itxt("XML:com.adobe.xmp", xmp.decode())
                content = photo(sphere, None, kind, pnginfo=info)
            else:
                content = photo(sphere, xmp, kind)
            inspected = inspect_panorama(content).panorama
            assert inspected is not None, kind
            assert inspected.heading == 350.5


def test_without_metadata_a_photo_of_2_to_1_is_cut_only_where_that_is_asked() -> None:
    content = photo(scene(4))
    unmarked = decode_for(content, PLAIN, None, panorama=None)
    assert unmarked.views == ()
    assert unmarked.notes == (f"{UNMARKED}; ask with panorama=true (--panorama) to have it cut.",)
    cut = decode_for(content, PLAIN, None, panorama=True)
    assert len(cut.views) == VIEWS
    assert cut.notes == ()
    assert {view.facing and view.facing.heading for view in cut.views} == {None}
    never = decode_for(content, PLAIN, None, panorama=False)
    assert (never.views, never.notes) == ((), ())


def test_other_photos_are_plain_and_nothing_is_said() -> None:
    sphere = scene(5)
    for content in (
        photo(sphere[:, : HEIGHT + 200]),  # another shape
        photo(np.asarray(Image.fromarray(sphere).resize((1000, 500)))),  # small
        photo(sphere, gpano().replace(b"equirectangular", b"cylindrical")),
        b"no photo",
    ):
        for assumed in (False, True):
            result = inspect_panorama(content, assumed=assumed)
            assert (result.panorama, result.notes, result.is_unmarked) == (
                None,
                (),
                False,
            )


@pytest.mark.parametrize(
    "broken",
    [
        {**WHOLE, "FullPanoWidthPixels": "many"},
        {**WHOLE, "FullPanoWidthPixels": 1e9, "FullPanoHeightPixels": 5e8},
        {**WHOLE, "FullPanoHeightPixels": 0},
        {**WHOLE, "CroppedAreaLeftPixels": 900},
        {**WHOLE, "CroppedAreaTopPixels": -5},
        {**WHOLE, "CroppedAreaImageHeightPixels": 500},
        {**WHOLE, "CroppedAreaImageWidthPixels": "nan"},
        {"FullPanoWidthPixels": WIDTH},
    ],
)
def test_sizes_that_contradict_each_other_leave_one_plain_photo(broken: dict[str, Any]) -> None:
    content = photo(scene(6), gpano(**broken))
    decoded = decode_for(content, PLAIN, None, panorama=None)
    assert decoded.views == ()
    assert decoded.pixels.size
    assert len(decoded.notes) == 1
    assert "gives no sizes that fit it, so it was taken as one plain photo." in decoded.notes[0]
    assert len(decode_for(content, PLAIN, None, panorama=True).views) == VIEWS


@pytest.mark.slow
def test_a_broken_heading_is_left_out_and_said() -> None:
    for value in ("north", 5000, "nan"):
        content = photo(scene(7), gpano(**WHOLE, PoseHeadingDegrees=value))
        decoded = decode_for(content, PLAIN, None, panorama=None)
        assert decoded.notes == ("The panorama's heading is broken and was left out.",)
        assert {view.facing and view.facing.heading for view in decoded.views} == {None}
    west = inspect_panorama(photo(scene(7), gpano(**WHOLE, PoseHeadingDegrees=-90))).panorama
    assert west is not None
    assert west.heading == 270
    north = inspect_panorama(photo(scene(7), gpano(**WHOLE, PoseHeadingDegrees=359.997))).panorama
    assert north is not None
    assert [north.facing(view).heading for view in (0, 1)] == [0, 30]


def test_of_a_part_of_the_sphere_the_views_are_cut_that_it_shows() -> None:
    sphere = scene(8)
    left, top, wide, high = 512, 200, 1024, 624
    content = photo(
        sphere[top : top + high, left : left + wide],
        gpano(**sizes(WIDTH, HEIGHT, (left, top, wide, high)), PoseHeadingDegrees=90),
    )
    decoded = decode_for(content, PLAIN, None, panorama=None)
    assert [view.facing and view.facing.heading for view in decoded.views] == [90, 120, 150, 30, 60]
    for view in decoded.views:
        assert view.facing is not None
        assert difference(view.pixels, looking(sphere, view.facing.yaw)) < 8


def test_too_small_a_part_is_taken_whole_and_that_is_said() -> None:
    part = (900, 480, 200, 60)
    content = photo(scene(9)[480:540, 900:1100], gpano(**sizes(WIDTH, HEIGHT, part)))
    decoded = decode_for(content, PLAIN, None, panorama=None)
    assert decoded.views == ()
    assert decoded.notes == (PARTLY,)


def test_a_panorama_that_was_made_smaller_since_is_still_one() -> None:
    small = np.asarray(Image.fromarray(scene(10)).resize((800, 400)))
    assert len(decode_for(photo(small, gpano(**WHOLE)), PLAIN, None, panorama=None).views) == VIEWS


@pytest.mark.slow
def test_the_decoding_processes_cut_the_same_views() -> None:
    content = panorama(11, heading=200.0)
    networks = (Preprocessing(width=320, height=240), Preprocessing(width=128, height=96))
    for kinds in (networks[:1], networks):
        expected = decode_for(content, kinds, None, panorama=None)
        decoder = Decoder(workers=1)
        try:
            decoded = decoder.photo(content, *kinds, panorama=None)
            whole = decoder.photo(content, *kinds)
        finally:
            decoder.close()
        assert whole.views == ()
        assert [view.facing for view in decoded.views] == [view.facing for view in expected.views]
        for view, other in zip(decoded.views, expected.views, strict=True):
            assert difference(view.pixels, _resized(other.pixels, kinds[0])) == 0
            if len(kinds) > 1:
                assert view.second is not None
                assert difference(view.second, _resized(other.pixels, kinds[1])) == 0


@pytest.mark.slow
def test_the_decoding_processes_give_views_as_jpegs() -> None:
    decoder = Decoder(workers=1)
    try:
        views, notes = decoder.views(panorama(12, heading=10.0))
        for other in (photo(scene(12)), photo(scene(12), gpano(FullPanoWidthPixels="many"))):
            expected = decode_for(other, [Preprocessing()], None, panorama=None).notes
            assert decoder.views(other) == ([], expected)
            assert len(expected) == 1
        with pytest.raises(UnsupportedPhotoError):
            decoder.views(photo(scene(12), gpano(**WHOLE), "WEBP"), formats=["JPEG"])
    finally:
        decoder.close()
    assert notes == ()
    assert [facing.heading for facing, _ in views] == [10.0 + 30 * number for number in range(12)]
    for facing, jpeg in views:
        with Image.open(io.BytesIO(jpeg)) as image:
            assert difference(np.asarray(image), looking(scene(12), facing.yaw)) < 10
            assert not image.info.get("xmp")


def _resized(pixels: Pixels, preprocessing: Preprocessing) -> Pixels:
    from place_search.photos import Photo
    from place_search.photos.preprocessing import resize_photo

    return resize_photo(Photo(pixels, pixels.shape[1], pixels.shape[0]), preprocessing)
