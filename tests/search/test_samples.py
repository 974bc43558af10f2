"""What a server serves of the photos that it offers to try."""

from pathlib import Path

import pytest

from place_search.search.engine import Engine
from place_search.search.server.app import create_app
from place_search.search.server.content.samples import Samples
from place_search.search.server.keys import new_key
from tests.search.asking import asker


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Two photos and a pair of one of them, in a folder with another file."""
    for name in ("one.jpg", "other.jpg", "secret.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    one, other = tmp_path / "one.jpg", tmp_path / "other.jpg"
    return Samples((one,), ((one, other),))


def test_only_the_photos_offered_are_served(engine: Engine, samples: Samples) -> None:
    ask = asker(create_app(engine, samples=samples))
    offered = ask("GET", "/page.json").json()["samples"]
    assert offered == {
        "queries": ["samples/0.jpg"],
        "pairs": [["samples/0.jpg", "samples/1.jpg"]],
    }
    photo = ask("GET", "/samples/1.jpg")
    assert (photo.content, photo.headers["content-type"]) == (b"other.jpg", "image/jpeg")
    for address in ("2.jpg", "secret.jpg", "../secret.jpg", "%2e%2e/secret.jpg", "", "0.jpg/.."):
        assert ask("GET", f"/samples/{address}").status_code == 404
    samples.queries[0].unlink()
    assert ask("GET", "/samples/0.jpg").status_code == 404


def test_nobody_sees_them_without_a_key_that_is_asked_for(engine: Engine, samples: Samples) -> None:
    secret, key = new_key("reader", "read")
    ask = asker(create_app(engine, samples=samples, keys=[key]))
    assert ask("GET", "/samples/0.jpg").status_code == 401
    headers = {"X-API-Key": secret}
    assert ask("GET", "/samples/0.jpg", headers=headers).content == b"one.jpg"


def test_a_server_offers_none_by_default(engine: Engine) -> None:
    ask = asker(create_app(engine))
    assert "samples" not in ask("GET", "/page.json").json()
    assert ask("GET", "/samples/0.jpg").status_code == 404
