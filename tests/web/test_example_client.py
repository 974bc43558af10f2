"""examples/place-search.js, in a page of another site, asks a server for all that it can do."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from place_search.search.server.keys import new_key
from tests.web.conftest import PLACES, TIMEOUT_MS, Town, serving

PAGE = Path(__file__).parents[2] / "examples" / "page.html"


@pytest.fixture(scope="module")
def asking(
    browser: Browser, index_folder: Path, town: Town, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """A page with a client `server` of a writable server, and `photos` to send."""
    folder = tmp_path_factory.mktemp("example") / "town"
    shutil.copytree(index_folder, folder)
    secret, key = new_key("me", "write")
    keys = folder.parent / "keys"
    keys.write_text(key.line)
    options = ("--writable", "--public", "--keys", str(keys), "--cors", "*")
    with serving(folder, *options) as (_, address):
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(PAGE.as_uri())
        photos = [base64.b64encode(town.query(place).read_bytes()).decode() for place in (2, 3, 7)]
        page.evaluate(
            """([address, key, photos]) => {
                globalThis.server = new PlaceSearch(address, key);
                const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
                globalThis.photos = photos.map((text) => new Blob([bytes(text)]));
            }""",
            [address, secret, photos],
        )
        yield page
        page.close()


def test_it_searches_and_compares(asking: Page) -> None:
    found: Any = asking.evaluate(
        """async () => {
            const found = await server.search(photos[0], { k: 2, spots: true, box: undefined });
            const same = await server.compare(photos[0], photos[0]);
            const part = await server.compare(photos[0], photos[0], { box: [0, 0, 200, 200] });
            const { clusters } = await server.explain(photos[0]);
            const { clusters: same_clusters } = await server.model();
            const [index] = await server.indexes();
            const thumbnails = await server.thumbnails([3, 99, 0], 80);
            const { width } = await createImageBitmap(thumbnails.get(3));
            const dots = await server.dots([-180, -90, 180, 90], 1);
            return [found.results[0].place_id, same.probability, dots.features.length,
                clusters === same_clusters, part.similarity < same.similarity, index.places,
                [...thumbnails.keys()], width];
        }"""
    )
    assert found[0] == 2
    assert found[1] > 0.9
    assert found[2:] == [1, True, True, PLACES, [3, 0], 80]


def test_what_is_undefined_or_null_is_not_sent_and_a_box_is_taken_alike(asking: Page) -> None:
    told: Any = asking.evaluate(
        """async () => {
            const near = [48.005, 11.5];
            const box = [0, 0, 200, 200];
            const nothing = { folder: null, tag: [undefined, null], near: null, box: undefined };
            const said = { name: undefined, latitude: null, longitude: undefined, panorama: null };
            const all = await server.search(photos[0], { k: 3, ...nothing });
            const listed = await server.search(photos[0], { k: 3, box });
            const written = await server.search(photos[0], { k: 3, box: box.join(',') });
            const by_text = await server.compare(photos[0], photos[1], { box: box.join(',') });
            const by_list = await server.compare(photos[0], photos[1], { box });
            const { results: close } = await server.search(photos[0], { near, radius_m: 300 });
            const { name, place_id, position } = await server.add(photos[2], said);
            await server.remove(place_id);
            const first = ({ results }) => results.map(({ similarity }) => similarity);
            return [all.results.length, `${first(listed)}` === `${first(written)}`,
                `${first(listed)}` !== `${first(all)}`, by_text.similarity === by_list.similarity,
                close.length, name === 'undefined', position];
        }"""
    )
    assert told == [3, True, True, True, 4, False, None]


def test_it_tends_places_and_says_who_was_faster(asking: Page) -> None:
    told: Any = asking.evaluate(
        """async () => {
            const { place, etag } = await server.placeWithEtag(4);
            const edited = await server.edit(4, { note: 'red' }, etag);
            const why = (problem) => problem.type;
            const late = await server.edit(4, { note: 'blue' }, etag).catch(why);
            const gone = await server.remove(4, etag).catch(why);
            const { etag: old } = await server.groupWithEtag(1);
            const grouped = await server.changeGroup(1, { name: 'Gate', add: [8] });
            const second = await server.changeGroup(1, { name: 'x' }, old).catch(why);
            const groups = [];
            for await (const group of server.groups()) groups.push([group.name, group.photos]);
            const spots = [];
            for await (const { place_id } of server.places({ spots: true, limit: 5 })) {
                spots.push(place_id);
            }
            return { place: place.place_id, edited: edited.note, late, gone, second,
                grouped: grouped.place_ids, groups, spots };
        }"""
    )
    conflict = "/problems/edit-conflict"
    assert (told["place"], told["edited"], told["late"], told["gone"]) == (
        4,
        "red",
        *[conflict] * 2,
    )
    assert told["second"] == conflict
    assert told["grouped"] == [1, 8]
    assert told["groups"] == [["Gate", 2]]
    assert told["spots"] == [place for place in range(PLACES) if place != 8]


def test_it_adds_removes_and_restores(asking: Page) -> None:
    told: Any = asking.evaluate(
        """async () => {
            const made = await server.add(photos[0], { name: 'new' });
            const many = await server.addMany([photos[1], photos[2]]);
            const { place_id } = made;
            const removed = await server.remove(place_id);
            const gone = await server.place(place_id).catch((problem) => problem.status);
            const back = await server.restore(place_id);
            return [made.name, many.photos.length, removed, gone, back.place_id === place_id];
        }"""
    )
    assert told == ["new", 2, None, 404, True]


def test_it_follows_a_camera(asking: Page) -> None:
    told: Any = asking.evaluate(
        """async () => {
            const { track_id } = await server.openTrack();
            const first = await server.locate(track_id, photos[0]);
            const path = await server.track(track_id);
            const closed = await server.closeTrack(track_id);
            const gone = await server.track(track_id).catch((problem) => problem.type);
            return [first.track_id === track_id, path.track_id === track_id, closed, gone];
        }"""
    )
    assert told == [True, True, None, "/problems/unknown-track"]
