"""A served index keeps up its own calibration as photos are added over HTTP."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest

from place_search.indexer import open_index
from place_search.indexer.storage.lock import lock
from place_search.models import Model
from place_search.photos import Decoder
from place_search.search import index_calibration
from place_search.search.engine import Engine
from place_search.search.index_calibration import FILE, read_index_calibration
from place_search.search.server.server import SandboxedDecode
from place_search.search.server.writer import Writer
from place_search.search.stages import Stages
from tests.search.writable import index_of_street

pytestmark = pytest.mark.slow


@pytest.fixture
def plain(model: Model) -> Model:
    """The included model without its calibration, as an imported one is."""
    one = copy.copy(model)
    one.card = replace(model.card, calibration=None)
    return one


@pytest.fixture
def service(street: Any, plain: Model, tmp_path: Path) -> Iterator[Any]:
    index = index_of_street(tmp_path, street, plain, ["0.jpg", "1.jpg"])
    decoder = Decoder(workers=1)
    read = SandboxedDecode(decoder, plain.preprocessings)

    def load(*_: object) -> Engine:
        return Engine(open_index(index), plain, decode=read)

    state = SimpleNamespace(
        engine=load(),
        opening=Lock(),
        decode_seconds=5.0,
        max_body_bytes=1 << 24,
        decoder=decoder,
        load=load,
    )
    state.replace = lambda engine: setattr(state, "engine", engine)
    state.writer = Writer(state, index, decoder, load)
    yield state
    decoder.close()


def measured_on(service: Any) -> int | None:
    kept = read_index_calibration(service.engine.index)
    return None if kept is None else kept.places


def test_it_is_measured_again_when_the_index_has_doubled(
    service: Any, street: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calibration of an index of two places stayed while 59 were added."""

    read = Model.read

    def read_here(model: Model, source: bytes | Path, **how: Any) -> Any:
        assert isinstance(source, bytes), "a photo of the index is decoded in this process"
        return read(model, source, **how)

    monkeypatch.setattr(Model, "read", read_here)
    assert measured_on(service) is None
    for places, measured in ((3, 3), (5, 3), (6, 6)):
        new = range(service.engine.index.count, places)
        uploads = [(f"{place}.jpg", street.query(place)) for place in new]
        service.writer.add_many(uploads, stages=Stages())
        assert (service.engine.index.count, measured_on(service)) == (places, measured)
    kept = read_index_calibration(service.engine.index)
    assert kept is not None
    assert service.engine.calibration == kept.calibration, "the next search goes by it"


def test_a_photo_is_added_where_nothing_can_be_measured(
    service: Any, street: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = service.engine.index.folder

    def busy(index: Any, measured: object, *, patience: float) -> None:
        with lock(index.folder), lock(index.folder, patience=patience):
            pass

    monkeypatch.setattr(index_calibration, "write_index_calibration", busy)
    answer = service.writer.add(street.query(2), None, "", stages=Stages())
    assert (answer.status, service.engine.index.count) == (201, 3)
    assert "The calibration is not measured again" in caplog.text
    assert not (folder / FILE).exists()
