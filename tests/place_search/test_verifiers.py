"""Results of a model without local features are verified by those of a second one."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import place_search
from place_search import models
from place_search.indexer import open_index, read_manifest
from place_search.indexer.distributed.ray_worker import ship_model
from place_search.models import find_model, read_card, write_card
from place_search.models.graphs.importing import import_onnx
from place_search.models.graphs.options import GraphOptions
from place_search.photos import Decoder
from place_search.search.engine import Engine
from place_search.search.index_calibration import checksum_of, read_index_calibration
from place_search.search.server.server import open_engine
from place_search.search.server.settings import ServerSettings
from tests.models.graph_files import write_graph
from tests.place_search.conftest import photo, write_streets

pytestmark = pytest.mark.slow  # each is about an index that a module fixture makes
Run = Callable[..., Result]
CheckFailure = Callable[[Result], str]
PLACES = 8


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder: `mine` gives descriptors alone, `other` is the included model otherwise."""
    folder = tmp_path_factory.mktemp("verifiers") / "weights"
    file = write_graph(folder.parent / "a.onnx")
    import_onnx(file, folder / "mine", GraphOptions())
    shutil.copytree(find_model("lite0-netvlad-1024"), folder / "other")
    card = read_card(folder / "other")
    smaller = replace(card.preprocessing, width=480, height=352)
    write_card(replace(card, id="other", preprocessing=smaller), folder / "other")
    return folder


@pytest.fixture(scope="module")
def env(weights: Path) -> dict[str, str]:
    return {"PLACE_SEARCH_WEIGHTS": str(weights)}


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    monkeypatch.setenv("PLACE_SEARCH_WEIGHTS", str(weights))


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("streets")
    write_streets(root, PLACES)
    photo(50).save(root / "elsewhere.jpg")
    return root


@pytest.fixture(scope="module")
def index(run: Run, streets: Path, env: dict[str, str], weights: Path) -> Path:
    """An index by the model that gives descriptors alone."""
    out = weights.parent / "index"
    made = run("index", streets / "places", "--out", out, "--model", "mine", env=env)
    assert made.exit_code == 0, made.output
    assert "Described by mine in f32" in made.stderr
    assert "local features by lite0-netvlad-1024." in made.stderr
    return out


def test_the_index_keeps_what_the_included_model_sees(
    run: Run, index: Path, streets: Path, env: dict[str, str], tmp_path: Path
) -> None:
    made = run("index", streets / "places", "--out", tmp_path / "lite0", env=env)
    assert made.exit_code == 0, made.output
    ours, theirs = open_index(index), open_index(tmp_path / "lite0")
    assert ours.manifest.verifier is not None
    assert ours.manifest.verifier["id"] == "lite0-netvlad-1024"
    assert ours.manifest.verifier["fingerprint"] == theirs.fingerprint
    assert theirs.manifest.verifier is None
    for place in range(PLACES):
        (codes, grid), (expected, its_grid) = ours.codes(place), theirs.codes(place)
        assert grid == its_grid
        np.testing.assert_array_equal(codes, expected)


def test_a_search_is_verified_and_says_what_is_not_there(
    run: Run, index: Path, streets: Path, env: dict[str, str]
) -> None:
    found = run("search", index, streets / "queries" / "5.jpg", "--json", env=env)
    answer = json.loads(found.stdout)
    first, second = answer["results"][:2]
    assert (first["name"], answer["match"]["verdict"]) == ("5.jpg", "found")
    assert first["verified"]["inliers"] > 5 * second["verified"]["inliers"]
    found = run("search", index, streets / "elsewhere.jpg", "--json", env=env)
    assert json.loads(found.stdout)["match"]["verdict"] != "found"
    plain = run("search", index, streets / "queries" / "5.jpg", "--no-verify", "--json", env=env)
    assert json.loads(plain.stdout)["results"][0]["verified"] is None


@pytest.mark.usefixtures("at_home")
def test_python_verifies_with_a_model_that_was_opened_alone(
    index: Path, streets: Path, weights: Path
) -> None:
    query = streets / "queries" / "3.jpg"
    alone = models.open_model(weights / "mine")
    other = place_search.open_model("mine", verify_with="other")
    expected = place_search.search(index, query)
    for model in (alone, other, place_search.open_model("mine")):
        found = place_search.search(index, query, model=model, verify=True)
        assert [each.verified for each in found.results] == [
            each.verified for each in expected.results
        ]
        assert found.query.notes == expected.query.notes
    assert alone.verifier is None
    unfitted = Engine(open_index(index), alone).search(query, verify=True)
    assert unfitted.results[0].verified is None
    assert "keeps other local features than this model gives" in unfitted.query.notes[-1]


@pytest.mark.usefixtures("at_home")
def test_a_photo_is_as_similar_without_its_verification(index: Path, streets: Path) -> None:
    alone = models.open_model("mine")
    query = streets / "places" / "3.jpg"
    expected = place_search.search(index, query, verify=True).results[0].similarity
    for model in (None, "mine", place_search.open_model("mine"), alone):
        found = place_search.search(index, query, model=model, verify=False)
        assert found.results[0].similarity == expected
    assert not alone.beside


@pytest.mark.usefixtures("at_home")
def test_descriptors_in_a_file_are_those_of_an_index(
    run: Run, streets: Path, env: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "described.npy"
    query = streets / "places" / "3.jpg"
    assert run("describe", query, "--out", out, "--model", "mine", env=env).exit_code == 0
    np.testing.assert_array_equal(np.load(out), place_search.describe([query], model="mine"))


@pytest.mark.usefixtures("at_home")
def test_a_server_decodes_once_for_both_networks(index: Path, streets: Path) -> None:
    content = (streets / "queries" / "2.jpg").read_bytes()
    with_sandbox = Decoder(workers=1)
    try:
        engine = open_engine(index, ServerSettings(), decoder=with_sandbox)
        assert engine.verifies
        found = engine.search(content)
    finally:
        with_sandbox.close()
    expected = open_engine(index, ServerSettings()).search(content)
    assert [each.verified for each in found.results] == [each.verified for each in expected.results]
    assert [each.similarity for each in found.results] == [
        each.similarity for each in expected.results
    ]
    reopened = open_engine(index, ServerSettings(), served=engine)
    assert reopened.model is engine.model


def test_added_photos_get_the_same_local_features(
    run: Run, index: Path, streets: Path, env: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(index, tmp_path / "i")
    (tmp_path / "more").mkdir()
    photo(20).save(tmp_path / "more" / "20.jpg")
    for wrong, sentence in (
        ("other", "keeps local features of 'lite0-netvlad-1024' and cannot take those of 'other'"),
        ("mine", "'mine' gives no local features, so that it can verify nothing"),
        ("none", "There is no model 'none'"),
    ):
        said = run("add", tmp_path / "i", tmp_path / "more", "--verify-with", wrong, env=env)
        assert said.exit_code == 1
        assert sentence in said.stderr
    flags = ("--verify-with", str(find_model("lite0-netvlad-1024")))
    said = run("add", tmp_path / "i", tmp_path / "more", *flags, env=env)
    assert said.exit_code == 0, said.output
    assert open_index(tmp_path / "i").manifest.verifier == read_manifest(index).verifier
    found = run("search", tmp_path / "i", tmp_path / "more" / "20.jpg", "--json", env=env)
    assert json.loads(found.stdout)["results"][0]["verified"]["inliers"] > 200
    said = run("sync", tmp_path / "i", streets / "places", env=env)
    assert said.exit_code == 0, said.output
    assert open_index(tmp_path / "i").has_local_features


def test_no_local_features_means_none(
    run: Run, streets: Path, env: dict[str, str], tmp_path: Path
) -> None:
    make = ("index", streets / "places", "--out", tmp_path / "i", "--model", "mine")
    assert run(*make, "--no-local-features", env=env).exit_code == 0
    assert read_manifest(tmp_path / "i").verifier is None
    assert "verifier" not in json.loads((tmp_path / "i" / "manifest.json").read_text("utf-8"))
    found = json.loads(
        run("search", tmp_path / "i", streets / "queries" / "1.jpg", "--json", env=env).stdout
    )
    assert found["results"][0]["verified"] is None
    photo(30).save(tmp_path / "30.jpg")
    (tmp_path / "more").mkdir()
    (tmp_path / "30.jpg").rename(tmp_path / "more" / "30.jpg")
    said = run("add", tmp_path / "i", tmp_path / "more", "--verify-with", "other", env=env)
    assert "--verify-with only works where the index keeps local features" in said.stderr
    assert run("add", tmp_path / "i", tmp_path / "more", env=env).exit_code == 0
    both = run(*make, "--no-local-features", "--verify-with", "other", env=env)
    assert both.exit_code == 2


def test_the_verifier_is_the_one_that_is_asked_for_or_the_cards(
    run: Run, streets: Path, weights: Path, env: dict[str, str], tmp_path: Path
) -> None:
    make = ("index", streets / "places", "--out", tmp_path / "i", "--model")
    assert run(*make, "mine", "--verify-with", "other", env=env).exit_code == 0
    assert (read_manifest(tmp_path / "i").verifier or {})["id"] == "other"
    kept = read_index_calibration(open_index(tmp_path / "i"))
    assert kept is not None
    found = run("search", tmp_path / "i", streets / "queries" / "1.jpg", "--json", env=env)
    assert json.loads(found.stdout)["results"][0]["verified"]["inliers"] > 100
    # The calibration of one verifier is not taken for that of another.
    told = json.loads((tmp_path / "i" / "calibration.json").read_text("utf-8"))
    told["verifier"] = "x"
    told["sha256"] = checksum_of(told)
    (tmp_path / "i" / "calibration.json").write_text(json.dumps(told))
    assert read_index_calibration(open_index(tmp_path / "i")) is None

    assert run(*make, "lite0-netvlad-1024", "--verify-with", "other", env=env).exit_code == 0
    assert (read_manifest(tmp_path / "i").verifier or {})["id"] == "other"
    assert (
        run(*make, "lite0-netvlad-1024", "--verify-with", "lite0-netvlad-1024", env=env).exit_code
        == 0
    )
    assert read_manifest(tmp_path / "i").verifier is None
    said = run(*make, "lite0-netvlad-1024", "--verify-with", "mine", env=env)
    assert "'mine' gives no local features, so that it can verify nothing" in said.stderr

    shutil.copytree(weights / "mine", tmp_path / "carded")
    write_card(replace(read_card(tmp_path / "carded"), verify_with="other"), tmp_path / "carded")
    opened = models.open_model(tmp_path / "carded", verify=False)
    assert opened.verifier is None
    found_path = str(weights / "other")
    write_card(replace(opened.card, verify_with=found_path), tmp_path / "carded")
    verifier = models.open_model(tmp_path / "carded", verify=True).verifier
    assert verifier is not None
    assert verifier.card.id == "other"


@pytest.mark.usefixtures("at_home")
def test_comparing_and_evaluating_verify_too(run: Run, streets: Path, env: dict[str, str]) -> None:
    pair = (streets / "places" / "1.jpg", streets / "queries" / "1.jpg")
    said = json.loads(run("compare", *pair, "--model", "mine", "--json", env=env).stdout)
    assert said["inliers"] > 100
    assert place_search.compare(*pair, model="mine").inliers == said["inliers"]
    truth = ("--truth", streets / "truth.csv", "--root", streets, "--model", "mine")
    found = json.loads(run("eval", *truth, "--verify", "--json", env=env).stdout)
    assert found["recall"]["1"] == 100 > found["unverified"]["1"]


@pytest.mark.usefixtures("at_home")
def test_a_model_is_shipped_with_its_verifier(streets: Path) -> None:
    model = place_search.open_model("mine")
    there = ship_model(model)()
    given = model.read(streets / "places" / "4.jpg")
    ours, theirs = model.embed(given), there.embed(given)
    np.testing.assert_array_equal(ours.descriptor, theirs.descriptor)
    np.testing.assert_array_equal(ours.require_local_features(), theirs.require_local_features())
    alone = model.alone().embed(given)
    assert alone.local_features is None
    (streamed,) = model.stream_all([("a", model.prepare_all(given))])
    np.testing.assert_allclose(streamed[1].descriptor, ours.descriptor, atol=1e-6)
    np.testing.assert_allclose(
        streamed[1].require_local_features(), ours.require_local_features(), atol=1e-5
    )


def test_a_replaced_verifier_is_refused_and_needed_only_for_verification(
    run: Run,
    check_failure: CheckFailure,
    streets: Path,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = tmp_path / "weights"
    shutil.copytree(weights, own)
    env = {"PLACE_SEARCH_WEIGHTS": str(own)}
    index, query = tmp_path / "index", streets / "queries" / "5.jpg"
    options = ("--model", "mine", "--verify-with", "other")
    made = run("index", streets / "places", "--out", index, *options, env=env)
    assert made.exit_code == 0, made.output
    shutil.rmtree(own / "other")
    shutil.copytree(find_model("lite0-netvlad"), own / "other")
    card = read_card(own / "other")
    write_card(replace(card, id="other", files=_without_int8(card)), own / "other")
    told = check_failure(run("search", index, query, env=env))
    assert "gives other local features than 'other'" in told
    shutil.rmtree(own / "other")
    assert "no model 'other'" in check_failure(run("search", index, query, env=env))
    plain = run("search", index, query, "--no-verify", "--json", env=env)
    assert json.loads(plain.stdout)["results"][0]["name"] == "5.jpg"
    track = ("track", index, streets / "queries", "--out", tmp_path / "track.csv")
    for command in (("similar", index, "5.jpg"), track):
        ended = run(*command, env=env)
        assert ended.exit_code == 0, ended.output
    monkeypatch.setenv("PLACE_SEARCH_WEIGHTS", str(own))
    [best, *_] = place_search.search(index, query, verify=False).results
    assert best.name == "5.jpg"


def _without_int8(card: models.ModelCard) -> dict[str, str]:
    return {name: digest for name, digest in card.files.items() if "int8" not in name}
