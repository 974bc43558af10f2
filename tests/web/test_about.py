"""The about page."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.web.test_pages import check_accessible


def test_the_model_is_shown_on_the_reader_s_own_photo(open_page: Any, town: Any) -> None:
    page = open_page(at="about")
    expect(page.locator("#serving")).to_contain_text("lite0-netvlad-1024")
    expect(page.locator("#serving")).to_contain_text("64 × 112 = 7,168")
    # There is a photo of the index to see before the reader's own.
    expect(page.locator("#photo-name")).to_have_text(re.compile(r"street-\d+/\d+\.jpg"))
    page.set_input_files("#photo", town.query(5, sideways=True))
    expect(page.locator("#photo-name")).to_have_text("query-5-sideways.jpg")
    expect(page.locator("#cells-count")).to_have_text(re.compile(r"^\d+ × \d+ = [\d,]+ cells$"))
    size = page.locator("#cells").evaluate("canvas => [canvas.width, canvas.height]")
    assert size[0] < size[1]  # upright
    expect(page.locator("#halves canvas")).to_have_count(5)
    first, *_, last = page.locator("#halves span").all_inner_texts()
    assert first.endswith(" × 3")
    columns_and_rows = page.locator("#cells-count").inner_text().partition(" = ")[0]
    assert last == f"{columns_and_rows} × 112"  # of the model that serves
    expect(page.locator("#steps")).not_to_contain_text("Your photo")
    for number in ("64 × 512 = 32,768", "64 × 112 = 7,168", ".pth", ".mat", ".onnx", ".h5"):
        expect(page.locator("main")).to_contain_text(number)


def test_what_is_english_on_a_page_in_hindi_is_read_as_english(open_page: Any) -> None:
    page = open_page(at="about", locale="hi")
    expect(page.locator("#serving dd").first).to_contain_text("lite0-netvlad-1024")
    for english in (page.locator("#serving").get_by_text("k-means"), page.locator("cite").first):
        assert english.evaluate("part => part.closest('[lang]').lang") == "en"


def test_one_cluster_is_seen_alone(open_page: Any, town: Any) -> None:
    page = open_page(at="about")
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#photo-name")).to_have_text("query-3.jpg")
    expect(page.locator("#cluster-note")).to_contain_text("of 64 clusters occur in this photo")

    def colours() -> str:
        url: str = page.locator("#cells").evaluate("canvas => canvas.toDataURL()")
        return url

    together = colours()
    chip = page.locator("#chips button").first
    chip.press("Enter")
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#cluster-note")).to_have_text(re.compile(r"^Cluster \d+: \d+ cells$"))
    assert colours() != together
    chip.press("Enter")
    assert colours() == together


def test_a_bad_photo_is_told_with_the_mend(open_page: Any, server: str, town: Any) -> None:
    page = open_page(expected=("415",))
    page.goto(f"{server}about")
    expect(page.locator("#cells")).to_be_visible()
    page.set_input_files("#photo", town.write("note.txt", b"hello"))
    expect(page.get_by_role("alert")).to_contain_text("This file is not a photo")


def test_a_photo_that_the_browser_cannot_show_leaves_no_drawing_of_another(
    open_page: Any, town: Any
) -> None:
    page = open_page(at="about")
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#photo-name")).to_have_text("query-3.jpg")
    expect(page.locator("#chips button").first).to_be_visible()
    photo = town.folder / "query-5.heic"  # the server reads it, and Chromium does not
    town.view(5).save(photo, "HEIF")
    page.set_input_files("#photo", photo)
    expect(page.locator("#photo-name")).to_contain_text("query-5.heic. This browser cannot show")
    for drawing in ("#seen", "#halves", "#cells"):
        expect(page.locator(drawing)).to_be_hidden()
    expect(page.locator("#chips button")).to_have_count(0)
    expect(page.locator("#cluster-note")).to_be_empty()
    expect(page.locator("#descriptor")).to_be_visible()
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#cells")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "hi", "hi-Latn"])
def test_every_question_opens_by_keyboard(open_page: Any, language: str) -> None:
    page = open_page(
        locale=language, color_scheme="dark" if language == "hi" else "light", at="about"
    )
    expect(page.locator("#cells")).to_be_visible()
    questions = page.locator(".asks details")
    expect(questions).to_have_count(8)
    for at in range(1, 8):
        question = questions.nth(at)
        summary = question.locator("summary")
        # The sign before it is not read.
        expect(summary).to_have_accessible_name(summary.inner_text())
        question.locator("summary").press("Enter")
        expect(question.locator("p, ol").first).to_be_visible()
    expect(page.locator(".walk li")).to_have_count(7)
    expect(page.locator(".asks pre")).to_contain_text("weights import model_best.pth.tar --as")
    endings = [".pth, .pt", ".pth.tar", ".pkl", ".m", ".mat", ".h5", ".onnx", ".safetensors"]
    assert page.locator(".files dt").all_inner_texts() == endings
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [390] * 2
    check_accessible(page)
