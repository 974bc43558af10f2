"""The Python interface: docs/python.md, README and the notebook, run as they stand."""

import ast
import copy
import io
import json
import math
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

import place_search
from place_search import PlaceSearchError
from place_search.photos.video import require_sampling

ROOT = Path(__file__).parents[2]


def blocks(document: str) -> list[str]:
    text = (ROOT / document).read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def town(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that docs/python.md speaks of."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "more").mkdir()
    names = [f"places/{number}.jpg" for number in range(4)]
    rows = ["path,latitude,longitude"]
    for number, name in enumerate(names[:3]):
        shutil.copy(photos / name, tmp_path / "photos" / f"{number}.jpg")
        rows.append(f"{number}.jpg,48.0{number},11.5")
    (tmp_path / "photos" / "places.csv").write_text("\n".join(rows))
    shutil.copy(photos / names[3], tmp_path / "more" / "new.jpg")
    shutil.copy(photos / names[0], tmp_path / "query.jpg")
    (tmp_path / "truth.csv").write_text(
        "query,positives\nquery.jpg,photos/0.jpg\nmore/new.jpg,photos/1.jpg;photos/2.jpg\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_runs_as_it_stands(town: Path) -> None:
    scope: dict[str, object] = {}
    for block in blocks("docs/python.md"):
        exec(compile(block, "docs/python.md", "exec"), scope)
    assert scope["names"] == ["0.jpg", "0.jpg"]
    assert [place.name for place in place_search.open_index("town").places()] == [
        *("0.jpg", "1.jpg", "2.jpg")
    ]
    assert repr(scope["index"]).startswith("<Index town: 3 places, lite0-netvlad-1024 in ")
    assert repr(scope["model"]).startswith("<Model lite0-netvlad-1024 in ")
    measured = scope["measured"]
    assert measured.recall[1] == 50.0 or measured.recall[1] == 100.0  # type: ignore[attr-defined]


def test_the_readme_runs_as_it_stands(town: Path) -> None:
    place_search.index("photos", "indexes/demo")
    for name in ("maupertuis-roof/01.jpg", "office/cam002-2.jpg"):
        photo = Path("data/demo/queries", name)
        photo.parent.mkdir(parents=True)
        shutil.copy("query.jpg", photo)
    for block in blocks("README.md"):
        exec(compile(block, "README.md", "exec"), {})


def test_files_of_the_user_s_own_do_no_harm(town: Path) -> None:
    place_search.index("photos", "town")
    for name in ("data", "training", "web"):
        (town / name).mkdir()
        (town / name / "loader.py").write_text("x = 1\n")
    (town / "evaluation.py").write_text("")
    (town / "search.py").write_text(
        "import data.loader\nimport place_search\n"
        "print(place_search.search('town', 'query.jpg', verify=True).results[0].name)\n"
        "import place_search.search.engine\n"
        "print(callable(place_search.search))\n"
    )
    done = subprocess.run(
        [sys.executable, "search.py"], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["0.jpg", "True"], done.stderr


def test_importing_it_is_quick() -> None:
    code = (
        "import sys, place_search; "
        "heavy = {'numpy', 'faiss', 'openvino', 'cv2', 'typer', 'importlib.metadata'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_progress_is_told_to_whom_asks(town: Path) -> None:
    told: list[tuple[str, int, int]] = []
    place_search.index("photos", "town", progress=lambda *said: told.append(said))
    assert ("Describing", 3, 3) in told
    place_search.describe("photos", progress=True)


def test_reports_are_what_the_command_line_prints(town: Path) -> None:
    report = place_search.index("photos", "town").to_dict()
    added = place_search.add("town", "more").to_dict()
    removed = place_search.remove("town", [0]).to_dict()
    command = [sys.executable, "-m", "place_search"]
    for arguments, ours in (
        (["index", "photos", "--out", "again"], report),
        (["sync", "again", "photos"], added),
        (["remove", "again", "0"], removed),
    ):
        done = subprocess.run(
            [*command, *arguments, "--json"], capture_output=True, text=True, check=True
        )
        assert ours.keys() == json.loads(done.stdout).keys()
    assert (report["places"], added["added"], removed["removed"]) == (3, 1, 1)
    assert report["left_out"] == {".csv file": 1}
    assert {"left_out", "unlisted", "warnings"} <= added.keys() - removed.keys()


def test_answers_comparisons_and_evaluations_are_tables(town: Path) -> None:
    place_search.index("photos/places.csv", "town")
    answers = place_search.table(place_search.search_many("town", ["query.jpg", "photos/2.jpg"]))
    columns = answers.to_columns()
    assert columns["photo"] == [0, 1]
    assert columns["verdict"] == [answer.match.verdict for answer in answers.answers]
    assert columns["name"][1] == "2.jpg"
    assert answers._repr_html_().count("<img src=") == 2
    assert place_search.table([]).to_columns()["name"] == []

    pair = place_search.compare("query.jpg", "photos/0.jpg")
    points = pair.to_columns()
    assert list(points) == ["x1", "y1", "x2", "y2"]
    assert [points["x1"][0], points["y2"][0]] == [pair.matches[0][0], pair.matches[0][3]]
    assert pair.result in pair._repr_html_()

    measured = place_search.evaluate(truth="truth.csv", root=".", ks=(1, 2), verify=True)
    recall = measured.to_columns()
    assert recall["n"] == [1, 2]
    assert recall["recall"] == list(measured.recall.values())
    assert list(recall) == ["n", "recall", "unverified", "chance"]
    assert "<th>recall</th>" in measured._repr_html_()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: place_search.search("none", "query.jpg"), "none does not exist; make one"),
        (lambda: place_search.index("none", "town"), "none does not exist; give a folder"),
        (lambda: place_search.compare("none.jpg", "query.jpg"), "does not exist; check the path"),
        (lambda: place_search.evaluate(), "Say what is right"),
        (lambda: place_search.open_model("none"), "; PLACE_SEARCH_WEIGHTS names"),
        (lambda: place_search.open_model(threads=0), "runs on 1 or more threads, not on 0"),
        (lambda: place_search.open_model(threads="2"), "not on '2'"),  # type: ignore[arg-type]
        (
            lambda: place_search.open_model(precision="f16"),  # type: ignore[arg-type]
            "There is no precision 'f16'; choose one of auto, f32, int8",
        ),
        (
            lambda: place_search.index("photos", "town", panoramas="zz"),  # type: ignore[arg-type]
            "Panoramas can be cut by auto, 2:1, off, not by 'zz'",
        ),
        (
            lambda: place_search.index("photos", "town", store="zz"),
            "'zz' is no kind of vector store; name one of auto, exact",
        ),
        (
            lambda: place_search.index("photos", "town", descriptor_type="zz"),  # type: ignore[arg-type]
            "Descriptors cannot be of type 'zz'",
        ),
        (
            lambda: place_search.evaluate(truth="truth.csv", root=".", ks=(0, -1)),
            "Recall@N is of whole numbers from 1, as in 1,5,10, not of [0, -1]",
        ),
        (lambda: place_search.evaluate(truth="truth.csv", root=".", ks=()), "not of []"),
        (lambda: place_search.evaluate(truth="truth.csv", root=".", ks=(True,)), "not of [True]"),
        (
            lambda: place_search.evaluate(truth="truth.csv", root=".", sequence=0),
            "The parameter sequence is 0, but it must be a whole number from 1.",
        ),
        (
            lambda: place_search.doctor("photos", model=place_search.open_model()),  # type: ignore[arg-type]
            "A model is named by its id or its folder here, not by the type Model.",
        ),
        (
            lambda: place_search.open_model(max_megapixels=0),
            "The parameter max_megapixels is 0, but it must be a whole number from 1.",
        ),
        (
            lambda: place_search.open_model(dims=1.5),  # type: ignore[arg-type]
            "gives 1024 dimensions, so 1.5 cannot be kept",
        ),
        (
            lambda: place_search.index("photos", "town", fps="5"),  # type: ignore[arg-type]
            "The parameter fps is '5', but it must be a finite number from 0.001 to 1,000.",
        ),
        (
            lambda: place_search.index("photos", "town", gpx="way.gpx", video_start="soon"),
            "The video's start 'soon' is no time; write it as 2026-05-01T10:00:00+02:00.",
        ),
        (
            lambda: place_search.index(
                "photos", "town", gpx="way.gpx", video_start="1970-01-01T00:00:00"
            ),
            "The video's start 1970-01-01T00:00:00 has no time zone; write it as",
        ),
        (
            lambda: place_search.table([1, 2]),  # type: ignore[list-item]
            "A table is made of the answers of `search` or `search_many`, not of the type int.",
        ),
        (
            lambda: place_search.index("photos", "town", every_m=math.nan, gpx="way.gpx"),
            "The parameter every_m is nan, but it must be a finite number from 0.1 to 100,000.",
        ),
        (
            lambda: place_search.index("photos", "town", clock_offset_s=math.inf, gpx="way.gpx"),
            "The parameter clock_offset_s is inf, but it must be a finite number.",
        ),
        (
            lambda: require_sampling(True, None),
            "The parameter every is True, but it must be a whole number from 1.",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(town: Path, call: object, says: str) -> None:
    with pytest.raises(PlaceSearchError, match=re.escape(says)):
        call()  # type: ignore[operator]
    assert not Path("town").exists()


@pytest.mark.parametrize("radius", [math.nan, math.inf, -1, True, "5"])
def test_a_radius_that_is_no_distance_is_refused(town: Path, radius: Any) -> None:
    for measure in (place_search.evaluate, place_search.doctor):
        with pytest.raises(PlaceSearchError, match="must be a finite number from 0"):
            measure("photos", radius_m=radius)


def test_a_model_that_is_open_is_evaluated(town: Path) -> None:
    named = place_search.evaluate(truth="truth.csv", root=".")
    opened = place_search.evaluate(truth="truth.csv", root=".", model=place_search.open_model())
    assert opened.recall == named.recall
    with pytest.raises(PlaceSearchError, match="not by the type int"):
        place_search.evaluate(truth="truth.csv", root=".", model=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("instructions", ["AVX512-VNNI", None])
def test_a_model_by_its_id_is_opened_as_the_index_was_made(
    town: Path, monkeypatch: pytest.MonkeyPatch, instructions: str | None
) -> None:
    precision: Literal["f32", "int8"] = "f32" if instructions else "int8"
    made_by = place_search.open_model(precision=precision, dims=512)
    place_search.index("photos", "town", model=made_by)
    monkeypatch.setattr("place_search.models.model.int8_instructions", lambda: instructions)
    for model in (made_by.card.id, made_by.folder):
        answer = place_search.search("town", "query.jpg", model=model)
        assert answer.results[0].name == "0.jpg"


@pytest.mark.slow
def test_numbers_of_numpy_end_in_a_report_as_json(town: Path) -> None:
    yes, metres = np.bool_(True), np.float32(25)
    model = place_search.open_model(dims=np.int64(512))  # type: ignore[arg-type]
    told = place_search.evaluate(
        "photos/places.csv",
        radius_m=metres,  # type: ignore[arg-type]
        model=model,
        verify=yes,  # type: ignore[arg-type]
        open_set=yes,  # type: ignore[arg-type]
        standardize=yes,  # type: ignore[arg-type]
        report_dir="report",
    )
    assert json.loads(json.dumps(told.to_dict()))["settings"]["radius_m"] == 25
    assert told.settings["dims"] == 512
    assert (town / "report").is_dir()


def test_what_is_no_photo_is_said_by_its_type(town: Path) -> None:
    place_search.index("photos", "town")
    index, model = place_search.open_index("town"), place_search.open_model()
    calls: list[Callable[[Any], object]] = [
        lambda picture: place_search.search(index, picture, model=model),
        lambda picture: list(place_search.search_many(index, picture, model=model)),
        lambda picture: place_search.search(index, [picture], model=model),
        lambda picture: place_search.compare("query.jpg", picture, model=model),
        lambda picture: place_search.describe(picture, model=model),
    ]
    for picture in (5, None, Image.new("RGB", (9, 9)), np.zeros((9, 9, 3), np.uint8)):
        for call in calls:
            with pytest.raises(
                PlaceSearchError, match=r"A photo is the path of a file.* not of the type"
            ):
                call(picture)
    nothing: Any = 5
    for wrong in (
        lambda: place_search.index(nothing, "new"),
        lambda: place_search.index("photos", nothing),
        lambda: place_search.add("town", io.BytesIO()),  # type: ignore[arg-type]
        lambda: place_search.track(index, nothing, model=model),
        lambda: place_search.pairs(index, nothing, model=model),
        lambda: place_search.remove(nothing, [1]),
        lambda: place_search.open_index(nothing),
        lambda: place_search.open_model(nothing),
        lambda: place_search.evaluate(nothing),
    ):
        with pytest.raises(
            PlaceSearchError, match=r"(A path is a text|A model is named) .*, not .. the "
        ):
            wrong()
    (one,) = place_search.search_many(index, "query.jpg", model=model)
    assert one.results == place_search.search(index, "query.jpg", model=model).results


def test_the_content_of_a_photo_is_one_photo_whatever_holds_it(town: Path) -> None:
    place_search.index("photos", "town")
    index, model = place_search.open_index("town"), place_search.open_model()
    content = Path("query.jpg").read_bytes()
    wanted = place_search.search(index, content, model=model).results
    for make in (bytearray, memoryview, io.BytesIO):
        held: list[Any] = [make(content) for _ in range(5)]
        assert place_search.search(index, held[0], model=model).results == wanted
        assert place_search.search(index, [held[1]], model=model).results == wanted
        (one,) = place_search.search_many(index, held[2], model=model, standardize=True)
        assert one.results[0].name == wanted[0].name
        assert place_search.compare("query.jpg", held[3], model=model).result == "same"
        assert place_search.describe(held[4], model=model).shape == (1, index.dims)
    with Path("query.jpg").open("rb") as file:
        assert place_search.search(index, file, model=model).results == wanted
        with pytest.raises(PlaceSearchError, match="was read to its end before"):
            place_search.search(index, file, model=model)
    with pytest.raises(PlaceSearchError, match="cannot be read: read of closed file"):
        place_search.describe(file, model=model)
    with pytest.raises(PlaceSearchError, match="open it with mode 'rb'"):
        place_search.describe(io.StringIO("text"), model=model)  # type: ignore[arg-type]


def test_answers_go_to_other_processes_without_the_index(town: Path) -> None:
    place_search.index("photos", "town")
    index, model = place_search.open_index("town"), place_search.open_model()
    [*many] = place_search.search_many(index, ["query.jpg"], model=model, standardize=True)
    answer = place_search.search(index, "query.jpg", model=model)
    for told in (answer, *many, place_search.track(index, "photos", model=model)):
        content = pickle.dumps(told)
        assert len(content) < 8192
        assert pickle.loads(content) == told == copy.deepcopy(told)
    again = pickle.loads(pickle.dumps(answer))
    assert again._repr_html_() == answer._repr_html_()
    shutil.rmtree("town")
    assert "<img" not in pickle.loads(pickle.dumps(answer))._repr_html_()


def test_what_a_search_is_asked_is_checked(town: Path) -> None:
    place_search.index("photos", "town")
    index, model = place_search.open_index("town"), place_search.open_model()
    asked: list[tuple[dict[str, Any], str]] = [
        ({"k": "3"}, "k is '3', but it must be a whole number from 1 to 100"),
        ({"k": 3.0}, "k is 3.0, but"),
        ({"verify": "maybe"}, "verify is 'maybe', but it must be True, False or None"),
        ({"panorama": 1}, "panorama is 1, but"),
        ({"near": "1,2", "radius_m": 1}, "'1,2' is no position"),
        ({"near": (100, 1), "radius_m": 1}, "'(100, 1)' is no position"),
        ({"box": (0, 0, 50)}, "'(0, 0, 50)' is no box"),
    ]
    for wrong, says in asked:
        with pytest.raises(PlaceSearchError, match=re.escape(says)):
            place_search.search(index, "query.jpg", model=model, **wrong)
    with pytest.raises(PlaceSearchError, match="holds numbers that are not finite"):
        index.search(np.full(index.dims, np.nan, np.float32), 1)
    with pytest.raises(PlaceSearchError, match=re.escape("'()' is no box")):
        place_search.compare("query.jpg", "query.jpg", model=model, box=())  # type: ignore[arg-type]
    with pytest.raises(
        PlaceSearchError, match="k is 0, but it must be a whole number from 1 to 99"
    ):
        place_search.pairs(index, "more", model=model, k=0)


def test_the_notebook_runs(town: Path) -> None:
    notebook = json.loads((ROOT / "examples" / "search.ipynb").read_text("utf-8"))
    scope: dict[str, object] = {}
    shown = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        # A cell shows the value of its last expression.
        *before, last = ast.parse("".join(cell["source"])).body
        exec(compile(ast.Module(before, []), "search.ipynb", "exec"), scope)
        assert isinstance(last, ast.Expr)
        shown.append(eval(compile(ast.Expression(last.value), "search.ipynb", "eval"), scope))
    assert shown[0] == 3
    assert shown[1]._repr_html_().count("<img src=") == 3
