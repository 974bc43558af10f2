"""`eval` and `doctor` on splits, folders and indexes, as they are typed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from place_search import evaluation
from place_search.evaluation import Fitted
from place_search.evaluation.calibration.calibrate import PairSets
from place_search.models import Calibration, find_model
from tests.full_disk import files_up_to

Run = Callable[..., Result]
CheckFailure = Callable[..., str]


@pytest.fixture(scope="module")
def split(
    photos: Path, tmp_path_factory: pytest.TempPathFactory, write_mat: Callable[..., Path]
) -> Path:
    """The four places, 100 m apart, and the two queries."""
    database = {f"places/{place}.jpg": (100.0 * place, 0.0) for place in range(4)}
    queries = {f"{place}.jpg": (100.0 * place, 9.0) for place in (1, 2)}
    return write_mat(tmp_path_factory.mktemp("split") / "town_test.mat", database, queries)


def test_eval_of_a_split(run: Run, photos: Path, split: Path) -> None:
    result = run("eval", "--split", split, "--root", photos, "--at", "1,4", "--json")
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    assert (body["protocol"], body["database"], body["queries"]) == ("raw", 4, 2)
    assert body["recall"]["4"] == 100.0
    assert body["chance"] == {"1": 25.0, "4": 100.0}
    assert body["queries_without_positives"] == 0


def test_eval_says_what_it_counts(run: Run, photos: Path, split: Path, tmp_path: Path) -> None:
    assert run("index", split, "--root", photos, "--out", tmp_path / "index").exit_code == 0
    result = run(
        *("eval", "--split", split, "--root", photos, "--index", tmp_path / "index"),
        *("--protocol", "tokyo-12", "--radius-m", "5"),
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "2 queries, 4 database photos, model lite0-netvlad-1024"
    assert lines[1].startswith("Protocol tokyo-12: of the 12·N nearest photos")
    assert lines[1].endswith(" A right photo is within 5 m.")
    assert lines[2].startswith("Shares are of all 2 queries, 2 of them without")
    assert lines[4].split() == ["1", "0.0", "0.0"]


def test_errors_are_of_the_queries_that_have_a_result(
    run: Run, photos: Path, split: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    given = ("eval", "--split", split, "--root", tmp_path / "photos")
    assert "its first result: 9 m at the median" in run(*given).stdout
    (tmp_path / "photos" / "queries" / "2.jpg").write_bytes(b"x")
    some = "a query to its first result, where it is known (1 of 2): 100 m at the median, 100 m"
    assert some in run(*given).stdout
    assert json.loads(run(*given, "--json").stdout)["error_queries"] == 1


def test_what_a_split_lacks_is_one_sentence(
    run: Run, check_failure: CheckFailure, photos: Path, split: Path, index: Path, tmp_path: Path
) -> None:
    given = ("eval", "--split", split, "--root")
    assert "6 of the 6 photos" in check_failure(run(*given, tmp_path))
    assert "timestamps" in check_failure(run(*given, photos, "--protocol", "timestamp"))
    assert "no protocol" in check_failure(run(*given, photos, "--protocol", "best"), 2)
    assert "lacks 1 of the 4" in check_failure(run(*given, photos, "--index", index))
    assert "give a .mat file" in check_failure(
        run("eval", "--split", photos / "truth.csv", "--root", photos)
    )


@pytest.mark.slow
def test_an_index_says_how_many_numbers_are_kept(
    run: Run, check_failure: CheckFailure, photos: Path, split: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    given = ("--split", split, "--root", photos)
    assert run("index", *given[1:], "--out", index, "--dims", "511").exit_code == 0
    measured = ("eval", *given, "--index", index)
    refused = check_failure(run(*measured, "--dims", "256"), 2)
    assert f"{index} keeps 511 numbers a photo" in refused
    assert "--dims 256 does not fit; leave --dims out" in refused
    # What is set once and for all is for new descriptors.
    found = run(*measured, "--json", env={"PLACE_SEARCH_DIMS": "256"})
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["settings"]["dims"] == 511
    other = check_failure(
        run("search", index, photos / "queries/1.jpg", "--model", "lite0-netvlad")
    )
    assert f"{index} was made with model 'lite0-netvlad-1024'" in other


def test_doctor_before_the_photos_are_there(run: Run, split: Path, tmp_path: Path) -> None:
    result = run("doctor", "--split", split, "--root", tmp_path / "EMPTY", "--json")
    assert result.exit_code == 1
    body = json.loads(result.stdout)
    assert (body["database"], body["queries"]) == (4, 2)
    assert body["recall"] is None
    assert body["chance"]["1"] == 25.0
    assert [(found["kind"], found["count"]) for found in body["problems"]] == [("missing", 6)]
    assert set(body["problems"][0]) == {"kind", "count", "example", "mend"}


@pytest.mark.slow
def test_doctor_prints_what_it_finds(run: Run, photos: Path, split: Path, index: Path) -> None:
    healthy = run("doctor", "--split", split, "--root", photos)
    assert healthy.exit_code == 0, healthy.output
    assert "by chance R@1 25.00 %" in healthy.stdout
    assert "An index needs " in healthy.stdout
    assert healthy.stdout.endswith("No problems found.\n")
    alone = run("doctor", index)
    assert alone.exit_code == 0, alone.output
    sick = run("doctor", "--split", split, "--root", photos / "queries", "--sample", "0")
    assert sick.exit_code == 1
    assert "Problem: missing (6), such as places/0.jpg" in sick.stdout


@pytest.mark.parametrize(
    "option", [("--database", "/nonexistent"), ("--radius-m", "-5"), ("--root", "/nowhere")]
)
def test_doctor_ignores_no_option_beside_an_index(
    run: Run, index: Path, option: tuple[str, str]
) -> None:
    refused = run("doctor", index, *option)
    assert refused.exit_code == 2
    assert "Say what is right" in refused.stderr


@pytest.mark.slow
def test_models_side_by_side(run: Run, photos: Path, split: Path, tmp_path: Path) -> None:
    """The second model is a copy of the first, so that nothing differs but the name."""
    copy = tmp_path / "copy"
    shutil.copytree(find_model(), copy)
    given = ("eval", "--split", split, "--root", photos, "--at", "1,4")
    models = ("--models", f"lite0-netvlad-1024,{copy}")
    result = run(*given, *models, "--report", tmp_path / "out")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "2 queries, 4 database photos"
    head, *rows = (line.split() for line in lines[2:6])
    assert " ".join(head) == "model R@1 % R@4 % ms a photo bytes a photo precision"
    assert [row[0] for row in rows] == ["lite0-netvlad-1024", "copy", "chance"]
    assert rows[0][1:3] == rows[1][1:3]
    assert rows[2][1:] == ["25.0", "100.0"]
    assert lines[6].startswith("Recall@1: lite0-netvlad-1024 and copy are equal (95 % interval ")
    for page in ("index.html", "copy/index.html", "lite0-netvlad-1024/index.html"):
        assert (tmp_path / "out" / page).is_file()
    set_once = {"PLACE_SEARCH_MODEL": str(copy)}
    told = json.loads(run(*given, *models, "--json", env=set_once).stdout)
    single = json.loads(run(*given, "--json").stdout)
    assert [sorted(each) for each in told["models"]] == [sorted(single)] * 2
    assert [each["n"] for each in told["comparison"]] == [1, 4]
    assert told["comparison"][0]["p"] == 1.0
    again = run(*given, *models, "--report", tmp_path / "out")
    assert again.exit_code == 0, again.output


@pytest.mark.slow
def test_figures_are_told_where_their_report_finds_no_room(
    run: Run, photos: Path, split: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(find_model(), copy)
    given = ("eval", "--split", split, "--root", photos, "--report", tmp_path / "out")
    with files_up_to(30_000):
        result = run(*given)
        assert "Recall@N %" in result.stdout, result.output
        said = f"The report {tmp_path / 'out'} is on a full disk; free some space"
        assert (result.exit_code, said in result.stderr) == (1, True), result.output
        assert not (tmp_path / "out" / "report.json").exists()
        result = run(*given[:-1], tmp_path / "both", "--models", f"lite0-netvlad-1024,{copy}")
    assert "lite0-netvlad-1024 and copy are equal" in result.stdout
    assert (result.exit_code, "free some space" in result.stderr) == (1, True), result.output


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_calibration_is_told_where_its_report_finds_no_room(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    fitted = Fitted(
        Calibration(0.0, (1.0, 1.0), 0.5, "town", 3, 4, 1.0, 1.0, 0.875, 0.0),
        np.array([0.1, 0.9]),
        np.array([False, True]),
    )
    monkeypatch.setattr(evaluation, "read_pairs", lambda _sets: PairSets([], 0))
    monkeypatch.setattr(evaluation, "calibrate", lambda *_given, **_named: fitted)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("photo1,photo2,same\n")
    given = ("calibrate", pairs, "--root", photos, "--report", tmp_path / "out")
    with files_up_to(100):
        result = run(*given, *form)
    assert "0.875" in result.stdout
    assert (result.exit_code, "free some space" in result.stderr) == (1, True), result.output


def test_models_that_make_no_sense_together(run: Run, photos: Path, split: Path) -> None:
    given = ("eval", "--split", split, "--root", photos)
    for more in (
        ("--models", "a,b", "--model", "a"),
        ("--models", "a"),
        ("--models", "a,a"),
        ("--models", "a,b", "--index", photos),
    ):
        assert run(*given, *more).exit_code == 2, more


@pytest.mark.slow
def test_the_threshold_of_a_precision_is_told_in_json_and_in_the_report_too(
    run: Run, check_failure: CheckFailure, photos: Path, split: Path, tmp_path: Path
) -> None:
    given = ("eval", "--split", split, "--root", photos, "--at", "1", "--open-set")
    out = ("--report", tmp_path / "out")
    body = json.loads(run(*given, "--at-precision", "0.5", "--json", *out).stdout)
    told = body["open_set"]["at_precision"]
    assert told["share"] == 0.5
    written = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert written["open_set"] == body["open_set"]
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert f"threshold for 50 % precision</span></th><td>{told['threshold']:.12g}</td>" in page
    printed = run(*given, "--at-precision", "0.5").stdout
    assert f"  threshold for 50 % precision        {told['threshold']:.12g}\n" in printed
    assert "at_precision" not in json.loads(run(*given, "--json").stdout)["open_set"]
    refused = check_failure(run(*given, "--at-precision", "0.4"), 2)
    assert "must be a finite number from 0.5 to 1." in refused
    alone = check_failure(run(*given[:-1], "--at-precision", "0.5"), 2)
    assert alone.startswith("--at-precision only works with --open-set.")


@pytest.mark.slow
def test_frames_with_none_before_them_are_told_and_left_out(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    truth = tmp_path / "loops.csv"
    truth.write_text("query,positives\n" + "".join(f"{frame}.jpg,\n" for frame in range(4)))
    places = photos / "places"
    given = ("eval", "--truth", truth, "--root", places, "--database", places, "--open-set")
    said = run(*given, "--loop-closure", "1")
    assert "Open set: 0 queries of known places, 2 of others; found from" in said.stdout
    assert "  queries without an answer           2\n" in said.stdout
    told = json.loads(run(*given, "--loop-closure", "1", "--json").stdout)["open_set"]
    assert (told["known"], told["unknown"], told["unanswered"]) == (0, 2, 2)


@pytest.mark.parametrize(
    ("radius", "says"),
    [
        ("inf", "write a number in digits"),
        ("nan", "write a number in digits"),
        ("-1", "The radius in metres is"),
    ],
)
def test_a_radius_is_a_finite_distance(
    run: Run, photos: Path, split: Path, radius: str, says: str
) -> None:
    given = ("--split", split, "--root", photos, "--radius-m", radius, "--json")
    for command in ("eval", "doctor"):
        result = run(command, *given)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert says in result.stderr


@pytest.mark.slow
def test_pairs_that_stand_there_again_are_counted(run: Run, photos: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    lines = ["photo1,photo2,same", "places/0.jpg,places/1.jpg,0", "places/1.jpg,places/0.jpg,0"]
    pairs.write_text("\n".join(lines))
    result = run("calibrate", pairs, "--root", photos)
    assert result.exit_code == 1
    assert "Left out 1 row of two photos that an earlier row names too" in result.stderr
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "one.txt").touch()
    for report, why in (("pairs.csv", "cannot be written"), ("thesis", "holds other files")):
        refused = run("calibrate", pairs, "--root", photos, "--report", tmp_path / report)
        assert refused.exit_code == 1
        assert why in refused.stderr
