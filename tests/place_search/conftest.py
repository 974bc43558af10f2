"""A few rendered places, indexed by the program itself."""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from place_search.cli.app import app
from place_search.models import find_model, read_card, write_card
from tests.processes import unmeasured

PROGRAM = (sys.executable, "-m", "place_search")

Run = Callable[..., Result]


def photo(place: int) -> Image.Image:
    """Coloured noise at three scales, another for every place: 480 × 360."""
    rng = np.random.default_rng(place)
    layers = [
        Image.fromarray(rng.integers(0, 255, (3 * size, 4 * size, 3), dtype=np.uint8))
        for size in (2, 8, 32)
    ]
    blended = layers[0].resize((480, 360), Image.Resampling.BICUBIC)
    for layer in layers[1:]:
        blended = Image.blend(blended, layer.resize((480, 360), Image.Resampling.NEAREST), 0.4)
    return blended


def write_streets(root: Path, places: int) -> None:
    """Photos of places, crops of them as queries, and `truth.csv`, which says what is of which."""
    rows = ["query,positives"]
    for folder in ("places", "queries"):
        (root / folder).mkdir()
    for place in range(places):
        photo(place).save(root / "places" / f"{place}.jpg", quality=90)
        photo(place).crop((5, 5, 475, 355)).save(root / "queries" / f"{place}.jpg", quality=85)
        rows.append(f"queries/{place}.jpg,places/{place}.jpg")
    (root / "truth.csv").write_text("\n".join(rows), "utf-8")


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs the program in this process; a result has `exit_code`, `stdout` and `stderr`."""
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})

    def invoke(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments], env=env)

    return invoke


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The included model without its calibration, as an imported one is."""
    folder = tmp_path_factory.mktemp("models") / "plain"
    shutil.copytree(find_model("lite0-netvlad-1024"), folder)
    write_card(replace(read_card(folder), id="plain", calibration=None), folder)
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four places in a folder, with a CSV that gives three of them positions, and two queries."""
    root = tmp_path_factory.mktemp("photos")
    (root / "places").mkdir()
    (root / "queries").mkdir()
    for place in range(4):
        photo(place).save(root / "places" / f"{place}.jpg", quality=90)
    (root / "places" / "half.jpg").write_bytes((root / "places" / "0.jpg").read_bytes()[:3000])
    for place in (1, 2):
        crop = photo(place).crop((10, 10, 470, 350))
        crop.save(root / "queries" / f"{place}.jpg", quality=80)
    rows = [f"places/{place}.jpg,48.00{place},11.5" for place in range(3)]
    (root / "places.csv").write_text("\n".join(["path,latitude,longitude", *rows]), "utf-8")
    truth = ["query,positives", "queries/1.jpg,places/1.jpg", "queries/2.jpg,places/3.jpg"]
    (root / "truth.csv").write_text("\n".join(truth), "utf-8")
    return root


@pytest.fixture(scope="session")
def index(photos: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the places in the CSV."""
    folder = tmp_path_factory.mktemp("index") / "places"
    result = run("index", photos / "places.csv", "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the program as a process of its own, which ends with the test."""
    with contextlib.ExitStack() as stack:

        def popen(*arguments: str | Path) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [*PROGRAM, *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=unmeasured(),
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield popen


@pytest.fixture(scope="session")
def check_failure() -> Callable[..., str]:
    """Checks that a run failed with one sentence and nothing else; returns that.

    A value that makes no sense is a matter of usage (2), as an option that there is not.
    """

    def check(result: Result, exit_code: int = 1) -> str:
        assert result.exit_code == exit_code, result.output
        assert result.stdout == ""
        sentence = result.stderr
        assert sentence.count("\n") == 1
        assert re.search(r"[.]\n$", sentence)
        return sentence

    return check
