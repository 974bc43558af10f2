"""`weights`: somebody's file in, a model that opens without torch out."""

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

from place_search.core.files import sha256_of
from place_search.models import ModelError, find_model, open_model, read_card, write_card
from place_search.models.card import DIRECTIONS_NAME, WEIGHTS_NAME
from place_search.photos.photo import Photo
from tests.models import families

Run = Callable[..., Result]
CheckFailure = Callable[[Result], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder of its own."""
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    return {"PLACE_SEARCH_WEIGHTS": str(folder)}


@pytest.fixture(scope="module")
def imported(run: Run, env: dict[str, str], folder: Path) -> Path:
    """An imported pytorch-NetVlad checkpoint: AlexNet, v2."""
    file = folder / "mine.pth.tar"
    families.pytorch_netvlad_v2().write(file)
    result = run("weights", "import", file, "--as", "mine", env=env)
    assert result.exit_code == 0, result.output
    assert "alexnet + NetVLAD v2, 3 clusters; pytorch-NetVlad, 768 dim" in result.stderr
    return folder / "mine"


def test_an_imported_model_serves_without_torch(imported: Path) -> None:
    assert sorted(path.name for path in imported.iterdir()) == [
        "card.toml",
        "f32.onnx",
        "weights.safetensors",
    ]
    pixels = np.random.default_rng(1).integers(0, 256, (83, 98, 3), dtype=np.uint8)
    expected = families.pytorch_netvlad_v2().descriptor(pixels)
    np.save(imported.parent / "pixels.npy", pixels)
    code = (
        "import sys, numpy as np\n"
        "sys.modules['torch'] = None\n"
        "from place_search.models import open_model\n"
        "from place_search.photos.photo import Photo\n"
        f"model = open_model({str(imported)!r})\n"
        f"pixels = np.load({str(imported.parent / 'pixels.npy')!r})\n"
        "found = model.embed(Photo(pixels, 98, 83))\n"
        f"np.save({str(imported.parent / 'found.npy')!r}, found.descriptor)\n"
        "print(found.local_features.shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(4, 5, 256)"
    found = np.load(imported.parent / "found.npy").astype(float)
    assert float(found @ expected) >= 0.99999


def test_the_card_says_where_the_weights_come_from(imported: Path) -> None:
    card = read_card(imported)
    assert (
        card.id,
        card.backbone,
        card.aggregation.parameters["clusters"],
        card.in_0_1_words["stride"],
    ) == ("mine", "alexnet", 3, 16)
    assert card.preprocessing.resize == "longest"
    (source,) = card.sources
    assert (source.what, source.origin) == ("pytorch-NetVlad", "mine.pth.tar")
    assert len(source.sha256) == 64


def test_verify_finds_a_model_whole_and_an_altered_one_not(
    run: Run, env: dict[str, str], imported: Path
) -> None:
    result = run("weights", "verify", "mine", env=env)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("mine: whole, agreement with torch 1.0000")
    weights = imported / "weights.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    result = run("weights", "verify", "--json", env=env)
    weights.write_bytes(kept)
    assert result.exit_code == 1
    (check,) = json.loads(result.stdout)
    assert "missing or altered" in check["problems"][0]


def test_a_model_folder_is_imported_under_a_new_name(
    run: Run, env: dict[str, str], folder: Path, imported: Path
) -> None:
    assert run("weights", "import", imported, "--as", "again", env=env).exit_code == 0
    again = open_model(folder / "again")
    assert (again.card.id, again.fingerprint) == ("again", open_model(imported).fingerprint)
    photo = Photo(np.zeros((480, 640, 3), np.uint8), 640, 480)
    assert again.embed(photo).require_local_features().shape == (29, 39, 256)


def test_a_model_folder_keeps_its_directions_and_takes_what_is_said_of_it(
    run: Run, env: dict[str, str], folder: Path, imported: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(imported, own)
    directions = np.random.default_rng(3).normal(size=(256, 16)).astype(np.float32)
    np.save(own / DIRECTIONS_NAME, directions)
    card = read_card(own)
    files = {**card.files, DIRECTIONS_NAME: sha256_of(own / DIRECTIONS_NAME)}
    write_card(replace(card, files=files), own)
    about = ("--title", "Ours", "--source", "https://example.org/own", "--licence", "MIT")
    result = run("weights", "import", own, "--as", "told", *about, env=env)
    assert result.exit_code == 0, result.output
    told = open_model(folder / "told")
    assert told.fingerprint == open_model(own).fingerprint
    assert told.directions is not None
    np.testing.assert_array_equal(told.directions, directions)
    assert (told.card.title, told.card.licence) == ("Ours", "MIT")
    kept, added = told.card.sources
    assert (kept.origin, added.origin) == ("mine.pth.tar", "https://example.org/own")
    assert added.sha256 == card.files[WEIGHTS_NAME]


def test_a_broken_card_does_not_hide_the_other_models(run: Run, tmp_path: Path) -> None:
    for name in ("good", "newer"):
        shutil.copytree(find_model(), tmp_path / name)
    with (tmp_path / "newer" / "card.toml").open("a", encoding="utf-8") as card:
        card.write("[future]\nkey = 1\n")
    listed = run("weights", "list", "--json", env={"PLACE_SEARCH_WEIGHTS": str(tmp_path)})
    assert listed.exit_code == 0
    assert "Left out: " in listed.stderr
    assert "this version knows no key 'future'" in " ".join(listed.stderr.split())
    installed = [row for row in json.loads(listed.stdout) if row["installed"]]
    assert [Path(row["folder"]).name for row in installed] == ["good"]


def test_a_model_in_the_current_folder_takes_no_other_models_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the default model would be whatever lies in the folder that one works in."""
    name = find_model().name
    shutil.copytree(find_model(), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert find_model(name) == Path(name)  # the same model
    card = read_card(Path(name))
    write_card(replace(card, title="Another"), Path(name))
    with pytest.raises(ModelError, match=rf"path, such as \./{name}"):
        open_model()
    assert find_model(find_model(f"./{name}")) == Path(name)


def test_what_cannot_be_imported(
    run: Run,
    env: dict[str, str],
    check_failure: CheckFailure,
    folder: Path,
    imported: Path,
    tmp_path: Path,
) -> None:
    file = folder / "mine.pth.tar"
    before = sorted(folder.iterdir())
    taken = run("weights", "import", file, "--as", "mine", env=env)
    assert "mine exists already" in check_failure(taken)
    for name in ("../up", "", ".hidden"):
        assert "model's id" in check_failure(run("weights", "import", file, "--as", name, env=env))
    (tmp_path / "text.pth").write_text("not a checkpoint")
    nothing = run("weights", "import", tmp_path / "text.pth", "--as", "x", env=env)
    said = check_failure(nothing)
    assert "supported are " in said
    assert "OpenIBL, Patch-NetVLAD, pytorch-NetVlad, SALAD" in said
    assert "and model folders" in said
    assert "no published model 'x'" in check_failure(run("weights", "fetch", "x", env=env))
    as_model = check_failure(run("describe", file, "--out", "x.npy", "--model", file, env=env))
    assert f"is a file; make a model of it with `place-search weights import {file}" in as_model
    by_hand = check_failure(run("weights", "fetch", "pytorch-netvlad-pitts30k", env=env))
    assert "by hand" in by_hand
    assert "--from FILE" in by_hand
    assert sorted(folder.iterdir()) == before


def test_a_published_model_is_taken_from_a_file(
    run: Run, env: dict[str, str], folder: Path, imported: Path
) -> None:
    listed = json.loads(run("weights", "list", "--json", env=env).stdout)
    states = {model["id"]: model["installed"] for model in listed}
    assert states["mine"]
    assert not states["pytorch-netvlad-pitts30k"]
    result = run(
        *("weights", "fetch", "pytorch-netvlad-pitts30k", "--from", folder / "mine.pth.tar"),
        *("--as", "theirs"),
        env=env,
    )
    assert result.exit_code == 0, result.output
    assert "publisher states no sha256; this file's is " in result.stderr
    card = read_card(folder / "theirs")
    assert card.recall[0].at == {"1": 85.2, "5": 94.8, "10": 97.0}
    assert card.recall[0].kind == "published"
    assert card.sources[0].origin.startswith("https://drive.google.com/")
    assert card.sources[0].sha256 in result.stderr
    assert "theirs" in run("weights", "list", env=env).stdout


def test_a_backbone_from_a_file_asks_for_photos(
    run: Run, env: dict[str, str], folder: Path, imported: Path
) -> None:
    result = run("weights", "fetch", "alexnet-imagenet", "--from", folder / "mine.pth.tar", env=env)
    assert result.exit_code == 0, result.output
    assert "place-search cluster PHOTOS --backbone alexnet --backbone-weights" in result.stderr


def test_quantize_never_replaces_a_graph_that_is_there(
    run: Run, check_failure: CheckFailure, photos: Path
) -> None:
    before = read_card(find_model())
    said = check_failure(run("quantize", before.id, "--photos", photos / "places"))
    assert "has an int8 graph already" in said
    taken = run("quantize", before.id, "--photos", photos / "places", "--as", before.id)
    assert "exists already" in check_failure(taken)
    assert read_card(find_model()) == before
