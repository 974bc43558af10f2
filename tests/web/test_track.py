"""The track page."""

import json
import shlex
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Dialog, Page, Request, Response, expect

from tests.waiting import wait_until
from tests.web.settling import settle
from tests.web.test_pages import check_accessible

TOLD = "#told"


def walk(town: Any, places: tuple[int, ...]) -> list[Path]:
    """Photos whose names are in the order of these places."""
    return [
        town.write(f"walk-{step}.jpg", town.query(place).read_bytes())
        for step, place in enumerate(places, 9)
    ]


def follow(page: Page, server: str, photos: list[Path]) -> None:
    """Open the page, add photos, and wait until all are located."""
    page.goto(f"{server}track")
    page.set_input_files("#files", photos)
    expect(page.locator("#intake-note")).to_contain_text(f"{len(photos)} frames located.")


def test_photos_become_a_path_and_a_strip(open_page: Any, server: str, town: Any) -> None:
    page = open_page()
    answers: list[Any] = []
    page.on(
        "response",
        lambda answer: answers.append(answer) if answer.url.endswith("/frames") else None,
    )
    # By name, 9 comes before 10, 11 and 12.
    follow(page, server, list(reversed(walk(town, (0, 1, 2, 3)))))
    frames = [answer.json()["frame"] for answer in answers]
    assert len({frame["place_id"] for frame in frames}) > 1
    expect(page.locator("#now")).to_contain_text(frames[-1]["place"].removeprefix("places/"))
    expect(page.locator("#pair-name")).to_have_text("walk-12.jpg")
    page.locator("#strip li").first.click()
    expect(page.locator("#pair-name")).to_have_text("walk-9.jpg")
    expect(page.locator("#live")).to_have_text("4 frames located.")
    cards = page.locator("#strip li")
    expect(cards).to_have_count(4)
    for at, frame in enumerate(frames):
        thumbnail = f"v1/places/{frame['place_id']}/thumbnail"
        expect(cards.nth(at).locator("img").last).to_have_attribute("src", thumbnail)
    expect(page.locator("#map path.path")).to_have_count(1)
    assert page.locator("#map path.path").get_attribute("d").count("L") >= 1
    expect(page.locator("#stop")).to_be_hidden()
    check_accessible(page)


def test_the_keyboard_looks_at_one_frame_after_the_other(
    open_page: Any, server: str, town: Any
) -> None:
    page = open_page()
    follow(page, server, walk(town, (2, 2, 5)))
    scrub = page.get_by_role("slider")
    expect(page.locator(TOLD)).to_contain_text("Frame 3: ")
    scrub.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(TOLD)).to_contain_text("Frame 2: ")
    expect(scrub).to_have_attribute("aria-valuetext", page.locator(TOLD).inner_text())
    expect(page.locator("#pair-place img")).to_have_js_property("naturalWidth", 320)
    page.locator("#strip").focus()
    page.keyboard.press("Home")
    expect(page.locator(TOLD)).to_contain_text("Frame 1: ")
    expect(page.locator("#live")).to_have_text(page.locator(TOLD).inner_text())
    page.keyboard.press("ArrowRight")
    expect(page.locator("#strip li").nth(1)).to_have_attribute("aria-current", "true")
    # Who looks at an earlier frame is not taken away from it by new ones.
    page.set_input_files("#files", walk(town, (5,)))
    expect(page.locator("#strip li")).to_have_count(4)
    expect(page.locator(TOLD)).to_contain_text("Frame 2: ")


def test_a_file_that_is_no_photo_is_left_out(open_page: Any, server: str, town: Any) -> None:
    page = open_page(expected=("415",))
    page.goto(f"{server}track")
    wrong = town.write("walk-10.jpg", b"no photo at all")
    page.set_input_files("#files", [wrong])
    expect(page.get_by_role("alert")).to_contain_text("This file is not a photo")
    right = walk(town, (3,))
    page.set_input_files("#files", [*right, wrong])
    note = page.locator("#intake-note")
    expect(note).to_contain_text("1 frame located.")
    expect(note).to_contain_text("left out. This file is not a photo: walk-10.jpg")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_map_shows_all_places_until_one_is_found(
    open_page: Any, server: str, town: Any
) -> None:
    def shows_a_town(request: Request) -> bool:
        box = parse_qs(urlsplit(request.url).query).get("bbox", ["-180,-90,180,90"])[0]
        west, _, east, _ = map(float, box.split(","))
        return east - west < 1

    page = open_page()
    page.goto(f"{server}track")
    Image.new("RGB", (640, 480)).save(town.folder / "black.jpg")
    with page.expect_request(shows_a_town):
        page.set_input_files("#files", [town.folder / "black.jpg"])
    expect(page.locator("#intake-note")).to_contain_text("1 frame located.")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("walk.mp4", "walk.mp4"),
        ("my walk (1).m2ts", "'my walk (1).m2ts'"),
        ("Asha's.mp4", "'Asha'\\''s.mp4'"),
    ],
)
def test_a_video_without_frames_names_the_way_out(
    open_page: Any, town: Any, name: str, word: str
) -> None:
    assert shlex.split(word) == [name]
    page = open_page(at="track")
    page.set_input_files("#files", town.write(name, b"no video at all"))
    note = page.locator("#intake-note")
    said = f"finds no frames in {name}; run `place-search track INDEX {word} --out"
    expect(note).to_contain_text(said)
    expect(page.locator("#track")).to_be_hidden()


def test_a_track_starts_again(open_page: Any, server: str, town: Any) -> None:
    page = open_page()
    follow(page, server, walk(town, (2, 3)))
    with page.expect_response(lambda response: response.request.method == "DELETE") as closed:
        page.get_by_role("button", name="Start again").click()
    assert closed.value.status == 204
    expect(page.locator("#track")).to_be_hidden()
    expect(page.get_by_label("Choose photos or a video")).to_be_focused()
    page.set_input_files("#files", walk(town, (6,)))
    expect(page.locator(TOLD)).to_contain_text("Frame 1: ")
    expect(page.locator("#strip li")).to_have_count(1)


def declining(page: Page) -> list[str]:
    """Decline the next dialog; the list gets its type."""
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    return asked


def test_a_track_is_not_lost_without_a_word(open_page: Any, server: str, town: Any) -> None:
    page = open_page()
    follow(page, server, walk(town, (2, 3)))
    asked = declining(page)
    with page.expect_event("dialog"):
        page.get_by_role("button", name="Hindi (abc)").click(no_wait_after=True)
    assert asked == ["beforeunload"]
    expect(page.locator("#strip li")).to_have_count(2)
    page.get_by_role("button", name="Start again").click()
    page.get_by_role("button", name="Hindi (abc)").click()
    expect(page.locator("html")).to_have_attribute("lang", "hi-Latn")


def watch_tracks(page: Page) -> list[str]:
    """The addresses of the tracks that the page opens from now on."""
    opened: list[str] = []

    def note(answer: Response) -> None:
        if answer.url.endswith("/v1/tracks"):
            opened.append(answer.headers["location"])

    page.on("response", note)
    return opened


@pytest.mark.parametrize("workers", ["block", "allow"])
def test_a_track_is_closed_with_its_page(
    open_page: Any, server: str, town: Any, workers: str
) -> None:
    page = open_page(at="track", service_workers=workers)
    if workers == "allow":
        page.wait_for_function("() => navigator.serviceWorker.controller")
    opened = watch_tracks(page)
    for at in range(3):  # it is a race that a browser may win once
        follow(page, server, walk(town, (2, 3)))
        assert page.request.get(f"{server.rstrip('/')}{opened[at]}").json()["frames"] == 2
        page.goto(server)
    addresses = [f"{server.rstrip('/')}{path}" for path in opened]
    wait_until(
        lambda: all(page.request.get(address).status == 404 for address in addresses),
        "a track stayed open",
    )


def test_three_keys_lead_to_the_choice(open_page: Any) -> None:
    page = open_page(at="track")
    expect(page.get_by_role("navigation")).to_be_visible()
    for key in ("Tab", "Enter", "Tab"):
        page.keyboard.press(key)
    expect(page.get_by_label("Choose photos or a video")).to_be_focused()


def test_the_map_shows_though_frames_came_before_the_index(
    open_page: Any, server: str, town: Any
) -> None:
    page = open_page()
    held: list[Any] = []
    page.route("**/v1/index", lambda route: held.append(route))
    page.goto(f"{server}track")
    page.set_input_files("#files", walk(town, (2, 3)))
    expect(page.locator("#intake-note")).to_contain_text("2 frames located.")
    expect(page.locator("#map")).to_be_hidden()
    # What is held goes on, and so does what the page asks from now on.
    page.unroute("**/v1/index")
    expect(page.locator("#map path.path")).to_have_count(1)


def test_nothing_moves_while_frames_come(open_page: Any, server: str, town: Any) -> None:
    page = open_page(viewport={"width": 390, "height": 800}, is_mobile=True, has_touch=True)
    follow(page, server, walk(town, (2, 2)))
    page.evaluate(
        """() => {
            globalThis.moved = 0;
            new PerformanceObserver((list) => {
                for (const { value } of list.getEntries()) globalThis.moved += value;
            }).observe({ type: 'layout-shift' });
        }"""
    )
    page.set_input_files("#files", walk(town, (3, 5, 6)))
    expect(page.locator("#intake-note")).to_contain_text("5 frames located.")
    settle(page)
    assert page.evaluate("globalThis.moved") < 0.01


def test_a_track_that_the_server_closed_goes_on(open_page: Any, server: str, town: Any) -> None:
    page = open_page(expected=("404",))
    opened = watch_tracks(page)
    follow(page, server, walk(town, (2, 3)))
    page.evaluate("address => fetch(address, {method: 'DELETE'})", opened[0])
    page.set_input_files("#files", walk(town, (5,)))
    expect(page.locator("#strip li")).to_have_count(3)
    assert len(opened) == 2


@pytest.mark.parametrize("where", ["v1/tracks", "v1/tracks/*/frames"])
def test_a_busy_server_is_waited_for(open_page: Any, server: str, town: Any, where: str) -> None:
    page = open_page(expected=("429",))
    problem = {"type": "/problems/busy", "title": "Busy", "status": 429, "detail": "Busy."}
    page.route(
        f"**/{where}",
        lambda route: route.fulfill(
            status=429, headers={"Retry-After": "1"}, body=json.dumps(problem)
        ),
        times=1,
    )
    follow(page, server, walk(town, (2, 3)))
    expect(page.locator("#strip li")).to_have_count(2)


def film(town: Any, name: str, places: tuple[int, ...]) -> Path:
    """A video of a second at each place."""
    av = pytest.importorskip("av")
    path: Path = town.folder / name
    with av.open(str(path), "w") as video:
        stream = video.add_stream("libvpx", rate=Fraction(2))
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for place in places:
            view = Image.open(town.query(place)).resize((640, 480))
            for _ in range(2):
                video.mux(stream.encode(av.VideoFrame.from_image(view)))
        video.mux(stream.encode())
    return path


def test_a_video_is_a_track_of_its_own(open_page: Any, server: str, town: Any) -> None:
    page = open_page(at="track")
    opened = watch_tracks(page)
    films = [film(town, f"walk-{number}.webm", (2, 3)) for number in (1, 2)]
    page.set_input_files("#files", films)
    expect(page.locator("#intake-note")).to_have_text("4 frames located.")
    assert len(opened) == 2
    for number, place in enumerate((2, 3), 5):
        page.set_input_files("#files", walk(town, (place,)))
        expect(page.locator("#strip li")).to_have_count(number)
        assert len(opened) == 3
    address = f"{server.rstrip('/')}{opened[0]}"
    wait_until(lambda: page.request.get(address).status == 404, "the first track stayed open")


def test_a_video_gives_a_frame_a_second(open_page: Any, town: Any) -> None:
    path = film(town, "walk.webm", (2, 3, 5))
    page = open_page(at="track")
    page.set_input_files("#files", path)
    expect(page.locator("#intake-note")).to_have_text("3 frames located.")
    expect(page.locator("#pair-name")).to_have_text("walk.webm-00002.jpg")
    expect(page.locator("#pair-frame img")).to_have_js_property("naturalWidth", 640)


def test_the_camera_is_followed_until_it_is_stopped(open_page: Any) -> None:
    page = open_page(at="track")
    page.get_by_role("button", name="Use the camera").click()
    # This browser has no camera.
    expect(page.locator("#intake-note")).to_contain_text("The camera is not there")
    page.evaluate(
        """() => {
            const canvas = document.createElement('canvas');
            const context = canvas.getContext('2d');
            context.fillStyle = 'teal';
            setInterval(() => context.fillRect(0, 0, Math.random() * 300, 90), 50);
            navigator.mediaDevices.getUserMedia = async () => canvas.captureStream();
        }"""
    )
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator("#strip li").nth(1)).to_be_attached()
    live = page.locator("#live-camera")
    expect(live).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#intake-note")).to_contain_text("frames located.")
    expect(live).to_be_hidden()
    assert live.evaluate("video => video.srcObject") is None
    expect(page.get_by_role("button", name="Start again")).to_be_focused()


def test_a_heading_just_west_of_north_is_0_in_each_language(open_page: Any) -> None:
    told = open_page(at="track").evaluate(
        """async () => {
            const from = (name) => import(new URL(name, document.baseURI));
            const headings = [];
            for (const language of ['en', 'hi', 'hi-latn']) {
                const { trackWords } = await from(`track-${language}.js`);
                const { words } = await from(`words-${language}.js`);
                headings.push(trackWords.heading(359.7), words.compass(359.7));
            }
            return headings;
        }"""
    )
    assert all(" 0°" in heading for heading in told), told
