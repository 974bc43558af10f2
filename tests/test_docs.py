"""The documents name only modules, files, flags and make targets that exist."""

import ast
import dataclasses
import inspect
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

import place_search
from place_search import annotations
from place_search.cli.app import app
from place_search.core.geodesy import Position, Utm
from place_search.photos.photo import Facing
from place_search.search import results
from place_search.search.location import Location
from place_search.search.pairs import Pairs
from place_search.search.probability import Match
from place_search.search.similar import SimilarPlaces
from place_search.search.tracks.located import LocatedFrame
from place_search.search.tracks.track import Track

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "data" / "README.md"])
ROOMS = "core|photos|models|indexer|search|evaluation|training"
MADE_BY_COMMANDS = ("bench/out", "data/demo", "indexes/", "weights/mine")
OTHERS_FLAGS = {"--nproc-per-node"}
"""Flags of other programs: torchrun."""


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def named_in(text: str) -> list[str]:
    """The dotted names of our modules, classes and functions, without `place_search.`."""
    return re.findall(rf"`(?:place_search\.)?((?:{ROOMS})(?:\.\w+)+(?<!\.py))`", text)


@cache
def exists(name: str) -> bool:
    """Whether a dotted name is a module, or a class, function or method in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        path = ROOT / "place_search" / Path(*parts[:count])
        files = [path / "__init__.py", path.with_suffix(".py")]
        for file in (file for file in files if file.is_file()):
            if _holds(ast.parse(file.read_bytes()).body, parts[count:]):
                return True
    return False


def _holds(body: list[ast.stmt], names: list[str]) -> bool:
    """Whether the statements define or import the first name, and so on inside it."""
    if not names:
        return True
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name == names[0]:
                return _holds(node.body, names[1:])
        elif isinstance(node, ast.ImportFrom):
            if names in [[alias.asname or alias.name] for alias in node.names]:
                return True
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if names in [[target.id] for target in targets if isinstance(target, ast.Name)]:
                return True
    return False


def test_what_does_not_exist_is_noticed() -> None:
    assert exists("photos.decoding.decode_photo") or exists("photos.decode_photo")
    assert not exists("photos.decoding.decode_foto")
    assert not exists("models.model.Model.imagine")


def test_the_architecture_names_every_step() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for heading in ("From a folder to a shard", "From an upload to an answer"):
        section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
        steps = re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]
        assert len(steps) > 8
        assert [step for step in steps if not named_in(step)] == []


def test_named_functions_exist(document: Path) -> None:
    missing = [name for name in named_in(document.read_text("utf-8")) if not exists(name)]
    assert missing == [], f"{document.name} names what is no longer there"


def test_linked_and_named_files_exist(document: Path) -> None:
    text = document.read_text("utf-8")
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    assert [link for link in links if not (document.parent / link).exists()] == []
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()}
    named = re.findall(r"`([\w.-]+/[\w./-]*)`", text)
    paths = [
        name
        for name in named
        if name.split("/")[0] in tops and not name.startswith(MADE_BY_COMMANDS)
    ]
    assert [name for name in paths if not (ROOT / name).exists()] == []


def test_named_photos_of_the_demo_are_fetched(document: Path) -> None:
    listed = (ROOT / "data" / "demo_photos.csv").read_text("utf-8")
    named = re.findall(r"data/demo/([\w./-]+\.jpg)", document.read_text("utf-8"))
    assert [photo for photo in named if f"{photo}," not in listed] == []


def flags_of(command: Any) -> set[str]:
    """All flags of a program and the commands below it."""
    found = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    for name in getattr(command, "commands", {}):
        found |= flags_of(command.get_command(None, name))  # imports it
    return found


def test_named_flags_exist(document: Path) -> None:
    known = flags_of(typer.main.get_command(app)) | {"--help"} | OTHERS_FLAGS
    text = document.read_text("utf-8")
    own = re.sub(
        r"^.*\b(bench|pip|curl|podman|docker|npm|systemctl|ray)\b.*$", "", text, flags=re.M
    )
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", own))
    assert named - known == set()


def test_named_targets_of_make_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = re.findall(r"(?:`|^)make ([a-z][a-z-]*)", document.read_text("utf-8"), re.MULTILINE)
    assert set(named) - targets == set()


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ("serve INDEX=i PORT=9 MODEL=m", "serve 'i' --port 9 --model 'm'"),
        ("eval", "demo --no-serve"),
        ("eval DATA=d MODEL=m", "eval 'd' --model 'm'"),
        ("eval DATA=d SPLIT=s.mat", "eval --split 's.mat' --root 'd'"),
        ("eval DATA=d SPLIT=s.csv", "eval --database 'd' --truth 's.csv' --root 'd'"),
    ],
)
def test_targets_of_make_use_their_variables(given: str, command: str) -> None:
    printed = dry_run(given)
    assert printed.returncode == 0
    assert printed.stdout.splitlines()[-1].split("place-search ")[-1].strip() == command


def dry_run(given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *given.split()],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},  # without variables of a make that runs this test
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("given", "unused"),
    [
        ("eval DATA=d DATABASE=b", "DATABASE"),
        ("eval DATA=d SPLIT=s.mat DATABASE=b", "DATABASE"),
        ("doctor DATA=d INDEX=i", "INDEX"),
        ("index DATA=d PORT=9", "PORT"),
        ("index DATA=d MODLE=m", "MODLE"),
        ("check DATA=d", "DATA"),
    ],
)
def test_make_tells_of_a_variable_that_a_target_does_not_take(given: str, unused: str) -> None:
    told = f"No part in `make {given.split()[0]}` has {unused}; it takes "
    assert told in dry_run(given).stderr


def test_the_fields_of_answers_are_named() -> None:
    answers = (
        results.SearchResult,
        SimilarPlaces,
        results.SearchTable,
        results.CompareResult,
        Pairs,
        Track,
    )
    parts = (results.Result, results.Verified, results.Spot, results.QueryPhoto, results.Timings)
    tuples = (Match, Location, Facing, Position, Utm)
    fields = {
        **{kind.__name__: {f.name for f in dataclasses.fields(kind)} for kind in answers + parts},
        LocatedFrame.__name__: {f.name for f in dataclasses.fields(LocatedFrame)},
        **{kind.__name__: set(kind._fields) for kind in tuples},
    }
    section = (ROOT / "docs" / "python.md").read_text("utf-8").split("## What answers hold\n")[1]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section.split("\n## ")[0], re.MULTILINE)
    assert {kind: set(re.findall(r"`(\w+)`", row)) for kind, row in rows} == fields
    assert fields.keys() <= set(annotations.__all__)


def test_the_kinds_of_problems_that_the_doctor_finds_are_listed() -> None:
    table = (ROOT / "docs" / "evaluation.md").read_text("utf-8").split("## The doctor\n")[1]
    listed = set(re.findall(r"`([a-z-]+)`", " ".join(re.findall(r"^\| (`.*?) \|", table, re.M))))
    calls = r'\b(?:Finding|findings_of|_add_error|Doubt)\(\s*"([a-z-]+)"'
    code = [*ROOT.glob("evaluation/doctor/*.py"), *ROOT.glob("indexer/sources/*.py")]
    found = {kind for file in code for kind in re.findall(calls, file.read_text("utf-8"))}
    assert len(found) > 15
    assert found - listed == set()


def test_the_types_of_what_functions_give_are_there_for_annotations() -> None:
    functions = [getattr(place_search, name) for name in place_search.__all__]
    given = set[str]()
    for function in filter(inspect.isfunction, functions):
        told = str(inspect.signature(function).return_annotation)
        given |= set(re.findall(r"\b[A-Z]\w+", told))
    assert given - set(annotations.__all__) == {"Iterator", "NDArray"}
