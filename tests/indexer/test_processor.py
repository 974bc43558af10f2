"""An int8 index belongs to the kind of processor that made it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from place_search.indexer import ModelMismatchError, build_index, open_index, open_source
from place_search.indexer.changes.version_builder import check_model
from place_search.indexer.storage.manifest import read_manifest
from place_search.models import Model
from place_search.models.precision import GRAPHS, int8_instructions

PROGRAM = (sys.executable, "-m", "place_search")


def in_int8(model: Model, *, saturates: bool) -> Model:
    files = {**model.card.files, **dict.fromkeys(GRAPHS["int8"], "1")}
    card = replace(model.card, files=files, precision="int8", saturates=saturates)
    return Model(card, model.runtime)


@pytest.mark.parametrize("saturates", [False, True])
def test_the_other_kind_of_processor_is_refused(
    model: Model, photos: Path, tmp_path: Path, saturates: bool
) -> None:
    folder = tmp_path / "index"
    current, elsewhere = (in_int8(model, saturates=value) for value in (saturates, not saturates))
    build_index(open_source(photos), folder, current)
    index = open_index(folder)
    index.check_model(current)
    check_model(current, index.manifest, folder)
    with_or_without = "without" if saturates else "with"
    sentence = rf"in int8 on a processor {with_or_without} VNNI.*--precision f32"
    with pytest.raises(ModelMismatchError, match=sentence):
        index.check_model(elsewhere)
    with pytest.raises(ModelMismatchError, match=sentence):
        check_model(elsewhere, index.manifest, folder)


def test_an_index_of_version_0_1_opens_on_any_processor(
    model: Model, photos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    build_index(open_source(photos), folder, in_int8(model, saturates=False))
    manifest = read_manifest(folder)
    entry = {key: value for key, value in manifest.model.items() if key != "saturates"}
    replace(manifest, model=entry).write(folder)
    for saturates in (False, True):
        open_index(folder).check_model(in_int8(model, saturates=saturates))


def test_float32_is_the_same_everywhere(model: Model, photos: Path, tmp_path: Path) -> None:
    build_index(open_source(photos), tmp_path / "index", model)
    assert read_manifest(tmp_path / "index").model["saturates"] is False


@pytest.mark.skipif(int8_instructions() is None, reason="needs a processor with VNNI or AMX")
def test_the_program_refuses_an_index_of_another_processor(photos: Path, tmp_path: Path) -> None:
    def run(*arguments: str | Path, isa: str) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa}
        command = [*PROGRAM, *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    photo, index = photos / "p00.jpg", tmp_path / "index"
    process = run("index", photos, "--out", index, "--precision", "int8", isa="AVX2")
    assert process.returncode == 0, process.stderr
    assert run("search", index, photo, isa="AVX2").returncode == 0
    for refused in (
        run("search", index, photo, isa="ALL"),
        run("add", index, photos / "more", isa="ALL"),
    ):
        assert refused.returncode == 1
        assert "in int8 on a processor without VNNI or AMX" in refused.stderr
    # Left to itself such a processor takes float32, which any other can search.
    plain = run("index", photos, "--out", tmp_path / "plain", isa="AVX2")
    assert "in f32, this processor has no instructions" in plain.stderr
    assert run("search", tmp_path / "plain", photo, isa="ALL").returncode == 0
