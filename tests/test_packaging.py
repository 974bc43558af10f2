"""What is installed: two import names, all that belongs to them, and nothing that gets in the way.

A user's project may have its own data/, training/, search.py and evaluation.py.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import jedi
import numpy as np
import pytest
from PIL import Image

from tests.processes import unmeasured

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
CODE = ("place_search", "place_search_client")
NOT_INSTALLED = {f"data/{name}" for name in ("README.md", "free_photos.csv", "lite0_photos.csv")}
NOT_INSTALLED |= {"web/jsconfig.json", "search/matching/nearest.c"}
"""Files of the rooms that only this repository needs, or that are compiled."""
SEARCH = """
import json, sys
import place_search
from place_search.search.engine import Engine

engine = Engine(place_search.open_index("index"), place_search.open_model())
best = engine.search(sys.argv[1], k=1, verify=True).results[0]
print(json.dumps([place_search.__file__, best.name, best.verified.inliers]))
"""


def tracked(*folders: str) -> list[str]:
    """The repository's files below folders, committed or to be; a link counts as a file."""
    command = ["git", "ls-files", "-co", "--exclude-standard", *folders]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.splitlines() if os.path.lexists(ROOT / name)]


def rooms() -> list[str]:
    """The folders at the top of the repository that are packages of place_search."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    return sorted(packages - {*CODE, "bench"})


def build(kind: str, source: Path, out: Path) -> Path:
    """Build a "wheel" or an "sdist" as pip does, in a folder where build leftovers may stay."""
    program = f"from setuptools import build_meta; build_meta.build_{kind}({str(out)!r})"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=source,
        capture_output=True,
        text=True,
        env=unmeasured(),
    )
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository's files."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            target.symlink_to((ROOT / name).readlink())
        else:
            shutil.copyfile(ROOT / name, target)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def files(wheel: Path) -> set[str]:
    """The names of the wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    command = [*pip, "--target", str(folder), str(wheel)]
    subprocess.run(command, check=True, capture_output=True, env=unmeasured())
    return folder


def test_it_has_two_import_names(files: set[str]) -> None:
    info = f"place_search-{VERSION}.dist-info"
    assert {name.split("/")[0] for name in files} == {*CODE, info}


def test_all_files_of_the_rooms_are_installed(files: set[str]) -> None:
    assert {"data", "indexer", "models", "photos", "search", "web", "weights"} <= set(rooms())
    wanted = {f"place_search/{name}" for name in tracked(*rooms()) if name not in NOT_INSTALLED}
    wanted |= {name for name in tracked(*CODE) if not (ROOT / name).is_symlink()}
    assert wanted - files == set()
    assert "place_search/py.typed" in files
    assert "place_search_client/py.typed" in files
    assert "place_search/web/index.html" in files
    assert "place_search/weights/lite0-netvlad/card.toml" in files


def test_the_sdist_builds_the_same_wheel(
    checkout: Path, files: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    sdist = build("sdist", checkout, tmp_path_factory.mktemp("sdist"))
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    again = build("wheel", source, tmp_path_factory.mktemp("again"))
    with zipfile.ZipFile(again) as archive:
        assert set(archive.namelist()) == files


def test_a_project_s_own_folders_do_not_get_in_the_way(installed: Path, tmp_path: Path) -> None:
    for folder in ("data", "training", "photos", "web"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("raise ImportError('the user\\'s own')")
    for name in ("search.py", "evaluation.py", "models.py"):
        (tmp_path / name).write_text("raise ImportError('the user\\'s own')")
    random = np.random.default_rng(0)
    for number in range(3):
        patches = random.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        photo = Image.fromarray(patches).resize((320, 240))
        photo.save(tmp_path / "photos" / f"{number}.png")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**unmeasured(), "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("-m", "place_search", "--version") == f"place-search {VERSION}\n"
    run("-m", "place_search", "index", "photos", "--out", "index")
    file, name, inliers = json.loads(run("-c", SEARCH, "photos/1.png"))
    assert Path(file).parent == installed / "place_search"
    assert name == "1.png"
    assert inliers > 10


def test_every_room_has_its_link() -> None:
    links = {path.name: path for path in (ROOT / "place_search").iterdir() if path.is_symlink()}
    assert set(links) == set(rooms())
    for room, link in links.items():
        assert link.readlink() == Path("..", room)


def test_an_editor_follows_a_name_into_the_checkout(tmp_path: Path) -> None:
    environment = jedi.create_environment(sys.prefix, safe=False)
    code = "from place_search.indexer import open_index\nopen_index\n"
    script = jedi.Script(
        code, path=tmp_path / "user.py", project=jedi.Project(tmp_path), environment=environment
    )
    (definition,) = script.goto(2, 3, follow_imports=True)
    assert definition.type == "function"
    assert definition.module_path is not None
    assert definition.module_path.resolve().is_relative_to(ROOT / "indexer")


def test_check_collects_its_tests_without_the_packages_that_it_does_not_install() -> None:
    checked = re.search(r"-m ('not torch [^']+')", (ROOT / "Makefile").read_text("utf-8"))
    assert checked is not None
    without = dict.fromkeys(("matplotlib", "nncf", "pyarrow", "pymilvus", "ray", "torch"))
    program = f"""
import sys
import pytest
sys.modules.update({without})
sys.exit(pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", "-m", {checked[1]}]))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=unmeasured())
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "tests/search/test_milvus.py" not in done.stdout
