"""What each command does, prints and refuses."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

import place_search
from place_search.cli.terminal import OUT
from place_search.core.errors import PlaceSearchError
from place_search.models.registry import published
from place_search.search.server.content.schemas import CompareReply, ReasonReply, SearchReply
from tests.waiting import SECONDS, wait_until

PROGRAM = (sys.executable, "-m", "place_search")

Run = Callable[..., Result]
CheckFailure = Callable[..., str]


def test_index_says_what_it_did_and_skipped(run: Run, photos: Path, tmp_path: Path) -> None:
    result = run("index", photos / "places", "--out", tmp_path / "i")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"4 places in {tmp_path / 'i'} (")
    assert "1 photo was skipped:\n  half.jpg: " in result.stderr
    assert "\x1b" not in result.stderr


def test_index_json_is_all_of_stdout(run: Run, photos: Path, tmp_path: Path) -> None:
    result = run("index", photos / "places", "--out", tmp_path / "i", "--json")
    body = json.loads(result.stdout)
    assert set(body) == {
        "index_id",
        "places",
        "skipped",
        "duplicates",
        "reused",
        "store",
        "seconds",
        "positions",
        "notes",
        "left_out",
        "unlisted",
        "warnings",
        "panoramas",
    }
    assert (body["places"], body["positions"]) == (4, 0)
    assert [photo["name"] for photo in body["skipped"]] == ["half.jpg"]
    assert body["seconds"]["total"] > 0


def test_search_prints_a_table(run: Run, index: Path, photos: Path) -> None:
    result = run("search", index, photos / "queries" / "2.jpg")
    assert result.exit_code == 0
    verdict, above, heading, best, *others = result.stdout.splitlines()
    assert re.match(
        r"Found: places/2.jpg \(probability [01]\.\d+, found from 0.950 on\)\.", verdict
    )
    headings = ["#", "probability", "similarity", "place", "points"]
    assert heading.split() == [*headings, "latitude", "longitude"]
    assert above.split() == ["matching"]
    rank, _, _, name, _, latitude, longitude = best.split()
    assert (rank, name, latitude, longitude) == ("1", "places/2.jpg", "48.002000", "11.500000")
    assert len(others) == 2


def test_80_columns_leave_room_for_names(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a-name-of-thirty-letters-0.jpg"
    photo = (photos / "places" / "2.jpg").read_bytes()
    (tmp_path / name).write_bytes(photo)
    (tmp_path / "p.csv").write_text(f"path,latitude,longitude\n{name},-33.856784,-151.215297\n")
    run("index", tmp_path / "p.csv", "--out", tmp_path / "i")
    # COLUMNS counts only for a console that was made under it.
    monkeypatch.setattr(OUT, "_width", 80)
    result = run("search", tmp_path / "i", photos / "queries" / "2.jpg")
    _, *table = result.stdout.splitlines()
    assert max(map(len, table)) <= 80
    assert name in table[2]
    assert "too narrow for positions" in result.stderr
    monkeypatch.setattr(OUT, "_width", 120)
    wide = run("search", tmp_path / "i", photos / "queries" / "2.jpg")
    assert wide.stdout.splitlines()[3].split()[-2:] == ["-33.856784", "-151.215297"]


def test_search_json_has_the_shape_of_the_http_reply(run: Run, index: Path, photos: Path) -> None:
    result = run("search", index, photos / "queries" / "1.jpg", "--k", "2", "--json")
    reply = SearchReply.model_validate_json(result.stdout)
    assert reply.results[0].name == "places/1.jpg"
    assert len(reply.results) == 2
    assert result.stderr == ""
    assert json.loads(result.stdout).keys() == reply.model_dump().keys()


def test_json_has_the_codes_of_its_notes(run: Run, index: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "plain.png")
    found = json.loads(run("search", index, tmp_path / "plain.png", "--json").stdout)
    assert found["query"]["reasons"] == [{"code": "nothing-to-match", "values": {}}]
    compared = run("compare", tmp_path / "plain.png", tmp_path / "plain.png", "--json")
    assert CompareReply.model_validate_json(compared.stdout).photo_reasons == [
        ReasonReply(code="nothing-to-match", values={"photo": photo}) for photo in ("1", "2")
    ]


def test_search_with_a_part_of_a_photo(
    run: Run, index: Path, photos: Path, check_failure: CheckFailure
) -> None:
    query = photos / "queries" / "1.jpg"
    whole = json.loads(run("search", index, query, "--json").stdout)
    wide, high = whole["query"]["width"], whole["query"]["height"]
    box = (wide // 4, high // 4, wide // 2, high // 2)
    said = run("search", index, query, "--box", ",".join(map(str, box)), "--json")
    part = json.loads(said.stdout)
    assert part["results"] == place_search.search(index, query, box=box).to_dict()["results"]
    assert part["results"][0]["similarity"] < whole["results"][0]["similarity"]
    assert place_search.compare(query, query, box=box).inliers > 50
    assert "is no box" in check_failure(run("search", index, query, "--box", "1,2"), 2)
    outside = run("search", index, query, "--box", f"{wide},0,90,90")
    assert "does not lie within the photo" in check_failure(outside, 2)


def test_search_among_places_that_fit_filters(
    run: Run, index: Path, photos: Path, check_failure: CheckFailure
) -> None:
    query = photos / "queries" / "1.jpg"
    inside = json.loads(run("search", index, query, "--folder", "places", "--json").stdout)
    assert inside["results"] == json.loads(run("search", index, query, "--json").stdout)["results"]
    nothing = run("search", index, query, "--folder", "elsewhere", "--tag", "gate")
    assert nothing.exit_code == 0
    assert "No place fits all filters" in nothing.stderr
    near = run("search", index, query, "--near", "x", "--radius-m", 1)
    assert "latitude,longitude" in check_failure(near, 2)
    assert "no date" in check_failure(run("search", index, query, "--taken-from", "noon"), 2)
    assert "Not among these places that fit the filters (probability 0.000" in nothing.stdout
    assert place_search.search(index, query, taken_from="2024-01-01").results == ()
    wrong = check_failure(run("search", index, query, "--field", "floor:ge:3"), 2)
    assert "no own field 'floor'" in wrong


def test_search_with_several_photos_together(
    run: Run, index: Path, photos: Path, check_failure: CheckFailure
) -> None:
    queries = [photos / "queries" / name for name in ("1.jpg", "2.jpg")]
    together = json.loads(run("search", index, *queries, "--together", "--json").stdout)
    assert together["results"] == place_search.search(index, queries).to_dict()["results"]
    assert run("search", index, queries[0], "--together").exit_code == 0
    assert "1 to 16" in check_failure(run("search", index, *queries * 9, "--together"), 2)
    apart = run("search", index, *queries)
    assert apart.exit_code == 2
    assert "--together takes several photos of one spot" in apart.stderr


def test_search_near_a_point(run: Run, index: Path, photos: Path) -> None:
    query = photos / "queries" / "1.jpg"
    near = run("search", index, query, "--near", "48.002,11.5", "--radius-m", "20", "--json")
    reply = SearchReply.model_validate_json(near.stdout)
    assert [item.name for item in reply.results] == ["places/2.jpg"]
    nothing = run("search", index, query, "--near", "-48,11.5", "--radius-m", "20")
    assert nothing.exit_code == 0
    assert "No place" in nothing.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "{photos}/none", "--out", "{tmp}/i"], "none"),
        (["index", "{photos}/places/1.jpg", "--out", "{tmp}/i"], "1.jpg"),
        (["index", "{tmp}/empty", "--out", "{tmp}/i"], "empty"),
        (["index", "{tmp}/wrong.csv", "--out", "{tmp}/i"], "nowhere.jpg"),
        (["index", "{photos}/places", "--out", "{tmp}/i", "--model", "none"], "none"),
        (["search", "{tmp}/none", "{photos}/queries/1.jpg"], "none"),
        (["search", "{photos}/places", "{photos}/queries/1.jpg"], "places"),
        (["search", "{index}", "{photos}/none.jpg"], "none.jpg"),
        (["search", "{index}", "{photos}/places.csv"], "places.csv"),
        (["search", "{index}", "{photos}/places/half.jpg"], "half.jpg"),
        (["describe", "{photos}/truth.csv", "--out", "{tmp}/d.npy"], "truth.csv"),
        (["describe", "{photos}/queries/1.jpg", "--out", "{tmp}/none/d.npy"], "none"),
        (["describe", "{photos}/queries/1.jpg", "--out", "{tmp}/none/d.h5"], "none"),
        (["eval", "--root", "{photos}", "--truth", "{tmp}/none.csv"], "none.csv"),
        (["eval", "--root", "{tmp}/none", "--truth", "{photos}/truth.csv"], "none"),
        (["serve", "{index}", "--port", "0", "--host", "no.such.host.invalid"], "--host"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    run: Run,
    check_failure: CheckFailure,
    photos: Path,
    index: Path,
    tmp_path: Path,
    arguments: list[str],
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong.csv").write_text("path,latitude,longitude\nnowhere.jpg,48,11\n", "utf-8")
    filled = [part.format(photos=photos, index=index, tmp=tmp_path) for part in arguments]
    assert said in check_failure(run(*filled))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "wrong.csv"]


def test_describe_writes_one_row_a_photo(run: Run, photos: Path, tmp_path: Path) -> None:
    files = [photos / "places" / f"{place}.jpg" for place in (2, 0, 1)]
    result = run("describe", *files, "--out", tmp_path / "d.npy")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "3 descriptors of 1024 numbers" in result.stderr
    descriptors = np.load(tmp_path / "d.npy")
    assert (descriptors.shape, descriptors.dtype) == ((3, 1024), np.float32)
    np.testing.assert_allclose(descriptors, place_search.describe(files), atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["d.npy"]


def test_describe_writes_hdf5_with_names_and_model(run: Run, photos: Path, tmp_path: Path) -> None:
    files = [photos / "places" / "1.jpg", photos / "queries" / "1.jpg"]
    assert run("describe", *files, "--out", tmp_path / "d.h5").exit_code == 0
    with h5py.File(tmp_path / "d.h5") as file:
        assert file["descriptors"].shape == (2, 1024)
        assert [name.decode() for name in file["name"]] == [str(path) for path in files]
        assert file.attrs["model"] == "lite0-netvlad-1024"
        assert len(file.attrs["fingerprint"]) == 32


def test_eval_json_has_the_agreed_keys(run: Run, photos: Path) -> None:
    result = run(
        *("eval", "--root", photos, "--truth", photos / "truth.csv"),
        *("--database", photos / "places.csv", "--at", "1,3", "--json"),
    )
    # The second query's positive is not in that database.
    assert result.exit_code == 1
    result = run("eval", "--root", photos, "--truth", photos / "truth.csv", "--at", "1,2", "--json")
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    agreed = {"protocol", "model", "database", "queries", "queries_without_positives"}
    assert agreed | {"recall", "chance", "seconds"} <= set(body)
    assert (body["database"], body["queries"]) == (2, 2)
    assert set(body["recall"]) == set(body["chance"]) == {"1", "2"}
    assert body["recall"]["2"] == 100.0
    assert body["chance"] == {"1": 50.0, "2": 100.0}
    assert set(body["seconds"]) == {"embed", "search", "verify"}


def test_eval_prints_a_table(run: Run, photos: Path) -> None:
    result = run("eval", "--root", photos, "--truth", photos / "truth.csv", "--at", "2")
    lines = result.stdout.splitlines()
    assert lines[0] == "2 queries, 2 database photos, model lite0-netvlad-1024"
    assert lines[-1].split() == ["2", "100.0", "100.0"]


def test_weights_are_listed(run: Run) -> None:
    table = run("weights", "list", env={"COLUMNS": "80"})
    assert "lite0-netvlad-1024  1024" in table.stdout
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert "…" not in table.stdout
    for model in published():
        assert model.id in table.stdout
    cards = json.loads(run("weights", "list", "--json").stdout)
    card = next(card for card in cards if card["id"] == "lite0-netvlad-1024")
    assert (card["dims"], card["licence"]) == (1024, "Apache-2.0")
    assert Path(card["folder"]).is_dir()
    assert len(card["fingerprint"]) == 32


def test_a_terminal_shows_rate_and_progress(photos: Path, tmp_path: Path) -> None:
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "index", str(photos / "places"), "--out", str(tmp_path / "i")],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(terminal)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert output.startswith(b"4 places")
    assert b"Describing" in shown
    assert b"5/5" in shown
    assert b"photos/s" in shown


def test_an_interrupted_index_goes_on_later(
    run: Run,
    check_failure: CheckFailure,
    start: Callable[..., subprocess.Popen[str]],
    photos: Path,
    tmp_path: Path,
) -> None:
    data, out = tmp_path / "data", tmp_path / "index"
    data.mkdir()
    for copy in range(300):  # a few seconds, so that the signal comes in the middle
        (data / f"{copy}.jpg").symlink_to(photos / "places" / f"{copy % 4}.jpg")
    process = start("index", data, "--out", out)
    wait_until(lambda: process.poll() or (out / "descriptors").exists(), "nothing is written")
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert stderr.startswith("Interrupted; ")
    assert stderr.count("\n") == 1
    assert "never finished" in check_failure(run("search", out, photos / "queries" / "1.jpg"))
    assert run("index", data, "--out", out).exit_code == 0
    assert run("search", out, photos / "queries" / "1.jpg", "--k", "1").exit_code == 0


def test_the_python_interface_searches_and_describes(index: Path, photos: Path) -> None:
    query = photos / "queries" / "2.jpg"
    opened = place_search.open_index(str(index))
    model = place_search.open_model(threads=1)
    reply = place_search.search(opened, query.read_bytes(), model=model, k=1)
    assert reply.results[0].name == "places/2.jpg"
    assert place_search.search(index, str(query), k=1).results == reply.results
    near = place_search.search(opened, query, model=model, near=(48.0, 11.5), radius_m=20)
    assert [result.name for result in near.results] == ["places/0.jpg"]
    rows = place_search.describe([query, query.read_bytes()], model=model)
    assert rows.shape == (2, 1024)
    assert float(rows[0] @ rows[1]) == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(PlaceSearchError, match=r"none\.jpg"):
        place_search.search(opened, photos / "none.jpg", model=model)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("search {photo} {index}", "write `place-search search {index} {photo}`"),
        ("add {photos} {index}", "write `place-search add {index} {photos}`"),
        ("sync {photos} {index}", "write `place-search sync {index} {photos}`"),
        ("remove 1.jpg {index}", "write `place-search remove {index} 1.jpg`"),
        ("compare {index} {photo}", "to search it: `place-search search {index} {photo}`"),
        ("compare {photo} {index}", "to search it: `place-search search {index} {photo}`"),
        ("index {index} --out {photos}", "as `place-search index {photos} --out {index}`?"),
        ("index {new} --out {photos}", "as `place-search index {photos} --out {new}`?"),
        ("cluster {new} --out {photos}", "as `place-search cluster {photos} --out {new}`?"),
        ("index {index} --out {new}", "{index} is an index and holds no photos"),
        ("eval {index}", "{index} is an index and holds no photos"),
        ("eval --truth {photos} --root {photo}", "meant the other way round, the list first"),
        ("eval --split {photos} --root {photo}", "meant the other way round, the list first"),
    ],
)
def test_arguments_in_each_other_s_place_are_recognised(
    run: Run, photos: Path, index: Path, tmp_path: Path, arguments: str, said: str
) -> None:
    names = {
        "photos": photos / "places",
        "photo": photos / "queries" / "1.jpg",
        "index": index,
        "new": tmp_path / "new",
    }
    result = run(*(part.format(**names) for part in arguments.split()))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert said.format(**names) in line


def test_the_processor_is_no_news(run: Run, photos: Path, tmp_path: Path) -> None:
    told = run("index", photos / "places.csv", "--out", tmp_path / "ix", "--precision", "int8")
    assert "Described by lite0-netvlad-1024 in int8.\n" in told.stderr
    examined = run("doctor", photos / "places", "--sample", "0")
    assert "The model runs in " in examined.stdout
    assert " Recall@1" in examined.stdout or "this processor" in examined.stdout


def test_paths_that_are_not_utf8_hold_an_index_and_a_report(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"odd\xe9")
    odd.mkdir()
    for store in ("exact", "hnsw-sq8"):
        index = odd / store
        made = run("index", photos / "places.csv", "--out", index, "--store", store)
        assert made.exit_code == 0, made.output
        found = run("search", index, photos / "queries" / "1.jpg", "--json")
        assert json.loads(found.stdout)["results"][0]["name"] == "places/1.jpg"
        assert run("add", index, photos / "places").exit_code == 0
        assert run("verify", index).exit_code == 0
    truth = odd / os.fsdecode(b"\xe9.csv")
    truth.write_bytes((photos / "truth.csv").read_bytes())
    shown = run("eval", "--truth", truth, "--root", photos, "--report", odd / "report")
    assert shown.exit_code == 0, shown.output
    assert json.loads((odd / "report" / "report.json").read_text("utf-8"))["queries"] == 2
