"""`add`, `remove`, `sync`, `compact` and `verify` from the command line."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import Result

from place_search.cli.app import app
from place_search.cli.indexes import known_store, store_uri
from place_search.indexer import open_index, read_manifest, remove_places

Run = Callable[..., Result]
CheckFailure = Callable[..., str]


@pytest.fixture
def town(photos: Path, run: Run, tmp_path: Path) -> Path:
    """A folder with the photos of two places, and an index of them."""
    (tmp_path / "photos").mkdir()
    for name in ("0.jpg", "1.jpg"):
        shutil.copy(photos / "places" / name, tmp_path / "photos")
    assert run("index", tmp_path / "photos", "--out", tmp_path / "index").exit_code == 0
    return tmp_path


def test_restored_places_are_not_called_added(run: Run, index: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(index, tmp_path / "copy")
    remove_places(copy, [0], compact=False)
    assert run("restore", copy, "0").stdout.startswith("1 restored: ")


def test_a_photo_keeps_its_name_where_its_last_version_is_left_beside_it(
    town: Path, photos: Path, run: Run
) -> None:
    index, folder = town / "index", town / "photos"
    assert run("edit", index, "0", "--name", "Gate").exit_code == 0
    (folder / "0.jpg").rename(folder / "0.jpg_original")  # as ExifTool writes metadata
    with Image.open(folder / "0.jpg_original") as picture:
        picture.save(folder / "0.jpg", comment=b"changed")
    synced = json.loads(run("sync", index, folder, "--json").stdout)
    assert (synced["added"], synced["changed"], synced["removed"]) == (0, 1, 0)
    names = {place.path.name: place.name for place in open_index(index).places()}
    assert names == {"0.jpg": "Gate", "1.jpg": "1.jpg"}


def test_what_verify_says_ends_in_one_stop(run: Run, index: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(index, tmp_path / "copy")
    manifest = read_manifest(copy)
    replace(manifest, places=manifest.places + 1).write(copy)
    said = run("verify", copy).stderr
    assert "does not fit its files: " in said
    assert ".." not in said.replace("...", "")


def test_an_index_lives(town: Path, photos: Path, run: Run) -> None:
    index, folder = town / "index", town / "photos"
    shutil.copy(photos / "places" / "2.jpg", folder)
    shutil.copy(photos / "places" / "1.jpg", folder / "twin.jpg")

    added = run("add", index, folder)
    assert added.stdout.startswith(f"2 added: 4 places in {index} (")
    assert "1 photo is in the index more than once:\n  twin.jpg is the same file as 1.jpg" in (
        added.stderr
    )

    (folder / "0.jpg").unlink()
    synced = json.loads(run("sync", index, folder, "--json").stdout)
    assert (synced["added"], synced["removed"], synced["unchanged"]) == (0, 1, 3)
    assert synced["compacted"]  # a quarter of it was removed
    assert run("sync", index, folder).stdout.startswith(f"nothing to do: 3 places in {index} (")

    assert run("remove", index, "twin.jpg").stdout.startswith("1 removed")
    found = json.loads(run("search", index, photos / "queries" / "1.jpg", "--json").stdout)
    assert [item["name"] for item in found["results"]] == ["1.jpg", "2.jpg"]
    assert [item["place_id"] for item in found["results"]] == [1, 2]
    assert run("compact", index).exit_code == 0
    assert run("verify", index).stdout.startswith(f"{index} is whole: 2 places, ")


def test_sync_says_which_photos_of_other_folders_it_removed(
    town: Path, photos: Path, run: Run
) -> None:
    index, harbour = town / "index", town / "harbour"
    harbour.mkdir()
    shutil.copy(photos / "places" / "2.jpg", harbour)
    run("add", index, harbour)
    synced = run("sync", index, town / "photos")
    assert synced.stdout.startswith("1 removed: 2 places"), "nothing compacted"
    said = " ".join(synced.stderr.split())
    assert f"1 place, such as {harbour / '2.jpg'}; until the index is compacted" in said
    assert f"`place-search restore {index} 2` brings back" in said
    assert run("restore", index, "2").stdout.startswith("1 restored: 3 places")
    # Nothing is said of a photo that the source could have and has no more, or that it holds too.
    assert run("sync", index, town).stdout.startswith("3 ")
    (town / "photos" / "0.jpg").unlink()
    shutil.copytree(harbour, town / "moved" / "harbour")
    shutil.copytree(town / "photos", town / "moved" / "photos")
    for folder in (town, town / "moved"):
        assert "still there" not in run("sync", index, folder).stderr


def test_a_place_is_tended(town: Path, run: Run, check_failure: CheckFailure) -> None:
    index = town / "index"
    assert run("fields", index).stdout == f"{index} has no own fields\n"
    assert run("fields", index, "set", "floor:number", "open:boolean").stdout == (
        "floor: number\nopen: boolean\n"
    )
    tags = ("--tag", "\u00e4", "--tag", "b", "--tag", "a\u0308")  # two spellings of one
    said = ("--name", "Gate", "--note", "n", *tags, "--position", "48.5,11.5")
    edited = run("edit", index, "1", *said, "--field", "floor=3", "--field", "open=true")
    assert edited.stdout == f"edited: Gate (place 1 in {index})\n"
    told = json.loads(
        run("edit", index, "1", "--untag", "a\u0308", "--field", "open=", "--json").stdout
    )
    assert (told["name"], told["note"], told["tags"]) == ("Gate", "n", ["b"])
    assert told["fields"] == {"floor": 3}
    assert told["position"] == {"latitude": 48.5, "longitude": 11.5}
    run("edit", index, "1", "--name", "", "--position", "")
    assert json.loads(run("edit", index, "1", "--note", "", "--json").stdout)["name"] == "1.jpg"
    for arguments, said_so in (
        (("edit", index, "9", "--note", "x"), "no place 9"),
        (("restore", index, "9"), "no place 9 to restore"),
    ):
        assert said_so in check_failure(run(*arguments))
    for wrong, said_so in (
        (("edit", index, "1", "--field", "floor=high"), "takes a number"),
        (("edit", index, "1", "--field", "height=3"), "no own field 'height'"),
        (("fields", index, "set", "paint:size"), "cannot be of type 'size'"),
        (("fields", index, "drop", "height"), "no own field 'height'"),
    ):
        assert said_so in check_failure(run(*wrong), 2)
    for twice in (
        ("edit", index, "1", "--field", "floor=4", "--field", "floor=5"),
        ("fields", index, "set", "floor:number", "floor:text"),
    ):
        refused = run(*twice)
        assert refused.exit_code == 2
        assert "field floor is given twice" in refused.stderr
    assert run("edit", index, "1").exit_code == 2
    assert run("fields", index, "set").exit_code == 2
    assert json.loads(run("fields", index, "drop", "floor", "--json").stdout) == {"open": "boolean"}


def test_verify_names_what_is_damaged_and_mends_it(town: Path, run: Run) -> None:
    index = town / "index"
    (index / "descriptors" / "00000.h5").write_bytes(b"oops")
    result = run("verify", index)
    assert result.exit_code == 1
    assert "descriptors/00000.h5 is damaged: its checksum does not hold." in result.stderr
    assert "verify" in run("search", index, town / "photos" / "0.jpg").stderr

    mended = json.loads(run("verify", index, "--repair", "--json").stdout)
    assert (mended["whole"], mended["repaired"]) == (True, ["descriptors/00000.h5"])
    assert run("search", index, town / "photos" / "0.jpg").exit_code == 0


def test_the_store_is_chosen_and_explained(town: Path, run: Run) -> None:
    out = town / "other"
    result = run("index", town / "photos", "--out", out, "--store", "rabitq")
    assert "Vector store rabitq: as requested; recall@10 1.000 against exact" in result.stderr
    assert json.loads((out / "manifest.json").read_text())["store"]["requested"] == "rabitq"
    assert run("index", town / "photos", "--out", out, "--store", "tree").exit_code == 2


def test_an_index_moves_to_milvus_and_back(
    town: Path, run: Run, check_failure: CheckFailure, photos: Path
) -> None:
    index, query = town / "index", photos / "queries" / "1.jpg"
    before = json.loads(run("search", index, query, "--json").stdout)["results"]
    assert run("compact", index, "--store", "milvus", "--uri", town / "vectors.db").exit_code == 0
    after = json.loads(run("search", index, query, "--json").stdout)["results"]
    assert [place["name"] for place in after] == [place["name"] for place in before]
    assert json.loads((index / "manifest.json").read_text())["store"]["kind"] == "milvus"
    assert run("verify", index).exit_code == 0
    assert run("compact", index, "--store", "auto").exit_code == 0
    assert not (index / "index.milvus").exists()
    for options in ([], ["--uri", "http://me:secret@milvus:19530"]):
        result = run("compact", index, "--store", "milvus", *options)
        assert result.exit_code == 2
    nobody = ["--store", "milvus", "--uri", "http://127.0.0.1:9"]
    assert "does not answer" in check_failure(run("compact", index, *nobody))
    assert run("verify", index).exit_code == 0


def test_only_a_cluster_needs_an_exchange(town: Path, run: Run) -> None:
    arguments = ("index", town / "photos", "--out", town / "out", "--exchange", "s3://a/b")
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "{tmp}/none", "{tmp}/photos"], "make one with"),
        (["add", "{tmp}/index", "{tmp}/none"], "none does not exist"),
        (["sync", "{tmp}/index", "{tmp}/index"], "holds no photos"),
        (["remove", "{tmp}/index", "7"], "never was a place 7"),
        (["remove", "{tmp}/index", "seven.jpg"], "no place 'seven.jpg'"),
        (["remove", "{tmp}/index", "0", "1"], "leave no place"),
        (["compact", "{tmp}/photos"], "holds no index"),
        (["verify", "{tmp}/photos"], "holds no index"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    town: Path, run: Run, check_failure: CheckFailure, arguments: list[str], said: str
) -> None:
    filled = [argument.replace("{tmp}", str(town)) for argument in arguments]
    assert said in check_failure(run(*filled))


def test_a_store_of_another_package_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_store("hnsw-sq8") == "hnsw-sq8"
    with pytest.raises(
        typer.BadParameter, match=r"'tree' is no kind of .* one of auto, exact, .*rabitq\.$"
    ):
        known_store("tree")
    others = "place_search.indexer.stores.store_card.has_part"
    monkeypatch.setattr(others, lambda package, name: name in ("exact", "tree"))
    assert known_store("tree") == "tree"
    context = typer.Context(typer.main.get_command(app), info_name="index")
    assert store_uri(context, "tree", "") == ""
    assert store_uri(context, "tree", "http://127.0.0.1:9") == "http://127.0.0.1:9"
    assert store_uri(context, "exact", "http://127.0.0.1:9") == ""


@pytest.mark.slow
def test_an_index_that_is_made_again_tells_of_photos_that_were_removed(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    folder, index = tmp_path / "photos", tmp_path / "index"
    folder.mkdir()
    for name in ("0.jpg", "1.jpg", "2.jpg"):
        shutil.copy(photos / "places" / name, folder)
    made = ("index", folder, "--out", index, "--json")
    assert json.loads(run(*made).stdout)["notes"] == []
    assert run("remove", index, "1.jpg").exit_code == 0
    again = run(*made)
    (note,) = json.loads(again.stdout)["notes"]
    assert note["name"] == "1.jpg"
    assert "1.jpg: its place was removed" in again.stderr
    assert json.loads(again.stdout)["places"] == 3
    assert json.loads(run(*made).stdout)["notes"] == []
