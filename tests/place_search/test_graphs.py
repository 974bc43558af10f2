"""An ONNX graph behind the program: imported without torch, then all that a model is good for."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import place_search
from place_search.models import Model, read_card
from place_search.search.probability import UNSURE_FROM, calibration_of, candidate_probabilities
from place_search.search.reasons import reason_of
from tests.models.graph_files import DIMS, descriptor, graph, write_graph
from tests.place_search.conftest import write_streets
from tests.search.calibration_0_1 import CALIBRATION

Run = Callable[..., Result]
FLAGS = ("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")
PLACES = 8


def run_without_torch(env: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The program where it can import neither torch nor NNCF."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['nncf'] = None\n"
        "from place_search.cli.app import main; main()"
    )
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder of its own, with the graph `a.onnx` beside it."""
    folder = tmp_path_factory.mktemp("graphs")
    write_graph(folder / "a.onnx", graph())
    return folder / "weights"


@pytest.fixture(scope="module")
def env(weights: Path) -> dict[str, str]:
    return {"PLACE_SEARCH_WEIGHTS": str(weights)}


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Places, crops of them as queries, and which is of which."""
    root = tmp_path_factory.mktemp("streets")
    write_streets(root, PLACES)
    return root


@pytest.fixture(scope="module")
def model(weights: Path, env: dict[str, str]) -> Path:
    """The imported graph."""
    file = str(weights.parent / "a.onnx")
    told = ("--as", "mine", "--size", "multiple-of", "16", *FLAGS, "--licence", "MIT")
    done = run_without_torch(env, "weights", "import", file, *told)
    assert done.returncode == 0, done.stderr
    assert f"mine: a, an ONNX graph; onnx, {DIMS} dimensions" in done.stderr
    return weights / "mine"


def test_the_folder_is_a_model_like_any_other(
    run: Run, model: Path, env: dict[str, str], streets: Path
) -> None:
    assert sorted(file.name for file in model.iterdir()) == ["card.toml", "f32.bin", "f32.xml"]
    assert read_card(model).licence == "MIT"
    listed = json.loads(run("weights", "list", "--json", env=env).stdout)
    assert listed[0]["id"] == "mine"
    assert run("weights", "verify", "mine", env=env).stdout == "mine: whole\n"
    opened = place_search.open_model(model)
    given = opened.prepare(opened.read(streets / "places" / "3.jpg"))
    found = place_search.describe(streets / "places" / "3.jpg", model=opened)[0]
    assert float(found @ descriptor(given)) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        ("import", "gone.pth", "--as", "x"),
        ("fetch", "pytorch-netvlad-pitts30k", "--from", "gone.pth", "--as", "x"),
    ],
)
def test_of_a_missing_file_and_no_torch_the_file_is_told(
    env: dict[str, str], given: tuple[str, ...]
) -> None:
    assert run_without_torch(env, "weights", *given).stderr == (
        "gone.pth is not a file; name a weight file or a model folder.\n"
    )


@pytest.mark.slow
def test_its_folder_is_imported_whole_under_a_new_name_without_torch(
    weights: Path, model: Path, env: dict[str, str], tmp_path: Path
) -> None:
    again = run_without_torch(env, "weights", "import", str(model), "--as", "again", "--title", "B")
    assert again.returncode == 0, again.stderr
    copied, card = read_card(weights / "again"), read_card(model)
    assert (copied.id, copied.title, copied.files) == ("again", "B", card.files)
    opened = place_search.open_model(weights / "again")
    assert opened.fingerprint == place_search.open_model(model).fingerprint
    shutil.copytree(model, tmp_path / "torn")
    with (tmp_path / "torn" / "f32.bin").open("ab") as stream:
        stream.write(b"more")
    torn = run_without_torch(env, "weights", "import", str(tmp_path / "torn"), "--as", "torn")
    assert torn.returncode == 1
    assert "f32.bin is missing or altered; fetch or import the model again." in torn.stderr
    assert not (weights / "torn").exists()


def test_describe_eval_and_doctor_take_it(
    run: Run, model: Path, env: dict[str, str], streets: Path, tmp_path: Path
) -> None:
    files = sorted((streets / "places").iterdir())
    told = run("describe", *files, "--out", tmp_path / "d.npy", "--model", "mine", env=env)
    assert told.exit_code == 0, told.output
    assert np.load(tmp_path / "d.npy").shape == (PLACES, DIMS)
    truth = ("--truth", streets / "truth.csv", "--root", streets, "--model", "mine")
    found = json.loads(run("eval", *truth, "--json", env=env).stdout)
    assert found["recall"]["1"] == 100
    told = run("doctor", *truth, "--json", env=env)
    assert json.loads(told.stdout)["model"] == "mine", told.output


def test_an_index_of_it_is_calibrated_and_searched(
    run: Run, model: Path, env: dict[str, str], streets: Path, tmp_path: Path
) -> None:
    made = run("index", streets / "places", "--out", tmp_path / "i", "--model", "mine", env=env)
    assert made.exit_code == 0, made.output
    assert (tmp_path / "i" / "calibration.json").is_file()
    found = run("search", tmp_path / "i", streets / "queries" / "5.jpg", "--json", env=env)
    assert json.loads(found.stdout)["results"][0]["name"] == "5.jpg"


def test_without_local_features_similarity_alone_is_compared(
    run: Run, model: Path, streets: Path, tmp_path: Path
) -> None:
    made = run(
        "index", streets / "places", "--out", tmp_path / "i", "--model", model,
        "--no-local-features",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    one, other = streets / "places" / "1.jpg", streets / "places" / "6.jpg"
    same = place_search.compare(one, one, index=tmp_path / "i", model=model)
    different = place_search.compare(one, other, index=tmp_path / "i", model=model)
    assert reason_of(same.notes[-1]) == ("only-similarity", {})
    assert same.probability >= 0.5 >= different.probability
    found = place_search.search(tmp_path / "i", one, model=model)
    assert found.results[0].name == "1.jpg"
    assert found.match.verdict != "not_found"


def test_pairs_do_not_say_what_a_similarity_alone_is_worth(model: Path) -> None:
    """A graph that has only the calibration of pairs is never sure without geometry."""
    opened = place_search.open_model(model)
    pairs = replace(CALIBRATION, weights=(4.0, 1.0, 0.4, 0.0), threshold=0.95)
    fitted = Model(replace(opened.card, calibration=pairs), opened.runtime)
    for similarity in (0.0, 0.6, 1.0):
        others = [similarity, *[-0.2] * 99]
        told = candidate_probabilities(calibration_of(fitted), [similarity], [None], others)
        assert told == [UNSURE_FROM]


def test_torch_cannot_train_what_is_a_graph_alone(model: Path) -> None:
    pytest.importorskip("torch")
    from place_search.models import ModelError, open_model

    with pytest.raises(ModelError, match="'mine' is a graph alone, so torch can neither run"):
        open_model(model, runtime="torch")


@pytest.mark.torch
def test_what_needs_weights_is_refused_before_any_photo_is_read(
    run: Run, model: Path, env: dict[str, str], streets: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    photos, listed = streets / "places", tmp_path / "photos.csv"
    listed.write_text("image\n1.jpg\n", "utf-8")
    named = ("--out", tmp_path / "new", "--model", "mine")
    for command in (
        ("whiten", photos, "--dims", "8", *named),
        ("whiten", listed, "--views", "--root", photos, "--dims", "8", *named),
        ("train", photos, "--views", "4", *named),
        ("export", "mine", "--out", tmp_path / "mine.pth.tar"),
    ):
        told = run(*command, env=env)
        assert told.exit_code == 1, command
        assert "'mine' is a graph alone, so torch" in " ".join(told.output.split()), command
        assert "Checking photos" not in told.output
    assert list(tmp_path.iterdir()) == [listed]


def test_dims_of_a_graph_advise_what_can_be_done(
    run: Run, model: Path, env: dict[str, str], streets: Path, tmp_path: Path
) -> None:
    told = run(
        "index", streets / "places", "--out", tmp_path / "i", "--model", "mine", "--dims", "8",
        env=env,
    )  # fmt: skip
    said = " ".join(told.output.split())
    assert told.exit_code == 1
    assert f"to 8 dimensions; keep its {DIMS}, or import a graph that gives fewer." in said


@pytest.fixture(scope="module")
def quantised(run: Run, model: Path, env: dict[str, str], streets: Path) -> Path:
    """The same in int8, with its loss on two truths of one file name; all of one is wrong."""
    pytest.importorskip("nncf")
    (streets / "wrong").mkdir()
    rows = [f"queries/{place}.jpg,places/{(place + 1) % PLACES}.jpg" for place in range(PLACES)]
    (streets / "wrong" / "truth.csv").write_text("\n".join(["query,positives", *rows]), "utf-8")
    told = run(
        "quantize", "mine", "--photos", streets / "places", "--truth", streets / "truth.csv",
        "--truth", streets / "wrong" / "truth.csv", "--root", streets, "--as", "mine8",
        env=env,
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    return model.with_name("mine8")


def test_it_is_quantised_like_any_other(
    run: Run, model: Path, quantised: Path, env: dict[str, str], streets: Path
) -> None:
    opened = place_search.open_model(quantised, precision="int8")
    exact = place_search.open_model(model)
    one, other = (
        place_search.describe(streets / "places" / "1.jpg", model=each)[0]
        for each in (opened, exact)
    )
    assert float(one @ other) > 0.98
    assert opened.fingerprint != exact.fingerprint
    assert run("weights", "verify", "mine8", env=env).stdout == "mine8: whole\n"


def test_both_truths_of_one_file_name_are_measured(quantised: Path, streets: Path) -> None:
    made = read_card(quantised).quantization
    assert made is not None
    measured = {(row.dataset, row.verified): (row.f32, row.int8) for row in made.measured}
    right, wrong = f"{streets.name}/truth", "wrong/truth"
    assert measured == {
        **dict.fromkeys([(right, False), (right, True)], (100, 100)),
        **dict.fromkeys([(wrong, False), (wrong, True)], (0, 0)),
    }


@pytest.mark.slow
def test_python_quantises_as_the_program_does(
    quantised: Path, streets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from place_search.quantizing import quantize

    monkeypatch.setenv("PLACE_SEARCH_WEIGHTS", str(quantised.parent))
    photos = shutil.copytree(streets / "places", tmp_path / "photos")
    (photos / "torn.jpg").write_bytes(b"no photo")
    made = quantize("mine", photos, name="python8")
    assert [photo.name for photo in made.skipped] == ["torn.jpg"]
    one, other = made.card.quantization, read_card(quantised).quantization
    assert one is not None
    assert other is not None
    assert replace(one, measured=()) == replace(other, measured=())
    assert one.loss is None
    assert read_card(quantised.with_name("python8")) == made.card


def test_what_cannot_be_quantised_leaves_no_model(
    run: Run, model: Path, env: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("nncf")
    before = sorted(model.parent.iterdir())
    (tmp_path / "torn.jpg").write_bytes(b"no photo")
    for name, sentence in (
        (
            "none",
            f"{tmp_path} cannot be read: torn.jpg: the photo is not a photo",
        ),
        ("../up", "model's id"),
    ):
        told = run("quantize", "mine", "--photos", tmp_path, "--as", name, env=env)
        assert told.exit_code == 1
        assert sentence in told.stderr
    assert sorted(model.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("a.onnx",), "does not say how photos are prepared for it; give --size"),
        (("missing.onnx",), "is not a file"),
        (("a.onnx", "14"), "Got an unexpected argument: 14"),
        (("a.pth", "--size", "9x9"), "only works with an ONNX graph"),
        (("a.pth", "--channels", "bgr"), "only works with an ONNX graph"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(
    run: Run, weights: Path, env: dict[str, str], arguments: tuple[str, ...], sentence: str
) -> None:
    file = weights.parent / arguments[0]
    if file.suffix == ".pth":
        shutil.copy(weights.parent / "a.onnx", file)
        file.write_bytes(b"\x80\x02}q\x00.")
    result = run("weights", "import", file, *arguments[1:], "--as", "other", env=env)
    assert result.exit_code in (1, 2)
    assert sentence in " ".join(result.output.split())
    assert not list(weights.glob("*other*"))
