"""The codes of the server's sentences: each sentence, as it is really written, has its own."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from place_search.indexer import FieldError
from place_search.indexer.changes.edit import apply_patch
from place_search.indexer.storage.edits import Edit
from place_search.photos import PhotoError, decode_photo, panorama
from place_search.search.engine import Engine
from place_search.search.reasons import REASONS, reason_of
from place_search.search.server.app import create_app
from place_search.search.several.views import TAKEN_WHOLE
from tests.search.asking import asker

SIZE = {"width": "320", "height": "240"}


def jpeg(exif: Image.Exif | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    image = Image.effect_mandelbrot((320, 240), (-2, -1, 1, 1), 50).convert("RGB")
    image.save(out, "JPEG", exif=exif or Image.Exif(), **options)
    return out.getvalue()


def gps(latitude: Any, longitude: Any, north: str = "N") -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: north,
        ExifTags.GPS.GPSLatitude: latitude,
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: longitude,
    }
    return exif


def frames() -> bytes:
    out = io.BytesIO()
    each = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    each[0].save(out, "WEBP", save_all=True, append_images=each[1:])
    return out.getvalue()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: jpeg(gps((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))), "gps-zero"),
        (lambda: jpeg(gps((98.0, 0.0, 0.0), (10.0, 0.0, 0.0))), "gps-not-on-earth"),
        (lambda: jpeg(gps((48.0, 0.0, 0.0), (11.0, 0.0, 0.0), "X")), "gps-broken"),
        (frames, "several-frames"),
    ],
)
def test_what_is_odd_in_a_photo_has_its_code(make: Callable[[], bytes], code: str) -> None:
    (note,) = decode_photo(make()).notes
    assert reason_of(note) == (code, {})
    assert reason_of(f"Photo 2: {note}") == (code, {"photo": "2"})


@pytest.mark.parametrize(
    ("content", "limit", "reason"),
    [
        ("text", 10**8, ("no-photo", {"what": "PATH"})),
        ("half", 10**8, ("corrupt", {"what": "PATH", "error": "image file is truncated"})),
        (
            "photo",
            1000,
            (
                "too-many-pixels",
                {"what": "PATH", "width": "320", "height": "240", "limit": "1,000"},
            ),
        ),
        (None, 10**8, ("no-file", {"what": "PATH"})),
        ("folder", 10**8, ("is-folder", {"what": "PATH"})),
    ],
)
def test_why_a_photo_is_refused_has_its_code(
    tmp_path: Path, content: Any, limit: int, reason: tuple[str, dict[str, str]]
) -> None:
    path = tmp_path / "a (b) over.jpg"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        photo = jpeg()
        path.write_bytes({"half": photo[:3000], "photo": photo}.get(content, b"hello"))
    with pytest.raises(PhotoError) as refused:
        decode_photo(path, max_pixels=limit)
    code, values = reason
    wanted = {name: value.replace("PATH", str(path)) for name, value in values.items()}
    assert reason_of(str(refused.value)) == (code, wanted)


def test_each_template_is_told_by_itself_alone() -> None:
    for code, template in REASONS.items():
        values = {name: f"«{name}»" for name in ("what", "why", "name", "value", "limit", "known")}
        sentence = template.format_map(Filled(values))
        found = reason_of(sentence)
        assert found is not None
        assert found[0] == code
        assert template.format_map(found[1]) == sentence
        assert reason_of(sentence[:1].upper() + sentence[1:]) is not None
    assert reason_of("Something new is wrong.") is None


def test_what_is_odd_in_a_panorama_has_a_code() -> None:
    unmarked = f"{panorama.UNMARKED}; ask with panorama=true (--panorama) to have it cut."
    said = panorama._BROKEN, panorama.PARTLY, unmarked, panorama.NO_SPHERE, TAKEN_WHOLE
    codes = [found and found[0] for found in map(reason_of, said)]
    names = ("broken", "partly", "unmarked", "none", "whole")
    assert codes == [f"panorama-{name}" for name in names]


class Filled(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "17"


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({"fields": {"floor": "x"}}, "takes-number"),
        ({"fields": {"open": 3}}, "takes-boolean"),
        ({"fields": {"seen": "May"}}, "takes-date"),
        ({"fields": {"tone": 3}}, "takes-text"),
        ({"fields": {"none": 3}}, "no-field"),
        ({"note": "x" * 5000}, "too-long"),
        ({"name": "a\x07b"}, "not-printable"),
        ({"tags": [f"{number}" for number in range(65)]}, "many-tags"),
        ({"tags": [" "]}, "empty-tag"),
        ({"position": {"latitude": 98.0, "longitude": 3.0}}, "not-on-earth"),
    ],
)
def test_what_does_not_fit_a_place_has_its_code(patch: dict[str, Any], code: str) -> None:
    declared: Any = {"floor": "number", "open": "boolean", "seen": "date", "tone": "text"}
    with pytest.raises(FieldError) as refused:
        apply_patch(Edit(), patch, declared)
    found = reason_of(str(refused.value))
    assert found is not None
    assert found[0] == code


def test_the_replies_carry_the_codes(engine: Engine, street: Any) -> None:
    ask: Callable[..., Any] = asker(create_app(engine))
    photo = jpeg(gps((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    query = ask("POST", "/v1/search?near=80,10&radius_m=5", files={"photo": photo}).json()["query"]
    assert len(query["notes"]) == len(query["reasons"]) == 2
    assert query["reasons"][0] == {"code": "gps-zero", "values": {}}
    near = {"metres": "5", "latitude": "80", "longitude": "10"}
    assert query["reasons"][1] == {"code": "none-near", "values": near}
    files = {"image1": street.query(0), "image2": photo}
    compared = ask("POST", "/v1/compare", files=files).json()
    assert compared["photo_reasons"] == [{"code": "gps-zero", "values": {"photo": "2"}}]
    refused = ask("POST", "/v1/search", files={"photo": b"hello"}).json()
    assert refused["reason"] == {"code": "no-photo", "values": {"what": "the photo"}}
    swapped = ask("GET", "/v1/places?taken_from=2024-05-02&taken_to=2024-05-01").json()
    assert swapped["reason"] == {"code": "times-swapped", "values": {}}
    assert "reason" not in ask("GET", "/v1/nothing").json()


PARTS = {code: re.split(r"\{(\w+)\}", said) for code, said in REASONS.items()}
WORDS = sorted({words for parts in PARTS.values() for words in parts[::2] if words})


@given(st.data(), st.sampled_from(sorted(PARTS)))
def test_values_end_where_the_words_after_them_come_first(data: st.DataObject, code: str) -> None:
    value = st.lists(st.sampled_from(WORDS) | st.text("a \n", min_size=1), min_size=1, max_size=2)
    said = list(PARTS[code])
    said[1::2] = ["".join(data.draw(value)) for _ in said[1::2]]
    for expected, parts in PARTS.items():
        pieces = [re.escape(words) for words in parts]
        pieces[0] = f"(?i:{re.escape(parts[0][:1])}){re.escape(parts[0][1:])}"
        pieces[1::2] = [f"(?P<{name}>.+?)" for name in parts[1::2]]
        if found := re.fullmatch("".join(pieces), "".join(said), re.DOTALL):
            assert reason_of("".join(said)) == (expected, found.groupdict())
            break
    else:
        pytest.fail("the sentence of a template is none")


def test_what_a_client_wrote_into_a_sentence_takes_no_long_time() -> None:
    hostile = "a has b × c pixels, over the limit of "
    assert reason_of(2_000 * hostile) is None
    assert reason_of(2_000 * hostile + "d; shrink it first.") == (
        "too-many-pixels",
        {
            "what": "a",
            "width": "b",
            "height": "c",
            "limit": (1_999 * hostile) + "d",
        },
    )
