"""A part of another distribution that fails is named; nobody has to read its traceback."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import place_search
from place_search.core.errors import PlaceSearchError
from place_search.indexer import open_source

Run = Callable[..., Result]

GROUP = "place_search.indexer.sources.kinds"


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, group: str = GROUP) -> None:
    """Install a part that another distribution would bring."""
    (folder / "broken_part.py").write_text(text)
    about = folder / "others_parts-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: others-parts\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[{group}]\nodd = broken_part\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "broken_part", raising=False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def reads(data): return data.nonsense", "AttributeError: "),
        ("ACCEPTS = 'all'", "AttributeError: module 'broken_part' has no attribute 'reads'"),
    ],
)
def test_a_source_that_fails_is_named(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    install(tmp_path, monkeypatch, text)
    result = run("index", photos / "places", "--out", tmp_path / "index")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert f"The part odd of {GROUP}, which is of the package others-parts" in result.stderr
    assert told in result.stderr
    if "1 / 0" in text:
        with pytest.raises(PlaceSearchError, match="others-parts"):
            place_search.index(photos / "places", tmp_path / "index")


@pytest.mark.parametrize(
    ("photos_of_it", "told"),
    [
        ("", f"The part odd of {GROUP} lists no photos of "),
        ("photos.append('b.jpg', position=Position(95, 11))", "b.jpg the position 95, 11, which"),
        ("photos.append('b.jpg', position=Position(4, math.inf))", "b.jpg the position 4, inf, "),
        (
            "photos = [PlacePhoto(data, 'c.jpg', Position(math.nan, 11))]",
            f"The part odd of {GROUP} gives c.jpg the position nan, 11, which is not on Earth; ",
        ),
    ],
)
def test_what_a_source_gives_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos_of_it: str, told: str
) -> None:
    install(
        tmp_path,
        monkeypatch,
        "import math\n"
        "from place_search.core.geodesy import Position\n"
        "from place_search.indexer import PhotoList, Source\n"
        "from place_search.indexer.places import PlacePhoto\n"
        "def reads(data): return data.suffix == '.odd'\n"
        "def read(data, root=None):\n"
        "    photos = PhotoList(data.parent)\n"
        f"    {photos_of_it}\n"
        "    return Source(data.parent, photos, 'odd')\n",
    )
    (tmp_path / "list.odd").touch()
    with pytest.raises(PlaceSearchError, match=re.escape(told)):
        place_search.index(tmp_path / "list.odd", tmp_path / "index")
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("ending", [".txt", ".csv"])
def test_a_source_of_others_is_asked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    install(
        tmp_path,
        monkeypatch,
        "from place_search.indexer import PhotoList, Source\n"
        "def reads(data): return data.stem == 'odd'\n"
        "def read(data, root=None):\n"
        "    photos = PhotoList(data.parent)\n"
        "    photos.append('b.jpg')\n"
        "    return Source(data.parent, photos, 'odd')\n",
    )
    file = tmp_path / f"odd{ending}"
    file.touch()
    assert open_source(file).kind == "odd"


@pytest.mark.slow
def test_the_doctor_examines_a_kind_of_truth_of_others(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path,
        monkeypatch,
        "import numpy as np\n"
        "from place_search.evaluation import GroundTruth\n"
        "def reads(files): return files.data is not None and files.data.suffix == '.odd'\n"
        "def read(files, lenient):\n"
        "    names = ('places/1.jpg', 'places/2.jpg')\n"
        "    right = (np.array([0]), np.array([1]))\n"
        "    queries = ('queries/1.jpg', 'queries/2.jpg')\n"
        "    return GroundTruth(files.data.parent, names, queries, right, 'odd', protocol='raw')\n",
        "place_search.evaluation.truth.kinds",
    )
    (tmp_path / "list.odd").touch()
    for folder in ("places", "queries"):
        (tmp_path / folder).symlink_to(photos / folder)
    result = run("doctor", tmp_path / "list.odd")
    assert "2 queries, 2 database photos" in result.stdout, result.output
    assert result.exit_code == 0
    assert not place_search.doctor(tmp_path / "list.odd").problems
