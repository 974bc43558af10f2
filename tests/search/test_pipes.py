"""A photo that has become a named pipe: nobody waits for it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from place_search.indexer import build_index, open_source
from place_search.models import Model
from tests.waiting import SECONDS


def test_a_photo_that_became_a_pipe_has_gone(
    start_server: Callable[..., Any], model: Model, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.jpg", "b.jpg"):
        Image.effect_noise((320, 240), 80).save(photos / name)
    build_index(open_source(photos), tmp_path / "index", model)
    (photos / "a.jpg").unlink()
    os.mkfifo(photos / "a.jpg")
    server = start_server(tmp_path / "index")
    with httpx.Client(base_url=server.address, timeout=SECONDS) as client:
        for _ in range(8):  # more than work on images at once
            gone = client.get("/v1/places/0/image")
            assert gone.status_code == 404
            assert gone.json()["type"] == "/problems/photo-gone"
        assert client.get("/v1/places/1/image").status_code == 200
        assert client.get("/v1/places/0/thumbnail").status_code == 200
        explained = client.post(
            "/v1/places/0/explain", files={"photo": ("a", (photos / "b.jpg").read_bytes())}
        )
        assert explained.status_code < 500
    assert server.stop() == 0
