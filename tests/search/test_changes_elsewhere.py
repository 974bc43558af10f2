"""Changes over HTTP while another program changes the index, or the disk is full."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from place_search.indexer import (
    EditConflictError,
    IndexBusyError,
    UnknownPlaceError,
    add_photos,
    build_index,
    change_groups,
    compact_index,
    open_index,
    open_source,
    read_manifest,
    remove_places,
)
from place_search.indexer.storage import contents
from place_search.indexer.storage.manifest import Manifest
from place_search.models import Model
from place_search.photos import UnreadablePhotoError
from place_search.photos.photo import Facing
from place_search.search.engine import Engine
from place_search.search.errors import BusyError, CannotChangeError
from place_search.search.groups.by_hand import GroupEdit
from place_search.search.server.content.groups import group_dict
from place_search.search.server.content.kept_answers import (
    FILE,
    Answer,
    KeptAnswers,
    RequestKey,
)
from place_search.search.server.content.matching import group_tag, place_tag
from place_search.search.server.writer import Writer
from place_search.search.stages import Stages
from tests.search.conftest import jpeg
from tests.search.writable import index_of_street


class Service:
    """A server's state that nobody tells of new versions."""

    decode_seconds = 5.0

    def __init__(self, index: Path, model: Model) -> None:
        self.folder, self.model = index, model
        self.opening = threading.Lock()
        self.engine = self.load()

    def load(self, *_: object) -> Any:
        return Engine(open_index(self.folder), self.model)

    def replace(self, engine: Any) -> None:
        self.engine = engine


@pytest.fixture
def index(street: Any, model: Model, tmp_path: Path) -> Path:
    return index_of_street(tmp_path, street, model, [f"{n}.jpg" for n in range(6)])


@pytest.fixture
def service(index: Path, model: Model) -> Service:
    return Service(index, model)


@pytest.fixture
def writer(service: Service, index: Path) -> Writer:
    served: Any = service
    unused: Any = None
    return Writer(served, index, unused, service.load)


def test_what_is_said_of_a_place_is_not_said_of_another_with_its_id(
    writer: Writer, service: Service, index: Path, model: Model
) -> None:
    read = place_tag(service.engine.index.place(0))
    photos = index.parent / "photos"
    (photos / "0.jpg").rename(photos / "z.jpg")
    build_index(open_source(photos), index, model)  # made again: ids begin at 0
    with pytest.raises(EditConflictError, match="not as you have read it"):
        writer.edit(0, {"note": "the gate"}, read, stages=Stages())
    with pytest.raises(EditConflictError):
        writer.remove(0, read, stages=Stages())
    assert open_index(index).count == 6
    assert service.engine.index.place(5).name == "z.jpg", "the new version is served"


def test_a_place_that_is_gone_is_not_edited(writer: Writer, service: Service, index: Path) -> None:
    read = place_tag(service.engine.index.place(1))
    remove_places(index, [1])
    with pytest.raises(UnknownPlaceError, match="Place 1 was removed"):
        writer.edit(1, {"note": "x"}, read, stages=Stages())
    writer.remove(1, read, stages=Stages())  # it is, as was asked


def test_what_cannot_be_is_said_without_the_log(writer: Writer, index: Path, model: Model) -> None:
    remove_places(index, [0], compact=False)
    (index.parent / "list.csv").write_text("path\nphotos/0.jpg\n")
    add_photos(index, open_source(index.parent / "list.csv"), model)
    with pytest.raises(CannotChangeError, match="in the index again, as place 6"):
        writer.restore(0, stages=Stages())
    for place in range(1, 6):
        writer.remove(place, stages=Stages())
    with pytest.raises(CannotChangeError, match="leave no place"):
        writer.remove(6, stages=Stages())


@pytest.fixture
def taking(writer: Writer) -> Writer:
    """A writer that keeps photos as they are."""
    decoder: Any = SimpleNamespace(
        photo=lambda *_, **__: SimpleNamespace(position=None, taken=None, notes=()),
        views=lambda *_, **__: ([], ()),
        picture=lambda content, **_: content,
    )
    writer._decoder = decoder
    return writer


def test_an_index_that_another_program_replaces_is_not_called_damaged(
    service: Service, taking: Writer, index: Path, street: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other program holds the lock, so that what was written is settled, while it compacts."""
    remove_places(index, [0], compact=False)
    taken = read_manifest

    def overtaken(folder: Path) -> Manifest:
        manifest = taken(folder)
        monkeypatch.setattr(contents, "read_manifest", taken)
        compact_index(index)
        return manifest

    def busy(*_: object) -> None:
        monkeypatch.setattr(contents, "read_manifest", overtaken)
        raise IndexBusyError("It is being written by another process.")

    with monkeypatch.context() as patched:
        patched.setattr("place_search.indexer.add_photos", busy)
        with pytest.raises(BusyError, match="changed by another program"):
            taking.add(street.query(9), None, "", stages=Stages())
    assert list(index.with_name("index-photos").glob("*.jpg")) == []


def test_an_index_of_another_model_is_not_added_to(
    service: Service, taking: Writer, index: Path, street: Any
) -> None:
    card = service.model.card
    card = replace(card, files=dict.fromkeys(card.files, "another"))
    service.engine.model = Model(card, service.model.runtime)
    with pytest.raises(CannotChangeError, match="log says why"):
        taking.add(street.query(9), None, "", stages=Stages())
    assert list(index.with_name("index-photos").glob("*.jpg")) == []


def test_a_photo_that_the_model_can_tell_nothing_of_is_refused(
    service: Any, taking: Writer, index: Path, street: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves no place and no file, and the photos beside it are taken."""
    service.max_body_bytes = 1 << 20
    blank, good = jpeg(Image.new("RGB", (640, 480))), street.query(7)
    stream = Model.stream_all

    def blind(model: Model, photos: Any) -> Iterator[Any]:
        for row, made in stream(model, photos):
            dark = row.size == len(blank)
            nothing = np.full_like(made.descriptor, np.nan)
            yield row, made._replace(descriptor=nothing) if dark else made

    monkeypatch.setattr(Model, "stream_all", blind)
    with pytest.raises(UnreadablePhotoError, match="can tell nothing of this photo"):
        taking.add(blank, None, "", stages=Stages())
    uploads = [("blank.jpg", blank), ("good.jpg", good)]
    answer = taking.add_many(uploads, stages=Stages()).body
    assert [photo["status"] for photo in answer["photos"]] == [422, 201]
    assert open_index(index).count == 7
    assert len(list(index.with_name("index-photos").glob("*.jpg"))) == 1


def test_a_tag_that_a_proxy_made_weak_is_known(service: Service, writer: Writer) -> None:
    tag = place_tag(service.engine.index.place(0))
    writer.edit(0, {"note": "one"}, f"W/{tag}", stages=Stages())
    with pytest.raises(EditConflictError):
        writer.edit(0, {"note": "two"}, f"W/{tag}", stages=Stages())


def test_a_place_is_told_though_the_disk_has_no_room_for_its_answer(
    service: Service, taking: Writer, index: Path, street: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answers = index.with_name("index-photos") / FILE
    before, key = (RequestKey("me", name, "a") for name in "12")
    assert taking.add(street.query(8), None, "", request_key=before, stages=Stages()).status == 201
    answers.unlink()
    answers.symlink_to("/dev/full")
    first = taking.add(street.query(9), None, "", request_key=key, stages=Stages())
    assert first.status == 201
    assert "is not on disk" in caplog.text
    assert taking.add(street.query(9), None, "", request_key=key, stages=Stages()) == first
    assert service.engine.index.count == 8


@pytest.fixture
def cutting(taking: Writer, street: Any) -> Writer:
    """A writer that takes each photo for a panorama of the same four views."""
    views = [(Facing(90.0 * at, None), street.query(10 + at)) for at in range(4)]
    cast(Any, taking._decoder).views = lambda *_, **__: (views, ())
    return taking


def groups_of(index: Path, *places: int) -> list[int | None]:
    groups = open_index(index).groups
    return [groups.of(place) for place in places]


def test_a_view_that_was_removed_comes_back_to_its_panorama(
    cutting: Writer, index: Path, street: Any
) -> None:
    cutting.add(street.query(9), None, "", stages=Stages())
    assert groups_of(index, 6, 7, 8, 9) == [6] * 4
    cutting.remove(6, stages=Stages())
    cutting.change_group(7, {"remove": [8]}, None, stages=Stages())
    assert cutting.add(street.query(9), None, "", stages=Stages()).body["place_id"] == 10
    assert groups_of(index, 7, 9, 10) == groups_of(index, 7) * 3
    assert groups_of(index, 8) == [8], "somebody has parted it"


def test_a_panorama_that_could_not_be_grouped_is_when_it_is_added_again(
    cutting: Writer, index: Path, street: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise IndexBusyError("Somebody else is at it.")

    with monkeypatch.context() as patch:
        patch.setattr("place_search.indexer.change_groups", busy)
        with pytest.raises(BusyError):
            cutting.add(street.query(9), None, "", stages=Stages())
    assert groups_of(index, 6, 9) == [None, None]
    assert len(list(index.with_name("index-photos").glob("*.jpg"))) == 4
    assert cutting.add(street.query(9), None, "", stages=Stages()).status == 200
    assert groups_of(index, 6, 7, 8, 9) == [6] * 4


def test_a_group_that_changes_before_it_is_locked_is_not_changed_again(
    writer: Writer, service: Service, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = group_tag(group_dict(service.engine.index.groups, 0))

    def late(folder: Path, change: Any) -> Any:
        change_groups(folder, GroupEdit(0, add=[1]).changed)  # as another program might
        return change_groups(folder, change)

    monkeypatch.setattr("place_search.indexer.change_groups", late)
    with pytest.raises(EditConflictError, match="group of place 0 is not as you have read it"):
        writer.change_group(0, {"name": "Gate"}, read, stages=Stages())
    assert open_index(index).groups.name(0) is None
    writer.change_group(0, {"name": "Gate"}, None, stages=Stages())
    assert open_index(index).groups.name(0) == "Gate"


def test_expired_answers_leave_the_disk_when_a_server_starts(
    service: Any, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unused: Any = None
    folder = index.with_name("index-photos")
    for days, name in ((8, "the old gate"), (2, "the new gate")):
        with monkeypatch.context() as patch:
            patch.setattr("time.time", partial(float, time.time() - days * 86400))
            kept = KeptAnswers(folder)
            kept.keep(RequestKey("me", name, "a"), Answer(201, {"name": name}, {}))
    assert "the old gate" in (folder / FILE).read_text()
    Writer(service, index, unused, service.load)
    assert "the old gate" not in (folder / FILE).read_text()
    assert KeptAnswers(folder).find(RequestKey("me", "the new gate", "a")) is not None


def test_the_photo_of_a_removed_place_goes_when_its_index_is_made_anew(
    taking: Writer, index: Path, model: Model, street: Any
) -> None:
    kept = index.with_name("index-photos")
    taking.add(street.query(9), None, "", stages=Stages())
    taking.remove(6, stages=Stages())
    assert len(list(kept.glob("*.jpg"))) == 1, "it can be restored"
    index_of_street(index.parent, street, model, ["0.jpg", "1.jpg"])
    assert list(kept.glob("*.jpg")) == []
    assert taking.add(street.query(9), None, "", stages=Stages()).status == 201
    assert len(list(kept.glob("*.jpg"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("photos", [6, 7])
def test_an_answer_is_not_given_of_an_index_that_is_made_anew(
    service: Service, taking: Writer, index: Path, model: Model, street: Any, photos: int
) -> None:
    key = RequestKey("me", "1", "a")
    first = taking.add(street.query(9), None, "", request_key=key, stages=Stages())
    assert first.body["place_id"] == 6
    taking.remove(6, stages=Stages())
    assert taking.add(street.query(9), None, "", request_key=key, stages=Stages()) == first
    assert service.engine.index.count == 6, "the place was removed, and nothing is added"
    index_of_street(index.parent, street, model, [f"{n}.jpg" for n in range(photos)])
    anew = taking.add(street.query(9), None, "", request_key=key, stages=Stages())
    assert (anew.status, anew.body["place_id"]) == (201, photos)
    assert service.engine.index.count == photos + 1
