"""A model in int8: made from photos, opened, indexed and searched, and never mixed with float32."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
from onnx import helper
from PIL import Image

from place_search.indexer import (
    ModelMismatchError,
    build_index,
    open_index,
    open_index_model,
    open_source,
)
from place_search.models import (
    ModelCard,
    ModelError,
    PrecisionRecall,
    find_model,
    open_model,
    read_card,
    write_card,
)
from place_search.models.card import DIRECTIONS_NAME
from place_search.models.graphs.importing import import_onnx
from place_search.models.quantize import CONVOLUTIONS, FIRST_LAYERS, quantize_model, without_int8
from place_search.models.verify import verify_model
from tests.models.graph_files import PREPARED, graph, write_graph


def picture(seed: int) -> Image.Image:
    blocks = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((640, 480), Image.Resampling.BICUBIC)


def small(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(picture(seed).resize((192, 128)), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model with an int8 graph of its own, whose loss was found to be small."""
    folder = tmp_path_factory.mktemp("models") / "small"
    folder.mkdir()
    shipped = find_model()
    for name in ("f32.onnx", "weights.safetensors", DIRECTIONS_NAME):
        shutil.copy(shipped / name, folder / name)
    write_card(replace(without_int8(read_card(shipped)), id="small"), folder)
    card = quantize_model(folder, [small(seed) for seed in range(6)], "0" * 64)
    _keep_loss(folder, card, 0.5)
    return folder


def _keep_loss(folder: Path, card: ModelCard, loss: float) -> None:
    assert card.quantization is not None
    row = PrecisionRecall("pictures", verified=False, f32=90.0, int8=90.0 - loss)
    write_card(replace(card, quantization=replace(card.quantization, measured=(row,))), folder)


def test_descriptors_in_int8_are_close_to_those_in_float32(folder: Path) -> None:
    exact, quick = (open_model(folder, precision=precision) for precision in ("f32", "int8"))
    for seed in (0, 20, 21):
        one, other = (model.runtime.embed(small(seed)) for model in (exact, quick))
        assert float(one.descriptor @ other.descriptor) > 0.9
        assert np.linalg.norm(other.descriptor) == pytest.approx(1, abs=1e-4)
        assert one.require_local_features().shape == other.require_local_features().shape
    made = read_card(folder).quantization
    assert made is not None
    assert made.photos == 6
    assert "NetVLAD" in made.f32_layers
    assert verify_model(folder).problems == []


def test_all_convolutions_but_the_first_ones_have_weights_in_int8(folder: Path) -> None:
    graph = openvino.Core().read_model(folder / "int8.xml")
    layers = [op for op in graph.get_ordered_ops() if op.get_type_name() in CONVOLUTIONS]
    *backbone, _assignment = [_weights(layer) for layer in layers]
    assert set(backbone[max(FIRST_LAYERS) :]) == {"i8"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "last",
    [
        [("Sqrt", ["sum"], "norm"), ("Div", ["centred", "norm"], "descriptor")],
        [
            ("Sqrt", ["sum"], "norm"),
            ("Reciprocal", ["norm"], "scale"),
            ("Mul", ["centred", "scale"], "descriptor"),
        ],
    ],
    ids=["divided", "multiplied"],
)
def test_a_norm_in_elementary_operators_gives_descriptors_of_norm_1(
    last: list[tuple[str, list[str], str]], tmp_path: Path
) -> None:
    made = graph(
        last=[
            helper.make_node("ReduceMean", ["pooled"], ["usual"], axes=[1]),
            helper.make_node("Sub", ["pooled", "usual"], ["centred"]),
            helper.make_node("Mul", ["centred", "centred"], ["squares"]),
            helper.make_node("ReduceL1", ["squares"], ["sum"], axes=[1]),
            *(helper.make_node(kind, given, [name]) for kind, given, name in last),
        ],
        metadata=PREPARED,
    )
    folder = tmp_path / "unit"
    import_onnx(write_graph(tmp_path / "unit.onnx", made), folder)
    photos = [np.asarray(picture(seed).resize((128, 96)), dtype=np.uint8) for seed in range(6)]
    card = quantize_model(folder, photos, "0" * 64)
    assert card.quantization is not None
    assert 0.9 < card.quantization.cosine <= 1
    runtime = open_model(folder, precision="int8").runtime
    for pixels in photos:
        assert np.linalg.norm(runtime.embed(pixels).descriptor) == pytest.approx(1, abs=1e-4)


def test_what_the_graph_keeps_of_its_making_has_an_order(folder: Path) -> None:
    """Otherwise the same photos would give other bytes, and with them another fingerprint."""
    graph = openvino.Core().read_model(folder / "int8.xml")
    kept = graph.get_rt_info(["nncf", "quantization", "ignored_scope", "names"]).astype(str)
    pooling = re.findall(r"'([^']+)'", kept)[-20:]
    assert len(pooling) == 20
    assert pooling == sorted(pooling)


def _weights(convolution: Any) -> str:
    """The type that the weights are kept in, where the processor can take them as they are."""
    node = convolution.input(1).get_source_output().get_node()
    while node.get_type_name() in ("Multiply", "Subtract", "Convert"):
        node = node.input(0).get_source_output().get_node()
    return (
        str(node.get_element_type().get_type_name()) if node.get_type_name() == "Constant" else ""
    )


def test_auto_follows_card_and_processor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("place_search.models.model.int8_instructions", lambda: "AVX512-VNNI")
    assert open_model(folder, precision="auto").in_words.startswith("int8, this processor has")
    monkeypatch.setattr("place_search.models.model.int8_instructions", lambda: None)
    assert open_model(folder, precision="auto").card.precision == "f32"
    assert open_model(folder).card.precision == "f32"
    assert open_model(folder, precision="auto", runtime="torch").card.precision == "f32"
    with pytest.raises(ModelError, match="torch runtime has no int8"):
        open_model(folder, precision="int8", runtime="torch")


def test_an_index_is_searched_in_its_own_precision_only(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        picture(seed).save(tmp_path / "photos" / f"{seed}.jpg")
    source = open_source(tmp_path / "photos")
    build_index(source, tmp_path / "index", open_model(folder, precision="int8"))
    index = open_index(tmp_path / "index")
    assert index.precision == "int8"
    own = open_index_model(index.manifest, folder)
    assert own.in_words == "int8, as the index was made"
    index.check_model(own)
    photo = own.embed(own.read(tmp_path / "photos" / "1.jpg"))
    assert index.search(photo.descriptor, 1)[0].place_id == 1
    exact = open_index_model(index.manifest, folder, precision="f32")
    with pytest.raises(ModelMismatchError, match=r"numbers, int8\) and cannot .* numbers, f32\)"):
        index.check_model(exact)
    shutil.copytree(folder, tmp_path / "copy")
    card = without_int8(read_card(folder))
    write_card(replace(card, id="other"), tmp_path / "copy")
    other = open_index_model(index.manifest, tmp_path / "copy")
    with pytest.raises(ModelMismatchError, match=r"with model 'small' .* searched with 'other'"):
        index.check_model(other)
    write_card(card, tmp_path / "copy")
    with pytest.raises(ModelError, match="'small' has no int8 graph"):
        open_index_model(index.manifest, tmp_path / "copy")
    build_index(source, tmp_path / "exact", exact)
    assert open_index(tmp_path / "exact").precision == "f32"


def test_an_altered_int8_graph_is_refused_and_float32_still_opens(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "small")
    (tmp_path / "small" / "int8.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"int8\.bin is missing or altered"):
        open_model(tmp_path / "small", precision="int8")
    assert open_model(tmp_path / "small").card.precision == "f32"
    assert "missing or altered" in verify_model(tmp_path / "small").problems[0]
