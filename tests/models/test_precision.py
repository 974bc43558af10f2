"""Which precision a model opens in, and why."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from place_search.models import (
    ModelCard,
    ModelError,
    PrecisionRecall,
    find_model,
    open_model,
    read_card,
    write_card,
)
from place_search.models import precision as precisions
from place_search.models.choose_precision import choose_precision
from place_search.models.graphs.importing import import_onnx
from place_search.models.precision import GRAPHS, Quantization, int8_instructions, int8_saturates
from place_search.quantizing import require_unquantized
from tests.models.graph_files import PREPARED, graph, write_graph


def card(*rows: PrecisionRecall, graph: bool = True) -> ModelCard:
    plain = read_card(find_model())
    files = {name: sha for name, sha in plain.files.items() if name not in GRAPHS["int8"]}
    made = Quantization(128, "0" * 64, "NetVLAD", 0.99, rows)
    if not graph:
        return replace(plain, files=files, quantization=None)
    return replace(plain, files=files | dict.fromkeys(GRAPHS["int8"], "1"), quantization=made)


SMALL = PrecisionRecall("day", verified=False, f32=90.0, int8=89.5)
LARGE = PrecisionRecall("night", verified=False, f32=90.0, int8=88.0)
VERIFIED = PrecisionRecall("night", verified=True, f32=90.0, int8=88.9)


@pytest.mark.parametrize(
    ("model", "instructions", "precision", "reason"),
    [
        (card(SMALL), "AVX-VNNI", "int8", r"processor has AVX-VNNI.*loses 0\.5 points"),
        # One set of two moves by chance; what counts is the mean.
        (card(SMALL, replace(LARGE, int8=89.0)), "AMX", "int8", r"loses 0\.8 points"),
        (card(replace(SMALL, int8=91.0)), "AMX", "int8", "int8 loses nothing"),
        (card(SMALL), None, "f32", "no instructions"),
        (card(SMALL, LARGE), "AMX", "f32", r"lose 1\.2 points"),
        # Neither kind of search hides what the other loses.
        (card(SMALL, VERIFIED), "AMX", "f32", r"lose 1\.1 points"),
        (card(), "AMX", "f32", "nobody has measured"),
        (card(graph=False), "AMX", "f32", "no int8 graph"),
    ],
)
def test_auto_says_what_it_took_and_why(
    model: ModelCard, instructions: str | None, precision: str, reason: str
) -> None:
    chosen = choose_precision(model, "auto", instructions=instructions)
    assert chosen.precision == precision
    assert re.search(reason, chosen.reason)


def test_who_asks_gets_it_whatever_was_measured() -> None:
    assert choose_precision(card(LARGE), "int8", instructions=None).precision == "int8"
    assert choose_precision(card(SMALL), "f32", instructions="AMX").precision == "f32"
    with pytest.raises(ModelError, match=r"no int8 graph; make one with `place-search quantize"):
        choose_precision(card(graph=False), "int8", instructions="AMX")


def test_instructions_are_named_by_the_best_that_there_is() -> None:
    assert int8_instructions(["sse2", "avx_vnni", "avx512_vnni"]) == "AVX512-VNNI"
    assert int8_instructions(["avx512_vnni", "amx_int8"]) == "AMX"
    assert int8_instructions(["avx2", "avx512f"]) is None


@pytest.mark.parametrize(
    ("limit", "instructions"),
    [
        ("", "AMX"),
        ("ALL", "AMX"),
        ("avx512_core_vnni", "AVX512-VNNI"),
        ("AVX2_VNNI", "AVX-VNNI"),
        ("AVX512_CORE", None),
        ("AVX2", None),
    ],
)
def test_a_limit_of_onednn_counts_as_the_processors(
    monkeypatch: pytest.MonkeyPatch, limit: str, instructions: str | None
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    flags = ["avx2", "avx_vnni", "avx512_vnni", "amx_int8"]
    assert int8_instructions(flags) == instructions
    assert int8_saturates(flags) == (instructions is None)


def test_an_unknown_processor_is_not_said_to_saturate() -> None:
    assert not int8_saturates([])


def test_a_card_keeps_what_was_measured(tmp_path: Path) -> None:
    written = card(SMALL, LARGE)
    write_card(replace(written, precision="int8", saturates=True), tmp_path)
    assert read_card(tmp_path) == written


def test_descriptors_of_another_precision_or_int8_graph_do_not_compare() -> None:
    model = card(SMALL)
    int8 = replace(model, precision="int8")
    again = replace(int8, files={**int8.files, "int8.bin": "2"})
    elsewhere = replace(int8, saturates=True)
    prints = {card.fingerprint for card in (model, int8, again, elsewhere)}
    assert len(prints) == 4
    assert model.fingerprint == card(graph=False).fingerprint


def test_a_graph_quantised_before_its_import_belongs_to_a_kind_of_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, zero = (
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))
        for name, value in (("step", np.array(0.002, np.float32)), ("zero", np.array(0, np.uint8)))
    )
    to_bytes = helper.make_node("QuantizeLinear", ["pooled", "step", "zero"], ["bytes"])
    back = helper.make_node("DequantizeLinear", ["bytes", "step", "zero"], ["descriptor"])
    made = graph(metadata=PREPARED, last=[step, zero, to_bytes, back])
    import_onnx(write_graph(tmp_path / "quantised.onnx", made), tmp_path / "quantised")
    import_onnx(write_graph(tmp_path / "plain.onnx"), tmp_path / "plain")

    fingerprints: dict[str, list[str]] = {"quantised": [], "plain": []}
    monkeypatch.setattr(precisions, "_processor_flags", lambda: ["avx2", "avx_vnni"])
    for limit in ("AVX2", "AVX2_VNNI"):
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
        for name, found in fingerprints.items():
            found.append(open_model(tmp_path / name).fingerprint)

    assert {name: len(set(found)) for name, found in fingerprints.items()} == {
        "quantised": 2,
        "plain": 1,
    }
    opened = open_model(tmp_path / "quantised", precision="auto")
    assert opened.in_words == "f32, but its graph was quantised to int8 before its import"
    require_unquantized(read_card(tmp_path / "plain"))
    with pytest.raises(ModelError, match="was quantised before its import; import the float32"):
        require_unquantized(opened.card)
