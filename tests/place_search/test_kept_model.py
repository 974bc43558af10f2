"""An index that is made again keeps its model, unless another one is named."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from typer.testing import Result

import place_search
from place_search import PlaceSearchError
from place_search.indexer import read_manifest
from place_search.models import find_model, write_card
from place_search.models.card import read_card

Run = Callable[..., Result]
CheckFailure = Callable[..., str]
OTHER = "lite0-netvlad"
DEFAULT = "lite0-netvlad-1024"


def made_by(index: Path) -> tuple[str, int]:
    manifest = read_manifest(index)
    return str(manifest.model["id"]), int(manifest.model["dims"])


@pytest.fixture
def few(photos: Path, tmp_path: Path) -> Path:
    (tmp_path / "few").mkdir()
    for name in ("0.jpg", "1.jpg"):
        shutil.copy(photos / "places" / name, tmp_path / "few")
    return tmp_path / "few"


@pytest.mark.slow
def test_the_command_keeps_it_and_says_so(run: Run, few: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    first = run("index", few, "--out", index, "--model", OTHER)
    assert first.exit_code == 0
    assert "keeps its model" not in first.stderr
    again = run("index", few, "--out", index)
    assert made_by(index) == (OTHER, 7168)
    said = f"{index} keeps its model, {OTHER}; with --model {DEFAULT} it gets the one of new"
    assert said in " ".join(again.stderr.split())
    assert run("index", few, "--out", index, "--model", DEFAULT).exit_code == 0
    assert made_by(index) == (DEFAULT, 1024)
    assert "keeps its model" not in run("index", few, "--out", index).stderr
    assert run("index", few, "--out", index, env={"PLACE_SEARCH_MODEL": OTHER}).exit_code == 0
    assert made_by(index) == (OTHER, 7168)


@pytest.mark.slow
def test_python_keeps_it_with_its_dimensions(few: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    place_search.index(few, index, model=place_search.open_model(dims=64))
    place_search.index(few, index)
    assert made_by(index) == (DEFAULT, 64)
    place_search.index(few, index, model=OTHER)
    place_search.index(few, index)
    assert made_by(index) == (OTHER, 7168)


@pytest.mark.slow
def test_it_keeps_what_verifies_its_results(run: Run, few: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    assert run("index", few, "--out", index, "--verify-with", OTHER).exit_code == 0
    verifier = read_manifest(index).verifier
    assert verifier is not None
    assert run("index", few, "--out", index).exit_code == 0
    assert read_manifest(index).verifier == verifier
    place_search.index(few, index)
    assert read_manifest(index).verifier == verifier


def test_a_model_that_is_gone_is_named(
    run: Run,
    check_failure: CheckFailure,
    few: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLACE_SEARCH_WEIGHTS", str(tmp_path / "weights"))
    mine = tmp_path / "weights" / "mine"
    shutil.copytree(find_model(DEFAULT), mine)
    write_card(replace(read_card(find_model(DEFAULT)), id="mine"), mine)
    index = tmp_path / "index"
    assert run("index", few, "--out", index, "--model", "mine").exit_code == 0
    shutil.rmtree(mine)
    failed = run("index", few, "--out", index)
    assert "keeps its model, mine, unless another one is named" in check_failure(failed)
    assert made_by(index)[0] == "mine"


@pytest.mark.slow
@pytest.mark.parametrize("instructions", ["AVX512-VNNI", None])
def test_the_model_of_an_index_is_opened_as_the_index_was_made(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instructions: str | None
) -> None:
    precision: Literal["f32", "int8"] = "f32" if instructions else "int8"
    place_search.index(
        few, tmp_path / "index", model=place_search.open_model(precision=precision, dims=512)
    )
    monkeypatch.setattr("place_search.models.model.int8_instructions", lambda: instructions)
    with place_search.open_index(tmp_path / "index") as index:
        for of in (index, tmp_path / "index"):
            own = place_search.open_model(index=of, max_megapixels=60)
            assert (own.card.precision, own.card.dims, own.max_pixels) == (
                precision,
                512,
                6 * 10**7,
            )
            [hit] = index.search(place_search.describe(few / "1.jpg", model=own)[0], 1)
            assert (hit.place_id, round(hit.similarity, 2)) == (1, 1)
        other = place_search.open_model()
        with pytest.raises(PlaceSearchError, match=r"512 numbers, .* 1024 numbers, .*index=INDEX"):
            place_search.search(index, few / "1.jpg", model=other)
