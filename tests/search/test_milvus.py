"""An index whose vectors are in Milvus: in a file of milvus-lite, and on a real server."""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pymilvus
import pytest

import place_search
from place_search.core.geodesy import Position
from place_search.indexer import (
    Index,
    StoreOutageError,
    add_photos,
    build_index,
    compact_index,
    open_index,
    open_source,
    read_manifest,
    remove_places,
    repair_index,
    verify_index,
)
from place_search.indexer.stores import milvus_builder, milvus_client
from place_search.indexer.stores.milvus_client import milvus_connection
from place_search.indexer.stores.milvus_ledger import LEDGER
from place_search.indexer.stores.milvus_store import CHANGES, FIELDS, count_vectors
from place_search.models import Model
from place_search.search.engine import Engine
from tests.search.test_milvus_connection import free_port
from tests.waiting import SECONDS

ENGINES = ["lite", pytest.param("server", marks=pytest.mark.milvus_server)]


@pytest.fixture(params=ENGINES)
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "server":
        return str(request.getfixturevalue("milvus_server").uri)
    return str(tmp_path / "lite.db")


@pytest.fixture
def photos(street: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    shutil.copytree(street.folder, folder)
    return folder


@pytest.fixture
def made(photos: Path, uri: str, model: Model, tmp_path: Path) -> Path:
    """The folder of an index of the street, but for its last place."""
    last = (photos / "11.jpg").rename(tmp_path / "11.jpg")
    folder = tmp_path / "index"
    report = build_index(open_source(photos), folder, model, store="milvus", uri=uri)
    last.rename(photos / "11.jpg")
    assert report.store.explanation == (
        "milvus: as requested; recall@10 1.000 against exact search"
    )
    return folder


def collection(folder: Path) -> str:
    return str(json.loads((folder / "index.milvus").read_text())["collection"])


def names(index: Index, query: bytes, model: Model, **more: Any) -> list[str]:
    return [result.name for result in Engine(index, model).search(query, **more).results]


def test_it_lives_and_answers_as_faiss_does(
    made: Path,
    photos: Path,
    street: Any,
    model: Model,
    tmp_path: Path,
) -> None:
    assert not (made / "index.faiss").exists()
    assert verify_index(made).problems == []
    add_photos(made, open_source(photos), model)
    remove_places(made, [2, 3])
    with_milvus = open_index(made)
    first = collection(made)
    shutil.copytree(made, tmp_path / "faiss")
    compact_index(tmp_path / "faiss", store="auto")
    assert open_index(tmp_path / "faiss").store_card.kind == "exact"
    assert not (tmp_path / "faiss" / "index.milvus").exists()
    with_faiss = open_index(tmp_path / "faiss")
    for place in (0, 2, 5, 11):
        query = street.query(place)
        expected = names(with_faiss, query, model)
        assert names(with_milvus, query, model) == expected
        near: dict[str, Any] = {"near": Position(48.004, 11.5), "radius_m": 250}
        assert names(with_milvus, query, model, **near) == names(with_faiss, query, model, **near)
        verified = names(with_faiss, query, model, verify=True)
        assert names(with_milvus, query, model, verify=True) == verified
    assert compact_index(made).compacted
    assert not compact_index(made).compacted
    assert collection(made) != first
    compacted = open_index(made)
    assert compacted.store_card.count == compacted.count
    assert verify_index(made).problems == []


def test_places_are_there_with_their_positions(made: Path, uri: str) -> None:
    rows = milvus_connection(uri).call(
        "query",
        collection(made),
        filter="place_id >= 0",
        output_fields=["place_id", "name", "latitude", "longitude"],
        limit=100,
        consistency_level="Strong",
    )
    index = open_index(made)
    assert len(rows) == index.count
    for row in rows:
        place = index.place(row["place_id"])
        assert place.name == row["name"]
        if place.position is None:
            assert row["latitude"] > 90
        else:
            assert (row["latitude"], row["longitude"]) == pytest.approx(place.position)


def test_a_lost_collection_is_made_again_of_the_shards(
    made: Path, uri: str, street: Any, model: Model
) -> None:
    served = open_index(made)
    link, first = milvus_connection(uri), collection(made)
    link.call("drop_collection", first)
    with pytest.raises(StoreOutageError, match=r"has lost the collection .*verify INDEX --repair"):
        names(served, street.query(1), model)
    (problem,) = verify_index(made).problems
    assert problem.file == "index.milvus"
    report = repair_index(made, lambda: pytest.fail("no photo needs to be described"))
    assert (report.whole, report.repaired) == (True, ["index.milvus"])
    assert names(open_index(made), street.query(1), model)[0] == "01.jpg"


@pytest.mark.parametrize(
    ("dims", "lacking", "difference"),
    [
        (32, "", "its vectors have 32 numbers, and those of the index "),
        (0, "latitude", "the field latitude does not exist there, and DOUBLE in the index"),
    ],
)
def test_another_collection_of_the_name_is_no_outage(
    made: Path,
    uri: str,
    photos: Path,
    street: Any,
    model: Model,
    dims: int,
    lacking: str,
    difference: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_photos(made, open_source(photos), model)
    link, name = milvus_connection(uri), collection(made)
    link.call("drop_collection", name)
    with monkeypatch.context() as patched:
        fields = {
            f"own_{field}" if field == lacking else field: kind for field, kind in FIELDS.items()
        }
        patched.setattr(milvus_builder, "FIELDS", fields)
        milvus_builder._create(link, name, dims or model.card.dims)
        milvus_builder._index(link, name, "FLAT")
    for use in (
        lambda: names(open_index(made), street.query(1), model),
        lambda: compact_index(made),
    ):
        with pytest.raises(StoreOutageError, match=rf"not that of the index: {difference}.*repair"):
            use()
    (problem,) = verify_index(made).problems
    assert problem.file == "index.milvus"
    assert repair_index(made, lambda: pytest.fail("no photo needs to be described")).whole
    assert names(open_index(made), street.query(1), model)[0] == "01.jpg"


def other_metric(link: milvus_client.MilvusConnection, name: str) -> None:
    """Let another program compare the vectors of a collection by another metric."""
    link.call("release_collection", name)
    (index,) = link.call("list_indexes", name)
    link.call("drop_index", name, index_name=index)
    parameters = pymilvus.MilvusClient.prepare_index_params()
    parameters.add_index("descriptor", index_type="FLAT", metric_type="L2", params={})
    link.call("create_index", name, seconds=SECONDS, index_params=parameters)
    link.call("load_collection", name, seconds=SECONDS)


def fewer_vectors(link: milvus_client.MilvusConnection, name: str) -> None:
    """Let another program delete vectors of a collection."""
    before = count_vectors(link, name, CHANGES, SECONDS)
    link.call("delete", name, ids=[1, 2, 3])
    # Now other searches see it, too.
    assert count_vectors(link, name, CHANGES, SECONDS) == before - 3


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (other_metric, "its vectors are compared by L2, and those of the index by IP"),
        (fewer_vectors, r"it has only \d+ of the \d+ vectors of the index"),
    ],
)
def test_a_collection_that_another_program_has_changed(
    made: Path,
    uri: str,
    photos: Path,
    street: Any,
    model: Model,
    change: Callable[..., object],
    difference: str,
) -> None:
    """Its searches would fail for ever, or find less than there is; so would its changes."""
    add_photos(made, open_source(photos), model)
    change(milvus_connection(uri), collection(made))
    for use in (
        lambda: names(open_index(made), street.query(1), model),
        lambda: compact_index(made),
    ):
        with pytest.raises(StoreOutageError, match=rf"not that of the index: {difference}.*repair"):
            use()
    assert repair_index(made, lambda: pytest.fail("no photo needs to be described")).whole
    assert names(open_index(made), street.query(1), model)[0] == "01.jpg"


def test_readers_of_the_version_before_go_on_and_no_collection_is_left(
    made: Path, uri: str, street: Any, model: Model
) -> None:
    served, link = open_index(made), milvus_connection(uri)
    made_by_now = {collection(made)}
    for _ in range(3):
        compact_index(made, store="milvus", uri=uri)
        made_by_now.add(collection(made))
        assert names(served, street.query(1), model)[0] == "01.jpg"
        served = open_index(made)
    assert len(made_by_now) == 4
    assert len(made_by_now & set(link.call("list_collections"))) == 2
    assert len((made / LEDGER).read_text().splitlines()) == 3  # the first names the folder


def test_a_copy_of_an_index_and_the_original_change_apart(
    made: Path, uri: str, photos: Path, street: Any, model: Model, tmp_path: Path
) -> None:
    """Their new places have the same ids."""
    copy = shutil.copytree(made, tmp_path / "copy")
    others = tmp_path / "others"
    others.mkdir()
    (others / "other.jpg").write_bytes(street.query(3))
    for folder, source in ((made, photos), (copy, others)):
        add_photos(folder, open_source(source), model)
        assert compact_index(folder).compacted
    assert collection(made) != collection(copy)
    for folder, name in ((made, "11.jpg"), (copy, "other.jpg")):
        assert verify_index(folder).problems == []
        index = open_index(folder)
        (place,) = [place for place in index.places() if place.name == name]
        row = index.row_of(place.place_id)
        assert index.search(index.descriptors().take([row])[0], 1)[0].place_id == place.place_id
    for _ in range(2):
        compact_index(copy, store="milvus", uri=uri)
    assert names(open_index(made), street.query(1), model)[0] == "01.jpg"


@pytest.mark.parametrize("is_copy", [False, True])
def test_a_killed_build_leaves_the_old_version(
    made: Path,
    uri: str,
    street: Any,
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_copy: bool,
) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "copy")) if is_copy else made
    link = milvus_connection(uri)
    before, there = open_index(folder).index_id, set(link.call("list_collections"))
    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr("place_search.indexer.stores.milvus_builder._index", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                compact_index(folder, store="milvus", uri=uri)
        assert len(set(link.call("list_collections")) - there) == 1
    assert open_index(folder).index_id == before
    for _ in range(2):
        compact_index(folder, store="milvus", uri=uri)
        assert len(set(link.call("list_collections")) - there) <= 2
        assert names(open_index(folder), street.query(1), model)[0] == "01.jpg"
    assert names(open_index(made), street.query(1), model)[0] == "01.jpg"


@pytest.fixture
def unreachable(made: Path) -> Path:
    """An index whose Milvus has moved to where nobody answers."""
    manifest = read_manifest(made)
    moved = {**manifest.store, "uri": f"http://127.0.0.1:{free_port()}"}
    replace(manifest, store=moved).write(made)
    return made


@pytest.mark.parametrize("uri", ["lite"], indirect=True)
def test_an_outage_is_a_503_with_a_reason(
    unreachable: Path, street: Any, start_server: Callable[..., Any]
) -> None:
    running = start_server(unreachable)
    with httpx.Client(base_url=running.address, timeout=SECONDS) as client:
        for _ in range(2):
            reply = client.post("/v1/search", files={"photo": street.query(1)})
            assert (reply.status_code, reply.json()["type"]) == (503, "/problems/engine-down")
            assert "does not answer" in reply.json()["detail"]
            assert "127.0.0.1" not in reply.text
            assert reply.headers["retry-after"]
        assert client.get("/v1/places/1").status_code == 200
        assert client.get("/livez").status_code == 200
    assert "Milvus at http://127.0.0.1" in running.text()
    with pytest.raises(StoreOutageError, match="once it does, try again"):
        place_search.search(unreachable, street.query(1))


@pytest.mark.parametrize("uri", ["lite"], indirect=True)
def test_a_token_goes_only_to_the_address_that_its_user_names(
    unreachable: Path, street: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = []

    class Refused(pymilvus.MilvusClient):  # type: ignore[misc]
        def __init__(self, uri: str, token: str, **_: object) -> None:
            tokens.append((uri, token))
            raise ConnectionRefusedError

    monkeypatch.setattr("pymilvus.MilvusClient", Refused)
    address = read_manifest(unreachable).store["uri"]
    monkeypatch.setenv("PLACE_SEARCH_MILVUS_TOKEN", "root:secret")
    monkeypatch.setattr(milvus_client, "_named", set())
    withheld = "PLACE_SEARCH_MILVUS_TOKEN is sent only to the address of --uri or PLACE_SEARCH_URI"
    for named, token in (("", ""), ("http://127.0.0.1:1", ""), (f"{address}/", "root:secret")):
        monkeypatch.setenv("PLACE_SEARCH_URI", named)
        milvus_client._connections.clear()
        with pytest.raises(StoreOutageError) as refused:
            place_search.search(unreachable, street.query(1))
        assert tokens.pop() == (address, token)
        assert (withheld in str(refused.value)) is (not token)
    monkeypatch.delenv("PLACE_SEARCH_URI")
    milvus_client._connections.clear()
    with pytest.raises(StoreOutageError):
        compact_index(unreachable, store="milvus", uri=address)
    assert tokens.pop() == (address, "root:secret")


@pytest.mark.parametrize("uri", ["lite"], indirect=True)
def test_collections_of_others_are_not_dropped(made: Path, uri: str) -> None:
    link = milvus_connection(uri)
    link.call("create_collection", "mine", dimension=2)
    with (made / LEDGER).open("a") as ledger:
        ledger.write(f"mine {uri}\n")
    for _ in range(2):
        compact_index(made, store="milvus", uri=uri)
    assert "mine" in link.call("list_collections")


def test_python_names_the_milvus_and_the_level_of_its_log(
    photos: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger("pymilvus"), "level", logging.ERROR)
    place_search.index(photos, "town", model=model, store="milvus", uri=Path("town.db"))
    card = open_index(tmp_path / "town").store_card
    assert (card.kind, card.uri) == ("milvus", str(tmp_path / "town.db"))
    assert logging.getLogger("pymilvus").level == logging.ERROR


@pytest.mark.parametrize("uri", ["lite"], indirect=True)
def test_a_connection_ends_with_the_last_index_that_uses_it(
    made: Path, street: Any, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    close = pymilvus.MilvusClient.close

    def noted(client: Any) -> None:
        closed.append("closed")
        close(client)

    monkeypatch.setattr("pymilvus.MilvusClient.close", noted)
    with open_index(made) as index:
        with open_index(made) as other:
            assert names(other, street.query(1), model)[0] == "01.jpg"
        assert names(index, street.query(1), model)[0] == "01.jpg"
        assert not closed
    assert closed
