"""A server whose disk is full says so, changes nothing, and goes on once there is room."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from place_search.indexer import open_index
from place_search.models import Model
from place_search.search.errors import StorageFullError
from place_search.search.stages import Stages
from tests.full_disk import files_up_to
from tests.search.killed_writer import MODEL, writer_of
from tests.search.replies import problem
from tests.search.writable import index_of_street, writable_server


@pytest.mark.slow
def test_every_change_says_that_the_disk_is_full(
    street: Any, model: Model, start_server: Callable[..., Any], tmp_path: Path
) -> None:
    folder = index_of_street(tmp_path, street, model, ("0.jpg", "1.jpg", "2.jpg", "3.jpg"))
    with writable_server(start_server, folder) as server, server.client() as client:
        client.delete("/v1/places/3").raise_for_status()
        before = open_index(folder).manifest

        def changes() -> list[Callable[[], httpx.Response]]:
            return [
                lambda: client.patch("/v1/places/0", json={"name": "North gate"}),
                lambda: client.patch("/v1/places/0/group", json={"add": [1]}),
                lambda: client.post("/v1/places/3/restore"),
                lambda: client.delete("/v1/places/2"),
            ]

        for size in (0, 40, 400):
            with files_up_to(size, server.started[-1].process.pid):
                for change in changes():
                    told = problem(change(), "storage-full")
                    assert told["reason"]["code"] == "disk-full"
                    assert str(tmp_path) not in told["detail"]
                    assert open_index(folder).manifest == before
        for change in changes():
            assert change().is_success


def test_a_place_that_does_not_fit_leaves_nothing(street: Any, tmp_path: Path) -> None:
    # Within this process: the decoding processes' memory would count as files, too.
    folder = index_of_street(tmp_path, street, MODEL, ("0.jpg", "1.jpg"))
    before = open_index(folder).manifest
    writer = writer_of(folder)
    photo = street.query(7)
    for size in (0, 40, 400):
        with files_up_to(size), pytest.raises(StorageFullError, match="disk is full"):
            writer.add(photo, None, "gate", stages=Stages())
        assert open_index(folder).manifest == before
        assert not list((tmp_path / "index-photos").glob("*.jpg*"))
    assert writer.add(photo, None, "gate", stages=Stages()).status == 201
