"""ONNX graphs of other people become models, or are refused in one sentence."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from place_search.models import ModelError, open_model
from place_search.models.graphs.importing import import_onnx
from place_search.models.graphs.onnx_file import is_onnx
from place_search.models.graphs.options import GraphOptions, parse_normalisation, parse_size
from place_search.models.verify import verify_model
from place_search.photos import Photo, Preprocessing
from tests.models.graph_files import DIMS, MEAN, PREPARED, STD, descriptor, graph, write_graph

NORMALISED = {key: PREPARED[key] for key in ("mean", "std")}
FLAGS = GraphOptions(size="128x96", mean=",".join(map(str, MEAN)), std=",".join(map(str, STD)))


def pixels(width: int = 128, height: int = 96, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def node(kind: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), ["descriptor"], **attributes)


def grey() -> onnx.ModelProto:
    made = graph(channels=1, metadata=PREPARED)
    weights = numpy_helper.to_array(made.graph.initializer[0])[:, :1]
    made.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "weights"))
    return made


def scaled(by: float) -> onnx.ModelProto:
    """A graph whose descriptors have the L2 norm `by`."""
    last = [
        helper.make_node("LpNormalization", ["pooled"], ["unit"], axis=1, p=2),
        constant("by", np.array([by], np.float32)),
        node("Mul", "unit", "by"),
    ]
    return graph(metadata=PREPARED, last=last)


def constant(name: str, values: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values, name))


def check(model: Path, sizes: tuple[tuple[int, int], ...] = ((128, 96),)) -> None:
    """The model gives what numpy does, and is whole."""
    opened = open_model(model)
    assert opened.card.dims == DIMS
    for width, height in sizes:
        given = pixels(width, height)
        photo = Photo(given, width, height)
        found = opened.embed(photo).descriptor
        assert float(np.linalg.norm(found)) == pytest.approx(1, abs=1e-6)
        assert float(found @ descriptor(opened.prepare(photo))) == pytest.approx(1, abs=1e-5)
    assert verify_model(model).problems == []


@pytest.mark.parametrize(
    "made",
    [
        graph(metadata=PREPARED),
        graph(batch=1, size=(96, 128), metadata={**NORMALISED, "size": "[480, 640]"}),
        graph(batch=4, size=(96, 128), metadata=NORMALISED),
        graph(  # a batch of 4 that is built in
            batch=4,
            size=(96, 128),
            metadata=NORMALISED,
            last=[constant("to", np.array([4, DIMS])), node("Reshape", "pooled", "to")],
        ),
        graph(metadata=PREPARED, last=[node("LpNormalization", "pooled", axis=1, p=2)]),
        graph(metadata=PREPARED, outputs=("descriptor", "cells")),
        graph(channels="c", metadata=PREPARED),
        graph(metadata=PREPARED, last=[node("GlobalAveragePool", "active")]),  # 1 × D × 1 × 1
        graph(metadata=PREPARED, last=[node("Squeeze", "pooled")]),
        *(scaled(by) for by in (1e-30, 1e-8, 0.9995, 1e25)),
    ],
    ids=[
        *("free", "one", "four", "four-built-in", "unit", "two-outputs", "free-channels"),
        *("rank-4", "rank-1", "vanishing", "tiny", "almost-unit", "huge"),
    ],
)
def test_a_graph_gives_the_same_as_a_model(made: onnx.ModelProto, tmp_path: Path) -> None:
    file = write_graph(tmp_path / "a.onnx", made)
    card = import_onnx(file, tmp_path / "model", GraphOptions(output="descriptor"), licence="MIT")
    assert (card.family, card.licence, card.sources[0].origin) == ("onnx", "MIT", "a.onnx")
    check(tmp_path / "model")


def test_multiples_keep_the_shape_of_a_photo(tmp_path: Path) -> None:
    asked = GraphOptions("multiple-of 14", FLAGS.mean, FLAGS.std)
    card = import_onnx(write_graph(tmp_path / "a.onnx", graph()), tmp_path / "model", asked)
    assert card.preprocessing.size(4000, 3000) == (644, 476)
    check(tmp_path / "model", ((200, 100), (100, 200)))


def test_half_precision_and_bytes_in_rows(tmp_path: Path) -> None:
    half = write_graph(tmp_path / "half.onnx", graph(kind=TensorProto.FLOAT16, metadata=PREPARED))
    import_onnx(half, tmp_path / "half")
    photo = Photo(pixels(), 128, 96)
    found = open_model(tmp_path / "half").embed(photo).descriptor
    assert float(found @ descriptor(photo.pixels)) > 0.9999

    made = graph(size=(96, 128), metadata=NORMALISED)  # of what the graph does itself
    made.graph.input[0].CopyFrom(
        helper.make_tensor_value_info("bytes", TensorProto.UINT8, ["n", 96, 128, 3])
    )
    first = [
        helper.make_node("Cast", ["bytes"], ["floats"], to=TensorProto.FLOAT),
        constant("mean_of_bytes", 255 * np.array(MEAN, np.float32)),
        helper.make_node("Sub", ["floats", "mean_of_bytes"], ["moved"]),
        constant("std_of_bytes", 255 * np.array(STD, np.float32)),
        helper.make_node("Div", ["moved", "std_of_bytes"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["photos"], perm=[0, 3, 1, 2]),
    ]
    nodes = [*first, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    file = write_graph(tmp_path / "bytes.onnx", made)
    import_onnx(file, tmp_path / "bytes")
    check(tmp_path / "bytes")
    with pytest.raises(ModelError, match="takes bytes 0–255 as they are; leave out --mean"):
        import_onnx(file, tmp_path / "other", FLAGS)


def test_metadata_of_onnx_itself_is_understood(tmp_path: Path) -> None:
    told = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_1_1"}
    file = write_graph(tmp_path / "a.onnx", graph(size=(96, 128), metadata=told))
    bgr = open_of(import_onnx, file, tmp_path / "bgr")
    file = write_graph(tmp_path / "b.onnx", graph(size=(96, 128)))
    rgb = open_of(import_onnx, file, tmp_path / "rgb", GraphOptions(mean="127.5", std="127.5"))
    given = pixels()
    turned = np.ascontiguousarray(given[..., ::-1])
    one = bgr.runtime.embed(given).descriptor
    assert float(one @ rgb.runtime.embed(turned).descriptor) == pytest.approx(1, abs=1e-5)
    assert float(one @ rgb.runtime.embed(given).descriptor) < 0.9999


def test_channels_may_be_told(tmp_path: Path) -> None:
    """Mean and std stay those of red, green and blue."""
    file = write_graph(tmp_path / "a.onnx", graph(size=(96, 128)))
    mean, std = FLAGS.mean.split(","), FLAGS.std.split(",")
    asked = GraphOptions(mean=FLAGS.mean, std=FLAGS.std)
    turned = GraphOptions("", ",".join(mean[::-1]), ",".join(std[::-1]), "bgr")
    rgb = open_of(import_onnx, file, tmp_path / "rgb", asked)
    bgr = open_of(import_onnx, file, tmp_path / "bgr", turned)
    expected = rgb.runtime.embed(pixels()).descriptor
    given = np.ascontiguousarray(pixels()[..., ::-1])
    np.testing.assert_allclose(bgr.runtime.embed(given).descriptor, expected, atol=1e-6)


def open_of(make: Callable[..., Any], *arguments: Any) -> Any:
    make(*arguments)
    return open_model(arguments[1])


def external(folder: Path, location: str) -> Path:
    """A graph whose weights are said to be in another file."""
    made = graph(metadata=PREPARED)
    tensor = made.graph.initializer[0]
    (folder / "beside.bin").write_bytes(tensor.raw_data)
    entry = {"location": location, "offset": "0", "length": str(len(tensor.raw_data))}
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entry.items():
        tensor.external_data.add(key=key, value=value)
    (folder / "a.onnx").write_bytes(made.SerializeToString())
    return folder / "a.onnx"


def test_weights_beside_the_graph_are_taken_in(tmp_path: Path) -> None:
    import_onnx(external(tmp_path, "beside.bin"), tmp_path / "model")
    (tmp_path / "beside.bin").unlink()
    check(tmp_path / "model")


@pytest.mark.parametrize("location", ["../outside.bin", "/etc/passwd", "link.bin", "..\\x", ""])
def test_weights_outside_its_folder_are_never_opened(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    file = external(folder, location)
    (folder / "beside.bin").rename(tmp_path / "outside.bin")
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    refused(file, tmp_path, "which is outside its folder and is never opened")


def refused(file: Path, folder: Path, sentence: str, asked: GraphOptions | None = None) -> None:
    out = folder / "out" / "model"
    out.parent.mkdir()
    with pytest.raises(ModelError, match=sentence) as told:
        import_onnx(file, out, asked)
    assert str(told.value).startswith(str(file))
    assert "\n" not in str(told.value)
    assert not list(out.parent.iterdir())


def test_weights_that_are_missing_or_cut_short(tmp_path: Path) -> None:
    file = external(tmp_path, "beside.bin")
    (tmp_path / "beside.bin").write_bytes(b"short")
    with pytest.raises(ModelError, match=r"needs more of 'beside\.bin' than there is"):
        import_onnx(file, tmp_path / "model")
    (tmp_path / "beside.bin").unlink()
    refused(file, tmp_path, "keeps weights in 'beside.bin', which is not there")


@pytest.mark.parametrize(
    ("made", "asked", "sentence"),
    [
        (graph(), None, r"give --size as in 322x322.*give --mean and --std of its RGB values"),
        (
            graph(size=(96, 128)),
            GraphOptions(mean="0.5"),
            r"prepared for it; give --std of its RGB",
        ),
        (
            graph(outputs=("descriptor", "cells"), metadata=PREPARED),
            None,
            "has 2 outputs; say which is the descriptor with --output: descriptor or cells",
        ),
        (
            graph(metadata=PREPARED),
            GraphOptions(output="x"),
            "has no output 'x'; name one of descriptor with",
        ),
        (
            graph(outputs=("cells",), metadata=PREPARED),
            None,
            r"gives 1 × 32 × 24 × 32 for a photo; it must give one vector",
        ),
        (graph(outputs=(), metadata=PREPARED), None, "has no output"),
        (
            graph(
                last=[node("Embed", "pooled", domain="com.acme")],
                imports={"com.acme": 1},
                metadata=PREPARED,
            ),
            None,
            r"uses operators that ONNX does not define \(com.acme.Embed\)",
        ),
        (
            graph(last=[node("Log", "pooled_")], metadata=PREPARED),
            None,
            "cannot be opened",
        ),
        (
            graph(
                last=[
                    constant("minus", np.array([-1], np.float32)),
                    helper.make_node("Mul", ["pooled", "minus"], ["negative"]),
                    node("Sqrt", "negative"),
                ],
                metadata=PREPARED,
            ),
            None,
            "gives values that are no finite numbers; check --mean and --std",
        ),
        (
            graph(
                last=[
                    constant("nothing", np.array([0], np.float32)),
                    constant("same", np.arange(32, dtype=np.float32)),
                    helper.make_node("Mul", ["pooled", "nothing"], ["zeros"]),
                    node("Add", "zeros", "same"),
                ],
                metadata=PREPARED,
            ),
            None,
            "gives the same vector for every photo",
        ),
        (
            graph(
                last=[
                    constant("nothing", np.array([0], np.float32)),
                    node("Mul", "pooled", "nothing"),
                ],
                metadata=PREPARED,
            ),
            None,
            "gives a vector of zeros",
        ),
        (
            graph(metadata=PREPARED, last=[node("GlobalAveragePool", "active", "pooled")]),
            None,
            r"is not valid ONNX \(Node with schema\(::GlobalAveragePool:1\) has input size 2",
        ),
        (
            graph(last=[node("ReduceMean", "active", axes=[2])], imports={"": 20}),
            None,
            r"is not valid ONNX \(Unrecognized attribute: axes for operator ReduceMean\)",
        ),
        (
            graph(size=(96, 128), metadata=NORMALISED),
            GraphOptions(size="322x322"),
            "takes photos of 128x96 alone",
        ),
        (
            grey(),
            None,
            r"takes \? × 1 × \? × \?; it must take RGB photos",
        ),
    ],
    ids=[
        "nothing-said", "no-std", "two-outputs", "no-such-output", "rank-4",
        "no-output", "custom", "broken", "nan", "same", "zeros", "two-inputs-of-one",
        "attribute-of-an-older-version", "other-size", "grey",
    ],
)  # fmt: skip
def test_a_graph_that_is_none_of_a_photo_is_refused_in_a_sentence(
    made: onnx.ModelProto, asked: GraphOptions | None, sentence: str, tmp_path: Path
) -> None:
    file = write_graph(tmp_path / "a.onnx", made)
    refused(file, tmp_path, sentence, asked)


@pytest.mark.parametrize("content", [b"", b"\x08\x07", b"PK\x03\x04 a checkpoint", b"\x08" * 99])
def test_a_file_that_is_no_graph(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    refused(tmp_path / "a.onnx", tmp_path, "is no ONNX graph, or is cut short")


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    content = graph(metadata=PREPARED).SerializeToString()
    damaged = content.replace(b"GlobalAveragePool", b"\xfflobalAveragePool")
    (tmp_path / "a.onnx").write_bytes(damaged)
    refused(tmp_path / "a.onnx", tmp_path, "is no ONNX graph, or is cut short")


def test_a_graph_of_three_gigabytes_says_the_limit(tmp_path: Path) -> None:
    with (tmp_path / "a.onnx").open("wb") as stream:
        stream.truncate(3 * 10**9)  # a hole: nothing is written
    refused(tmp_path / "a.onnx", tmp_path, "takes 3.0 GB with its weights, and 2.1 GB is the limit")


def test_a_graph_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    assert is_onnx(write_graph(tmp_path / "weights.bin"))
    (tmp_path / "a.pth").write_bytes(b"\x80\x02}q\x00.")
    assert not is_onnx(tmp_path / "a.pth")
    assert not is_onnx(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert not is_onnx(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("322x300", Preprocessing("exact", 322, 300)),
        ("[480, 640]", Preprocessing("exact", 640, 480)),
        ("224", Preprocessing("exact", 224, 224)),
        ("multiple-of-14", Preprocessing("area", multiple=14)),
        ("multiple-of 32", Preprocessing("area", multiple=32)),
    ],
)
def test_sizes(text: str, wanted: Preprocessing) -> None:
    assert parse_size(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        *("", "big", "multiple-of 0", "1,2,3", "[9000]", "-3x5", "[true]", "9x9"),
        *("1e999", "[480, 1e999]", "NaN", "640.5", "1" + 400 * "0"),
    ],
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ModelError, match="--size"):
        parse_size(text)


def test_values_of_bytes_are_scaled() -> None:
    mean, std = parse_normalisation("123.68,116.28,103.53", "58.4,57.1,57.4")
    assert mean == pytest.approx((0.485, 0.456, 0.406), abs=1e-3)
    assert std == pytest.approx((0.229, 0.224, 0.225), abs=1e-3)
    for bad in ("1,2", "nan", "a", "[NaN]", "1e999", "1,2,3,", "[1,2,3", "1;2;3", "inf,1,1", "[]"):
        with pytest.raises(ModelError, match="three finite numbers each"):
            parse_normalisation(bad, "1")
    with pytest.raises(ModelError, match="with every std above 0"):
        parse_normalisation("1", "0")
    for mixed in (("0.485,0.456,0.406", "58.4,57.1,57.4"), ("123.68,116.28,103.53", "0.225")):
        with pytest.raises(ModelError, match="one is of values 0–1 and the other of 0–255"):
            parse_normalisation(*mixed)
    assert parse_normalisation("0", "255") == ((0, 0, 0), (1, 1, 1))
    assert parse_normalisation("127.5", "1")[1] == pytest.approx((1 / 255,) * 3)


@pytest.mark.parametrize(
    "text", [".1,.2,.3", "[.1, .2, .3]", "(.1, .2, .3)", "+0.1, 2e-1,03e-1", "1e-1,.2,.3 "]
)
def test_numbers_are_written_as_python_takes_them(text: str) -> None:
    mean, std = parse_normalisation(text, "1.,01,.5")
    assert mean == tuple(map(float, text.strip("[]()").split(",")))
    assert std == (1.0, 1.0, 0.5)
