"""What is sent of a photo, and what is shown meanwhile."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import ExifTags, Image
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.web.conftest import WITHOUT_POSITION

BEST = "#results:not([aria-busy]) .card"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'


def large_photo(town: Any, place: int, *, sideways: bool = False, position: bool = True) -> bytes:
    """A place's view as a phone takes it: 12 megapixels with noise, some 4 MB."""
    view = town.view(place).crop((24, 18, 620, 465)).resize((4000, 3000))
    noise = np.random.default_rng(place).normal(0, 9, (3000, 4000, 1))
    photo = Image.fromarray((np.asarray(view) + noise).clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    if sideways:
        photo = photo.transpose(Image.Transpose.ROTATE_90)
        exif[ExifTags.Base.Orientation] = 6
    if position:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (48.0, 30.0, 0.0)
        gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "E", (11.0, 30.0, 0.0)
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=85, exif=exif, xmp=XMP)
    assert 3e6 < len(out.getvalue()) < 6e6
    return out.getvalue()


KEEP_WHAT_IS_SENT = """() => {
    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function (form) {
        window.sent = form.get('photo');
        send.call(this, form);
    };
}"""
READ_WHAT_WAS_SENT = """() => new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener('load', () => resolve(reader.result.split(',')[1]));
    reader.readAsDataURL(window.sent);
})"""


def sent(page: Page, content: bytes) -> bytes:
    """Put a photo onto the page; what the page sends of it."""
    page.evaluate(KEEP_WHAT_IS_SENT)
    file: FilePayload = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": content}
    with page.expect_request("**/v1/search?*"):
        page.set_input_files("#photo", [file])
    return base64.b64decode(page.evaluate(READ_WHAT_WAS_SENT))


@pytest.mark.parametrize(
    ("address", "chosen", "shown"),
    [
        ("", "#photo", BEST),
        ("compare", "#photo-0", ".slot img"),
        ("track", "#files", "#track .frame"),
    ],
)
def test_a_photo_chosen_before_the_script_has_come_is_taken(
    open_page: Any, server: str, town: Any, address: str, chosen: str, shown: str
) -> None:
    page = open_page(locale="hi-Latn")
    held: list[Route] = []
    page.route("**/words-hi-latn.js", lambda route: held.append(route))
    with page.expect_request("**/words-hi-latn.js"):
        page.goto(f"{server}{address}", wait_until="commit")
    page.set_input_files(chosen, town.query(3))
    for route in held:
        route.continue_()
    expect(page.locator(shown).first).to_be_visible()


@pytest.mark.parametrize("sideways", [False, True])
def test_a_large_photo_is_sent_as_the_model_needs_it(
    open_page: Any, server: str, town: Any, sideways: bool
) -> None:
    content = large_photo(town, 3, sideways=sideways)
    page = open_page()
    photo = sent(page, content)
    assert len(photo) < 700_000
    small = Image.open(io.BytesIO(photo))
    assert small.size == (1280, 960)  # twice the model's own; upright
    assert small.getexif().get(ExifTags.Base.Orientation, 1) == 1
    assert small.info["xmp"] == XMP
    expect(page.locator(BEST).first).to_contain_text("street-3/03.jpg")
    expect(page.locator("#query-facts")).to_contain_text("48.50000, 11.50000")
    shape = page.locator("#preview-photo").evaluate(
        "image => image.naturalWidth / image.naturalHeight"
    )
    assert shape == pytest.approx(4 / 3, abs=0.01)

    def similarity(body: bytes) -> float:
        reply = httpx.post(f"{server}v1/search", files={"photo": body}, params={"k": 1})
        found: float = reply.json()["results"][0]["similarity"]
        return found

    # What the whole photo gets may be sent to no server of 2 MiB, so it is told in halves.
    half = io.BytesIO()
    Image.open(io.BytesIO(content)).reduce(2).save(
        half, "JPEG", quality=85, exif=Image.open(io.BytesIO(content)).info["exif"]
    )
    assert similarity(photo) == pytest.approx(similarity(half.getvalue()), abs=0.02)


def test_the_points_of_a_large_photo_lie_on_it(open_page: Any, town: Any) -> None:
    page = open_page()
    sent(page, large_photo(town, 6))
    page.locator(BEST).first.get_by_role("button").first.click()
    expect(page.locator("#viewer .shared")).to_contain_text("matching points")
    # The pixels of the answer are those of the photo that is shown.
    expect(page.locator("#viewer img").first).to_have_js_property("naturalWidth", 1280)


def test_what_is_not_whole_is_sent_as_it_is(
    open_page: Any, start_server: Callable[..., str], town: Any
) -> None:
    content = large_photo(town, 5)
    address = start_server("--max-body-mb", "8")
    half = content[: len(content) // 2]
    page = open_page(address, expected=("422",))
    assert sent(page, half) == half
    expect(page.get_by_role("alert")).to_contain_text("This photo cannot be read")
    damaged = content[:2] + b"\xff\xe1\x00\x0eExif\0\0II*\0\xff\xff" + content[2:]
    assert sent(page, damaged) == damaged
    expect(page.locator(BEST).first).to_contain_text("street-5/05.jpg")


def test_a_slow_upload_shows_its_true_share(open_page: Any, town: Any) -> None:
    page = open_page()
    expect(page.locator("#status")).to_contain_text("12 places")
    page.evaluate(
        """() => {
            window.shares = [];
            const bar = document.querySelector('#progress-bar');
            new MutationObserver(() => shares.push(bar.hasAttribute('value') ? bar.value : null))
                .observe(bar, { attributeFilter: ['value'] });
        }"""
    )
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    slow = {"offline": False, "latency": 20, "downloadThroughput": -1, "uploadThroughput": 100_000}
    devtools.send("Network.emulateNetworkConditions", slow)
    # A PNG is sent as it is: 400 kB in four seconds.
    photo = town.view(2).resize((400, 300))
    noise = np.random.default_rng(0).integers(-20, 20, (300, 400, 3))
    out = io.BytesIO()
    Image.fromarray((np.asarray(photo) + noise).clip(0, 255).astype(np.uint8)).save(out, "PNG")
    page.set_input_files(
        "#photo", [{"name": "a.png", "mimeType": "image/png", "buffer": out.getvalue()}]
    )
    expect(page.locator(BEST).first).to_be_visible()
    shares = [share for share in page.evaluate("shares") if share is not None]
    assert shares == sorted(shares)
    assert len([share for share in shares if 0.05 < share < 0.95]) >= 5


def test_a_place_that_is_added_says_what_was_odd_in_its_photo(
    open_place: Callable[..., Page], api: httpx.Client, town: Any, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: (97.0, 0.0, 0.0),
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: (11.0, 0.0, 0.0),
    }
    photo = tmp_path / "new.jpg"
    with Image.open(town.query(1)) as image:
        image.save(photo, exif=exif)
    page = open_place(WITHOUT_POSITION, locale="hi")
    page.set_input_files("#add-photo", photo)
    said = page.locator("#tools .actions span.note")
    expect(said).to_have_text(
        re.compile(r"new\.jpg.+ फ़ोटो की GPS स्थिति धरती पर नहीं है; वह छोड़ दी गई।$")
    )
    (added,) = api.get("/v1/places", params={"q": "new.jpg"}).json()["places"]
    assert added["position"] is None
    assert api.delete(f"/v1/places/{added['place_id']}").status_code == 204
