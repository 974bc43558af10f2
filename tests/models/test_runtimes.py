"""The runtimes give the same descriptors and cells, in order, from any thread."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from place_search.core.files import sha256_of
from place_search.models import Model, ModelError, find_model, open_model, read_card, write_card
from place_search.models.card import DIRECTIONS_NAME
from place_search.models.local_features import read_directions
from place_search.models.runtimes.openvino_runtime import MAX_SHAPES

GOLDEN = Path(__file__).with_name("golden_shipped_models.json")


def scene(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """A photo-like picture: smooth shading, edges and texture."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    picture = np.stack([x * 200 / width, y * 200 / height, (x + y) * 100 / (width + height)], 2)
    for _ in range(25):
        left, top = random.integers(0, width - 20), random.integers(0, height - 20)
        right, bottom = left + random.integers(10, 120), top + random.integers(10, 120)
        picture[top:bottom, left:right] = random.integers(0, 255, 3)
    picture += random.normal(0, 6, picture.shape)
    return np.asarray(np.clip(picture, 0, 255), dtype=np.uint8)


@pytest.fixture(scope="module")
def fast() -> Model:
    return open_model()


@pytest.mark.torch
@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (736, 416)])
def test_openvino_agrees_with_torch(fast: Model, width: int, height: int) -> None:
    pixels = scene(width, height)
    ours, reference = fast.runtime.embed(pixels), open_model(runtime="torch").runtime.embed(pixels)
    assert float(ours.descriptor @ reference.descriptor) >= 0.99999
    assert ours.require_local_features().shape == (height // 16, width // 16, 112)
    np.testing.assert_allclose(
        ours.require_local_features(), reference.require_local_features(), atol=1e-4
    )


@pytest.mark.parametrize("name", ["lite0-netvlad", "lite0-netvlad-1024"])
def test_shipped_models_golden_vectors(name: str) -> None:
    """Pins the shipped weights and the whole graph: indexes were made with these."""
    opened = open_model(name)
    embedding = opened.runtime.embed(scene(640, 480))
    golden = json.loads(GOLDEN.read_text())[name]
    assert opened.fingerprint == golden["fingerprint"]
    assert np.linalg.norm(embedding.descriptor) == pytest.approx(1, abs=1e-5)
    found = embedding.descriptor[:: golden["every"]]
    np.testing.assert_allclose(found, golden["descriptor"], atol=2e-5)
    np.testing.assert_allclose(
        embedding.require_local_features()[10, 20, ::16], golden["cell"], atol=2e-4
    )


@pytest.mark.slow
def test_stream_keeps_order_over_mixed_shapes(fast: Model) -> None:
    shapes = [(640, 480), (480, 640), (736, 416)] * 4
    photos = [(number, scene(*shape, seed=number)) for number, shape in enumerate(shapes)]
    streamed = list(open_model(mode="throughput").stream(iter(photos)))
    assert [key for key, _ in streamed] == list(range(len(photos)))
    for (_, pixels), (_, embedding) in zip(photos, streamed, strict=True):
        alone = fast.runtime.embed(pixels).descriptor
        assert float(embedding.descriptor @ alone) >= 0.999999


def test_a_stream_left_half_way_harms_nobody(fast: Model) -> None:
    pixels = scene(640, 480)
    before = fast.runtime.embed(pixels).descriptor
    stream = fast.stream((n, scene(640, 480, seed=n)) for n in range(10))
    next(stream)
    del stream
    np.testing.assert_array_equal(fast.runtime.embed(pixels).descriptor, before)


@pytest.mark.slow
def test_threads_get_the_answer_that_one_gets_alone(fast: Model) -> None:
    pictures = [scene(640, 480, seed) for seed in range(6)]
    alone = [fast.runtime.embed(picture).descriptor for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(
            pool.map(lambda picture: fast.runtime.embed(picture).descriptor, pictures * 3)
        )
    for found, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_a_crowd_with_photos_of_many_shapes_gets_the_answers_of_each_alone() -> None:
    model = open_model()
    pictures = [scene(320 + 32 * step, 320, step) for step in range(MAX_SHAPES + 3)]

    def cells(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        return model.runtime.embed(picture).require_local_features()

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(cells, pictures * 3))
    alone = [cells(picture) for picture in pictures]
    for found, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_more_shapes_than_are_kept_compiled(fast: Model) -> None:
    first = fast.runtime.embed(scene(640, 480)).descriptor
    for step in range(MAX_SHAPES + 1):
        fast.runtime.embed(scene(320 + 32 * step, 320))
    np.testing.assert_array_equal(fast.runtime.embed(scene(640, 480)).descriptor, first)


def test_an_altered_graph_is_refused(tmp_path: Path) -> None:
    shipped = find_model()
    write_card(read_card(shipped), tmp_path)
    graph = bytearray((shipped / "f32.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (tmp_path / "f32.onnx").write_bytes(graph)
    with pytest.raises(
        ModelError, match=r"missing or altered; fetch model 'lite0-netvlad-1024' again"
    ):
        open_model(tmp_path)


@pytest.mark.parametrize(
    ("directions", "trouble"),
    [
        (np.zeros((112, 56)), "float64"),
        (np.zeros((56, 112), np.float32), "not 112 rows"),
        (np.zeros((112, 57), np.float32), r"\(112, 57\)"),
        (np.zeros((112, 120), np.float32), r"\(112, 120\)"),
        (np.zeros(112, np.float32), r"\(112,\)"),
        (b"no numbers", "cannot be read"),
    ],
)
def test_directions_that_do_not_fit_are_refused(
    directions: NDArray[np.floating] | bytes, trouble: str, tmp_path: Path
) -> None:
    file = tmp_path / DIRECTIONS_NAME
    if isinstance(directions, bytes):
        file.write_bytes(directions)
    else:
        np.save(file, directions)
    card = read_card(find_model())
    other = replace(card, files={**card.files, DIRECTIONS_NAME: sha256_of(file)})
    assert other.fingerprint != card.fingerprint
    with pytest.raises(ModelError, match=trouble):
        read_directions(tmp_path, other)
    file.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        read_directions(tmp_path, other)


def test_an_unknown_model_names_those_there_are() -> None:
    with pytest.raises(ModelError, match=r"no model 'nope'.*lite0-netvlad-1024"):
        open_model("nope")


@pytest.mark.torch
def test_torch_in_batches_gives_what_it_gives_one_by_one() -> None:
    from place_search.models.runtimes.torch_runtime import TorchRuntime

    folder = find_model()
    alone, batched = (TorchRuntime(folder, read_card(folder), batch=batch) for batch in (1, 3))
    shapes = [(160, 128)] * 4 + [(128, 160)] * 2 + [(160, 128)]
    photos = [(number, scene(*shape, seed=number)) for number, shape in enumerate(shapes)]
    found = list(batched.stream(iter(photos)))
    assert [key for key, _ in found] == list(range(len(photos)))
    for (_, one), (_, other) in zip(found, alone.stream(iter(photos)), strict=True):
        assert float(one.descriptor @ other.descriptor) >= 0.99999
        np.testing.assert_allclose(
            one.require_local_features(), other.require_local_features(), atol=1e-4
        )


@pytest.mark.torch
def test_a_backbone_in_mixed_precision_keeps_the_descriptor() -> None:
    """What a GPU does, on the CPU."""
    from place_search.models.network import load_network
    from place_search.models.runtimes.torch_runtime import HalfPrecision, embed_with

    folder = find_model()
    exact, mixed = (load_network(folder, read_card(folder)) for _ in range(2))
    mixed.backbone = HalfPrecision(mixed.backbone, "cpu")  # type: ignore[assignment]
    pixels = scene(320, 256)
    one, other = embed_with(exact, pixels), embed_with(mixed, pixels)
    assert float(one.descriptor @ other.descriptor) >= 0.9999
