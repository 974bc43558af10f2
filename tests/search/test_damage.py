"""A server whose index is damaged while it runs answers, says so, and takes up what is mended."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import httpx

from place_search.indexer import build_index, open_source, repair_index
from place_search.models import Model
from tests.waiting import SECONDS, wait_until


def test_damage_is_a_problem_until_it_is_mended(
    street: Any, model: Model, start_server: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for place in range(4):
        shutil.copy(street.folder / f"{place:02d}.jpg", tmp_path / "photos")
    folder = tmp_path / "index"
    build_index(open_source(tmp_path / "photos"), folder, model, photos_per_shard=2)
    server = start_server(folder, "--log")
    with httpx.Client(base_url=server.address, timeout=SECONDS) as client:

        def search(**options: Any) -> httpx.Response:
            return client.post("/v1/search", files={"photo": street.query(2)}, params=options)

        whole = search().json()
        assert "damaged" not in client.get("/readyz").json()
        # Mapped, it would end the server.
        (folder / "descriptors.h5").write_bytes(b"")
        for name, array in ("descriptors/00000.h5", "cells"), ("thumbnails/00001.h5", "jpeg"):
            with h5py.File(folder / name, "r+") as file:
                file[array][...] = ~file[array][...]

        for answer in (search(), client.get("/v1/places/2/thumbnail"), search()):
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/index-damaged")
            assert "is damaged" in answer.json()["detail"]
            assert str(tmp_path) not in answer.text
        assert search(verify=False).json()["results"][0]["name"] == "02.jpg"
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert "is damaged" in ready.json()["damaged"]
        assert str(tmp_path) not in ready.text
        assert 'place_search_index_damaged{index="index"} 1.0' in client.get("/metrics").text

        assert repair_index(folder, lambda: model).whole
        wait_until(lambda: "damaged" not in client.get("/readyz").json(), "it is not noticed")
        assert [found["probability"] for found in search().json()["results"]] == [
            found["probability"] for found in whole["results"]
        ]
        assert client.get("/v1/places/2/thumbnail").status_code == 200
    assert server.stop() == 0
    assert "Traceback" not in server.text()
    _, log = server.text().split("Ctrl-C\n")
    lines = [json.loads(line) for line in log.splitlines()]
    told = [line for line in lines if "mend it with" in line.get("message", "")]
    assert [line["event"] for line in told] == ["error", "error"], "one line for each file"
    assert not any("traceback" in line for line in lines)
