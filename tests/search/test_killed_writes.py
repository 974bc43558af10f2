"""A server that is killed while it adds or removes a place leaves nothing behind."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from place_search.indexer import build_index, open_index, open_source
from place_search.models import Model
from place_search.search.server.keys import new_key
from tests.processes import unmeasured
from tests.waiting import SECONDS, wait_until

SCRIPT = Path(__file__).with_name("killed_writer.py")


@pytest.fixture
def photos(street: Any, tmp_path: Path) -> Path:
    """Three photos to index, and two more."""
    for number, name in enumerate(("photos/0", "photos/1", "photos/2", "more/a", "more/b")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(street.folder / f"{number:02d}.jpg", tmp_path / f"{name}.jpg")
    return tmp_path / "photos"


@pytest.mark.parametrize("change", ["add", "remove"])
def test_killed_before_each_step(photos: Path, change: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(photos.parent), change],
        capture_output=True,
        text=True,
        check=False,
        env=unmeasured(),
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_a_killed_server_starts_without_what_it_left(
    photos: Path, model: Model, start_server: Callable[..., Any]
) -> None:
    folder = photos.parent / "index"
    build_index(open_source(photos), folder, model)
    secret, key = new_key("me", "write")
    (photos.parent / "keys").write_text(key.line)
    options = "--writable", "--keys", str(photos.parent / "keys")
    kept = photos.parent / "index-photos"
    server = start_server(folder, *options, measured=False)
    photo = {"photo": (photos.parent / "more" / "a.jpg").read_bytes()}

    def post() -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx.post(
            f"{server.address}v1/places", files=photo, headers=headers, timeout=SECONDS
        )

    with ThreadPoolExecutor() as pool:
        posted = pool.submit(post)
        wait_until(lambda: posted.done() or list(kept.glob("*.jpg")), "nothing is written")
        assert not posted.done(), posted.result().text
        server.process.kill()
        with pytest.raises(httpx.TransportError):
            posted.result()
    assert list(kept.glob("*.jpg"))
    server = start_server(folder, *options, measured=False)
    assert list(kept.glob("*.jpg*")) == []
    assert open_index(folder).count == 3
    assert post().status_code == 201
    assert len(list(kept.glob("*.jpg*"))) == 1
    assert server.stop() == 0
