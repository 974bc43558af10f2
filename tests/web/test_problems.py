"""What the page says when something goes wrong, and how it goes on."""

import io
import json
import re
import struct
import threading
from typing import Any
from zlib import crc32

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from place_search.search.reasons import REASONS
from place_search.search.server.problems import PROBLEMS
from tests.waiting import SECONDS
from tests.web.test_pages import check_accessible


def wide_png(width: int, height: int) -> bytes:
    """A PNG that announces so many pixels and holds none."""

    def chunk(content: bytes) -> bytes:
        length, check = len(content) - 4, crc32(content)
        return struct.pack(">I", length) + content + struct.pack(">I", check)

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR" + size) + chunk(b"IDAT") + chunk(b"IEND")


LOW = """() => [...document.querySelectorAll('summary')]
    .filter((part) => part.offsetHeight && part.offsetHeight < 24)
    .map((part) => part.textContent)"""
"""What opens by a tap, and is lower than the 24 pixels of a fingertip."""


def found(page: Page, name: str) -> None:
    """Wait for results, the first of this name and without a problem beside them."""
    expect(page.locator("#results:not([aria-busy]) .card").first).to_contain_text(name)
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("file", "status", "title", "mend"),
    [
        ("text", "415", "This file is not a photo", "Choose a JPEG, PNG, WebP, AVIF or HEIC file."),
        ("half", "422", "This photo cannot be read", "Copy it again from where it came from"),
        ("large", "413", "This photo is too large for the server", "It is 3.1 MB."),
        ("film", "413", "This file is not a photo", "film.mp4 is in no photo format"),
        ("wide", "413", "This photo is too large for the server", "It has too many pixels."),
        ("empty", "400", "This file is empty", "Choose the photo again."),
    ],
)
def test_a_bad_photo_is_told_in_words_with_the_mend(
    open_page: Any, town: Any, file: str, status: str, title: str, mend: str
) -> None:
    photo = town.query(0).read_bytes()
    contents = {
        "text": b"Meet me at the station.",
        "half": photo[: len(photo) // 2],
        "large": photo + bytes(3_100_000),
        "film": bytes(3_100_000),
        "wide": wide_png(60_000, 60_000),
        "empty": b"",
    }
    page = open_page(expected=(status,))
    name = f"{file}.mp4" if file == "film" else f"{file}.jpg"
    page.set_input_files("#photo", town.write(name, contents[file]))
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading")).to_have_text(title)
    if file == "empty":
        expect(page.locator("#preview-caption")).to_have_text("empty.jpg, 0 kB")
    page.locator("#problem summary").click()
    assert page.evaluate(LOW) == []
    expect(alert).to_contain_text(mend)
    expect(page.locator("#results")).to_be_hidden()
    expect(page.get_by_role("button", name="Try")).to_have_count(0)


def test_after_a_problem_the_next_photo_is_searched(open_page: Any, town: Any) -> None:
    page = open_page(expected=("415",))
    page.set_input_files("#photo", town.write("notes.txt", b"hello"))
    page.get_by_text("What the server said").click()
    expect(page.locator(".problem details p")).to_have_text(re.compile("not a photo"))
    page.set_input_files("#photo", town.query(0))
    found(page, "street-0/00.jpg")


def test_a_search_waits_until_the_server_is_ready(
    open_page: Any, hold_server: Any, town: Any
) -> None:
    held = hold_server("loading")
    page = open_page(held.address, expected=("503",))
    expect(page.locator("#status")).to_have_text("The server is loading its index…")
    page.set_input_files("#photo", town.query(1))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The server is not ready yet")
    expect(alert).to_contain_text("The search starts by itself when it is ready.")
    held.gate.open()
    found(page, "street-1/01.jpg")
    expect(page.locator("#status")).to_contain_text("12 places")


def test_a_busy_server_is_asked_again_after_a_wait(
    open_page: Any, hold_server: Any, town: Any
) -> None:
    held = hold_server("searching")
    answers: list[int] = []

    def occupy() -> None:
        photo = {"photo": town.query(0).read_bytes()}
        answer = httpx.post(f"{held.address}v1/search", files=photo, timeout=SECONDS)
        answers.append(answer.status_code)

    page = open_page(held.address, expected=("429",))
    expect(page.locator("#status")).to_contain_text("12 places")
    other = threading.Thread(target=occupy)
    other.start()
    try:
        assert held.gate.reached.wait(timeout=SECONDS)
        page.set_input_files("#photo", town.query(2))
        expect(page.get_by_role("alert")).to_contain_text("The server is busy")
        expect(page.get_by_role("timer")).to_have_text("Trying again in 1 second.")
        expect(page.get_by_role("button", name="Try now")).to_be_visible()
    finally:
        held.gate.open()
        other.join(timeout=SECONDS)
    assert answers == [200]
    found(page, "street-2/02.jpg")


def test_a_lost_connection_is_told_and_taken_up_again(open_page: Any, town: Any) -> None:
    page = open_page(expected=("ERR_INTERNET_DISCONNECTED",))
    expect(page.locator("#status")).to_contain_text("12 places")
    page.context.set_offline(True)
    page.set_input_files("#photo", town.query(3))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The connection to the server is lost")
    expect(alert).to_contain_text("Check that the server is running")
    expect(page.locator(".problem")).to_contain_text("The search goes on when")
    expect(page.locator("#status")).to_contain_text("No answer from the server")
    page.context.set_offline(False)
    found(page, "street-3/03.jpg")
    expect(page.locator("#status")).to_contain_text("12 places")


def test_an_empty_index_says_how_to_fill_it(open_page: Any) -> None:
    page = open_page()

    def empty(route: Any) -> None:
        # No command makes an empty index; one may still come to be, by removing places.
        reply = route.fetch()
        route.fulfill(response=reply, json={**reply.json(), "places": 0})

    page.route("**/v1/index", empty)
    page.reload()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("This index holds no places yet")
    expect(page.locator(".problem pre")).to_contain_text("place-search index PHOTOS --out INDEX")


def test_a_slow_upload_shows_how_far_it_is(open_page: Any, town: Any) -> None:
    page = open_page()
    expect(page.locator("#status")).to_contain_text("12 places")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    slow = {"offline": False, "latency": 50, "downloadThroughput": -1, "uploadThroughput": 25_000}
    devtools.send("Network.emulateNetworkConditions", slow)
    page.set_input_files("#photo", town.query(6))  # some 25 kB
    expect(page.locator("#progress")).to_be_visible()
    expect(page.locator("#progress-words")).to_have_text(re.compile(r"Uploading|Searching"))
    expect(page.locator("#preview-photo")).to_be_visible()
    found(page, "street-6/06.jpg")
    expect(page.locator("#progress")).to_be_hidden()


def test_a_server_stopped_mid_upload_is_told(open_page: Any, own_server: Any, town: Any) -> None:
    process, address = own_server
    page = open_page(address, expected=("ERR_",))
    expect(page.locator("#status")).to_contain_text("12 places")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 5_000}
    devtools.send("Network.emulateNetworkConditions", slow)
    page.set_input_files("#photo", town.query(6))
    expect(page.locator("#progress")).to_be_visible()
    process.kill()
    process.wait(timeout=SECONDS)
    slow["uploadThroughput"] = -1
    devtools.send("Network.emulateNetworkConditions", slow)
    expect(page.get_by_role("alert")).to_contain_text("The connection to the server is lost")
    expect(page.locator("#status")).to_contain_text("No answer from the server")
    expect(page.locator(".problem")).to_contain_text("The search goes on when")


def test_a_search_in_an_empty_circle_says_so(open_page: Any, town: Any) -> None:
    page = open_page()
    page.goto(f"{page.url}?near=-20,130&radius_m=1000")
    expect(page.locator("#area")).to_contain_text("Only places within 1.0 km of -20.0000, 130.0000")
    page.set_input_files("#photo", town.query(6))
    expect(page.locator("#query-facts")).to_contain_text("No place with a position lies within")
    page.get_by_role("button", name="Search everywhere").click()
    found(page, "street-6/06.jpg")


WORDS = """async (language) => {
    const read = async (name) => import(new URL(`${name}-${language}.js`, document.baseURI));
    const { problems } = await read('problems');
    const reasons = language === 'en' ? {} : (await read('reasons')).reasons;
    return [Object.fromEntries(Object.entries(problems).map(
        ([name, { title, mend }]) => [name, `${title} ${mend}`])), reasons];
}"""
VALUE = re.compile(r"\{(\w+)\}")


def test_each_problem_and_reason_has_words_in_all_languages(open_page: Any) -> None:
    page = open_page()
    told = {language: page.evaluate(WORDS, language) for language in ("en", "hi", "hi-latn")}
    english = told["en"][0]
    assert PROBLEMS.keys() <= english.keys()
    for problems, _ in told.values():
        assert problems.keys() == english.keys()
        for name, words in problems.items():
            assert sorted(VALUE.findall(words)) == sorted(VALUE.findall(english[name])), name
    for language in ("hi", "hi-latn"):
        reasons = told[language][1]
        assert reasons.keys() == REASONS.keys()
        for code, words in reasons.items():
            assert sorted(VALUE.findall(words)) == sorted(VALUE.findall(REASONS[code])), code
        of_both = " ".join([*told[language][0].values(), *reasons.values()])
        assert (re.search(r"[\u0900-\u097f]", of_both) is not None) == (language == "hi")


def test_reasons_of_the_server_are_in_the_language_of_the_page(open_page: Any, town: Any) -> None:
    page = open_page(locale="hi", expected=("415",))
    expect(page.locator("#status")).to_contain_text("12")
    page.locator("#status summary").click()
    broken = page.locator("#status li").filter(has_text="broken.jpg")
    expect(broken).to_contain_text("अधूरी या खराब है")
    page.keyboard.press("Escape")
    page.set_input_files("#photo", town.write("notes.txt", b"hello"))
    page.get_by_text("सर्वर ने क्या कहा").click()
    expect(page.locator(".problem details p")).to_contain_text("पढ़ी जा सके")
    gif = io.BytesIO()
    views = [town.view(place) for place in (3, 5)]
    views[0].save(gif, "WEBP", save_all=True, append_images=views[1:])
    page.set_input_files("#photo", town.write("moving.webp", gif.getvalue()))
    expect(page.locator("#query-facts")).to_contain_text("पहला लिया गया")


@pytest.mark.parametrize(("language", "named"), [("hi", "फ़ोटो 3: "), ("hi-Latn", "Photo 3: ")])
def test_a_reason_names_each_of_several_photos(
    open_page: Any, town: Any, language: str, named: str
) -> None:
    page = open_page(locale=language, expected=("415",))
    sentence = REASONS["no-photo"].format(what="the photo")
    told = PROBLEMS["unsupported-photo"].describe(f"Photo 3: {sentence}")
    page.route("**/v1/search?*", lambda route: route.fulfill(status=415, json=told))
    page.set_input_files("#photo", town.query(0))
    page.locator(".problem summary").click()
    expect(page.locator(".problem details p")).to_have_text(re.compile(f"^{named}"))


def test_a_sentence_without_a_code_is_shown_in_english(open_page: Any, town: Any) -> None:
    page = open_page(locale="hi", expected=("400",))
    told = PROBLEMS["bad-parameter"].describe("Something new is wrong; do this.")
    assert "reason" not in told
    page.route("**/v1/search?*", lambda route: route.fulfill(status=400, json=told))
    page.set_input_files("#photo", town.query(0))
    page.get_by_text("सर्वर ने क्या कहा").click()
    said = page.locator(".problem details p")
    expect(said).to_have_text("Something new is wrong; do this.")
    expect(said).to_have_attribute("lang", "en")


@pytest.mark.parametrize("language", ["en", "hi", "hi-Latn"])
def test_every_problem_is_told_in_words_with_a_mend(
    open_page: Any, town: Any, language: str
) -> None:
    page = open_page(expected=("the server responded with a status of",), locale=language)
    expect(page.locator("#status")).to_contain_text("12")
    alert = page.get_by_role("alert")
    photo = town.query(0)
    told: dict[str, Any] = {}
    seen: set[str] = set()

    def refuse(route: Route) -> None:
        headers = {"retry-after": "60", "content-type": "application/problem+json"}
        route.fulfill(status=told["status"], headers=headers, body=json.dumps(told))

    page.route("**/v1/search?*", refuse)
    for name, problem in PROBLEMS.items():
        told = problem.describe(f"The sentence of {name}.")
        page.set_input_files("#photo", photo)
        expect(page.locator(".problem details")).to_contain_text(told["detail"])
        words = alert.inner_text()
        assert words not in seen, name
        assert f"{told['status']}" not in words
        seen.add(words)
        assert alert.locator("p").first.inner_text().endswith("।" if language == "hi" else ".")
    check_accessible(page)
    page.unroute_all()
    page.set_input_files("#photo", photo)
    found(page, "street-0/00.jpg")
