"""A photo of which a model gives no finite descriptor is told, and harms no other."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from place_search.describing import describe_photos
from place_search.indexer import build_index, open_index, open_source
from place_search.models import NO_DESCRIPTOR
from place_search.photos import UnreadablePhotoError
from place_search.search.engine import Engine
from place_search.search.folders.answers import Question, answer_photos
from place_search.search.server.app import create_app
from tests.indexer.block_model import block_model
from tests.indexer.conftest import render
from tests.search.asking import asker

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in divide")


def grey() -> bytes:
    """Its blocks are of mean 0 and deviation 0, so that the model divides by 0."""
    out = io.BytesIO()
    Image.new("RGB", (160, 120), (127, 127, 127)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("blocks")
    model = block_model()
    for place in range(3):
        render(folder / "photos" / f"{place}.jpg", place)
    build_index(open_source(folder / "photos"), folder / "index", model)
    return Engine(open_index(folder / "index"), model)


def test_the_server_tells_it_and_a_track_goes_on(engine: Engine, tmp_path: Path) -> None:
    photo = render(tmp_path / "1.jpg", 1).read_bytes()
    ask = asker(create_app(engine))

    def refused(path: str, **files: bytes) -> Any:
        reply = ask("POST", path, files=files)
        assert reply.status_code == 422
        assert reply.json()["reason"]["code"] == "tells-nothing"

    refused("/v1/search", photo=grey())
    refused("/v1/compare", image1=grey(), image2=photo)
    refused("/v1/compare", image1=photo, image2=grey())
    track = ask("POST", "/v1/tracks").json()["track_id"]
    frames = f"/v1/tracks/{track}/frames"
    assert ask("POST", frames, files={"photo": photo}).json()["frames"] == 1
    refused(frames, photo=grey())
    assert ask("POST", frames, files={"photo": photo}).json()["frames"] == 2


@pytest.mark.parametrize("standardize", [False, True])
def test_the_other_photos_of_a_folder_are_answered(
    engine: Engine, tmp_path: Path, *, standardize: bool
) -> None:
    for place in range(3):
        render(tmp_path / f"{place}.jpg", place)
    (tmp_path / "grey.png").write_bytes(grey())
    source = open_source(tmp_path)
    answers = answer_photos(engine, source.photos, Question(1, False, standardize=standardize))
    errors = {answer.photo.name: answer.error for answer in answers}
    assert errors == {"0.jpg": "", "1.jpg": "", "2.jpg": "", "grey.png": NO_DESCRIPTOR}


def test_no_row_of_descriptors_is_without_one(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "grey.png").write_bytes(grey())
    with pytest.raises(UnreadablePhotoError, match=r"grey\.png: The model can tell nothing"):
        describe_photos([tmp_path / "grey.png"], engine.model)
