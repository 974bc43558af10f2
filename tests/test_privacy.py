"""No command sends anything anywhere, or leaves a file where nobody has asked for one."""

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import httpx
import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from place_search.cli.commands import command_groups
from place_search.models import find_model, read_card, write_card
from tests import watched
from tests.waiting import SECONDS

pytestmark = pytest.mark.timeout(900)  # strace slows what takes a minute on a busy machine

ROOT = Path(__file__).parents[1]
WORDS = (b"telemetry", b"google-analytics", b"posthog", b"sentry_sdk", b"mixpanel", b"usage_stats")
PROGRAM = (sys.executable, "-m", "place_search")
NEEDED = {"cluster": "torch", "train": "torch", "quantize": "nncf"}
"""Commands that need more: one process runs them, with NNCF last, which makes torch slower."""

COMMANDS = {
    "add": "add {index} {more} --json",
    "calibrate": "calibrate {index}",
    "cluster": "cluster {places} --clusters 2 --backbone-weights {model} --out {out}",
    "compact": "compact {index}",
    "migrate": "migrate {index}",
    "compare": "compare {photo} {photo} --json",
    "describe": "describe {photo} --out {out}.npy",
    "doctor": "doctor --truth {truth} --root {root}",
    "edit": "edit {index} 0 --note seen",
    "eval": "eval --truth {truth} --root {root} --verify --json",
    "fields": "fields {index}",
    "group": "group {index}",
    "index": "index {places} --out {out} --json",
    "key": "key ann",
    "pairs": "pairs {index} {places} --k 2 --out {out}.txt",
    "places": "places {index} --out {out}.csv",
    "quantize": "quantize {model} --photos {places} --count 3 --first 0",
    "remove": "remove {index} 0.jpg",
    "restore": "restore {index} 0",
    "search": "search {index} {photo} --json",
    "similar": "similar {index} 0 --json",
    "search folder": "search {index} {places} --out {out}.csv",
    "sync": "sync {index} {places}",
    "track": "track {index} {places} --out {out}.csv",
    "train": "train {root}/places.csv --root {root} --preset cpu-smoke --epochs 1 --batch 4 "
    "--size 128x96 --views 2 --val {root}/places.csv --model {model} --out {out}",
    "verify": "verify {index}",
    "version": "--version",
    "weights list": "weights list --json",
    "weights verify": "weights verify lite0-netvlad-1024",
}
OTHERS = {"demo", "serve", "export", "distil", "whiten"}
"""Commands that are not run here: two have tests of their own, and the others, which load what
`cluster` does, need weights of another model or a thousand photos.
"""
# Starting the program is most of what a short command costs: many run in one process.
IN_TURN = """
import json, sys

for command, words in json.loads(sys.argv[1]).items():
    sys.argv = ["place-search", *words]
    from place_search.cli.app import main
    try:
        main()
    except SystemExit as ended:
        print(f"{command}: ended with {ended.code or 0}", flush=True)
print("Imported:", *sys.modules)
"""
SWITCHES = ["RAY_USAGE_STATS_ENABLED", "HF_HUB_DISABLE_TELEMETRY"]


def write_photo(path: Path, seed: int) -> None:
    small = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(small).resize((320, 240), Image.Resampling.NEAREST).save(path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for place in range(4):
        write_photo(root / "places" / f"{place}.jpg", place)
    write_photo(root / "more" / "9.jpg", 9)
    (root / "truth.csv").write_text(
        "query,positives\nplaces/0.jpg,places/1.jpg\nplaces/2.jpg,places/3.jpg\n", "utf-8"
    )
    rows = [f"places/{place}.jpg,48.{place // 2:03},11.5" for place in range(4)]
    (root / "places.csv").write_text("\n".join(["path,latitude,longitude", *rows]), "utf-8")
    return root


@pytest.fixture(scope="module")
def made_index(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    command = [*PROGRAM, "index", str(photos / "places"), "--out", str(folder / "index")]
    run(folder / "run", command)
    return folder / "index"


def run(folder: Path, command: Sequence[str], **environment: str) -> str:
    """Run a program that must succeed in silence towards the world; gives its output."""
    started = watched.start(folder, command, environment)
    code, output = started.finish()
    assert code == 0, output
    assert started.requests() == []
    assert started.left() == []
    return output


def run_in_turn(commands: Iterable[str], photos: Path, made_index: Path, folder: Path) -> str:
    """Run commands in one process, each with an index and a model of its own; gives its output."""
    filled = {}
    for command in commands:
        own = folder / command.replace(" ", "_")
        own.mkdir(parents=True)
        shutil.copytree(made_index, own / "index")
        filled[command] = (
            COMMANDS[command]
            .format(
                index=own / "index",
                model=unquantized(own / "model") if "{model}" in COMMANDS[command] else "",
                more=photos / "more",
                out=own / "out",
                photo=photos / "places" / "0.jpg",
                places=photos / "places",
                root=photos,
                truth=photos / "truth.csv",
            )
            .split()
        )
    return run(folder / "run", [sys.executable, "-c", IN_TURN, json.dumps(filled)])


def unquantized(model: Path) -> Path:
    """The default model, copied without what `quantize` gives it."""
    shutil.copytree(find_model(), model)
    card = read_card(model)
    plain = {name: sha256 for name, sha256 in card.files.items() if not name.startswith("int8")}
    write_card(replace(card, files=plain, quantization=None), model)
    return model


@pytest.fixture(scope="module")
def light(photos: Path, made_index: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the commands print that need no package of their own."""
    commands = [command for command in COMMANDS if command not in NEEDED]
    return run_in_turn(commands, photos, made_index, tmp_path_factory.mktemp("light"))


@pytest.fixture(scope="module")
def heavy(photos: Path, made_index: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the others print whose packages are here."""
    commands = [each for each, package in NEEDED.items() if importlib.util.find_spec(package)]
    return run_in_turn(commands, photos, made_index, tmp_path_factory.mktemp("heavy"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_asks_nothing_of_the_network(
    command: str, request: pytest.FixtureRequest
) -> None:
    if command in NEEDED and importlib.util.find_spec(NEEDED[command]) is None:
        pytest.skip(f"needs {NEEDED[command]}")
    output = request.getfixturevalue("heavy" if command in NEEDED else "light")
    assert f"{command}: ended with 0" in output.splitlines(), output


def test_no_command_is_forgotten() -> None:
    assert {command.split()[0] for command in COMMANDS} | OTHERS == {*command_groups(), "version"}


def test_a_server_asks_nothing_of_the_network(
    photos: Path, made_index: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # FastAPI alone would take these as an order to report every request.
    environment = {
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.invalid",
    }
    command = [*PROGRAM, "serve", str(made_index), "--port", str(port)]
    started = watched.start(tmp_path / "run", command, environment)
    photo = (photos / "places" / "0.jpg").read_bytes()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS) as client:
            while started.process.poll() is None:
                try:
                    ready = client.get("/readyz").is_success
                except httpx.ConnectError:
                    continue
                if ready:
                    break
            for page in ("/", "/docs", "/openapi.json", "/metrics"):
                assert client.get(page).is_success, page
            reply = client.post("/v1/search", files={"photo": photo}).raise_for_status().json()
            assert reply["results"][0]["name"] == "0.jpg"
    finally:
        _stop(started)
    assert started.requests() == []
    assert started.left() == []


def _stop(started: watched.Watched) -> None:
    """End the server itself, not what traces it."""
    children = Path(f"/proc/{started.process.pid}/task/{started.process.pid}/children")
    traced = started.process.args[0] == "strace"  # type: ignore[index]
    pid = int(children.read_text("utf-8").split()[0]) if traced else started.process.pid
    os.kill(pid, signal.SIGTERM)
    code, output = started.finish()
    assert code == 0, output


@pytest.mark.parametrize(("package", "commands"), [("openvino", "light"), ("nncf", "heavy")])
def test_only_the_switch_keeps_a_package_silent(
    package: str, commands: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    loud = watched.start(tmp_path / "loud", [sys.executable, "-c", f"import {package}"])
    loud.finish()
    assert any("google-analytics" in line for line in loud.requests()), (
        "is the switch still needed?"
    )
    silent = request.getfixturevalue(commands)
    assert package in silent.splitlines()[-1].split(), "the silent commands did not import it"


def test_ray_reports_no_usage(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    code = (
        "import place_search\n"
        "from ray._common.usage.usage_lib import usage_stats_enabled\n"
        "assert not usage_stats_enabled()\n"
    )
    run(tmp_path / "ray", [sys.executable, "-c", code])


def test_the_hook_sees_a_look_up_of_a_child(tmp_path: Path) -> None:
    child = "import socket; socket.getaddrinfo('example.invalid', 80)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    started = watched.start(tmp_path / "run", [sys.executable, "-c", code])
    started.finish()
    assert any("example.invalid" in line for line in started.requests())


def test_a_file_that_is_left_is_seen(tmp_path: Path) -> None:
    code = "import tempfile, pathlib; tempfile.mkstemp(); (pathlib.Path.home() / 'x').touch()"
    started = watched.start(tmp_path / "run", [sys.executable, "-c", code])
    started.finish()
    assert len(started.left()) == 2


def dependencies() -> set[str]:
    """The distributions that place-search needs, with all extras, themselves and through others."""
    found: set[str] = set()
    extras = set(metadata.metadata("place-search").get_all("Provides-Extra") or ())
    waiting = [("place-search", extras)]
    while waiting:
        name, wanted = waiting.pop()
        try:
            needed = map(Requirement, metadata.requires(name) or ())
        except metadata.PackageNotFoundError:
            continue
        for one in needed:
            applies = [
                one.marker is None or one.marker.evaluate({"extra": extra})
                for extra in wanted | {""}
            ]
            if any(applies) and canonicalize_name(one.name) not in found:
                found.add(canonicalize_name(one.name))
                waiting.append((one.name, set(one.extras)))
    return found - {"place-search"}


def speaks_of_telemetry(name: str) -> bool:
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        return False
    for file in files:
        path = Path(str(file.locate()))
        if path.suffix == ".py" and path.is_file():
            code = path.read_bytes().lower().replace(b"opentelemetry", b"")
            if any(word in code for word in WORDS):
                return True
    return False


def test_every_package_that_could_report_has_its_row_in_security_md() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (ROOT / "SECURITY.md").read_text("utf-8"), re.MULTILINE)
    listed = {name.strip() for row in rows for name in row.split(",")}
    found = {name for name in dependencies() if speaks_of_telemetry(name)}
    assert "openvino-telemetry" in found
    assert found - listed == set()


def test_switches_are_set_before_others_read_them_unless_a_user_has() -> None:
    asked = "import place_search, os; print(*map(os.environ.get, " + repr(SWITCHES) + "))"
    plain = {key: value for key, value in os.environ.items() if key not in SWITCHES}
    command = [sys.executable, "-c", asked]
    found = subprocess.run(command, env=plain, check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["0", "1"]
    chosen = {**plain, "RAY_USAGE_STATS_ENABLED": "1", "HF_HUB_DISABLE_TELEMETRY": "0"}
    found = subprocess.run(command, env=chosen, check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["1", "0"]


@pytest.mark.parametrize("libraries", [None, "/opt/lib"])
@pytest.mark.parametrize("through_link", [False, True])
def test_no_import_changes_where_other_programs_look_for_libraries(
    libraries: str | None, through_link: bool, tmp_path: Path
) -> None:
    """OpenCV's adds an empty part, which is the current folder: its files would run in decoders."""
    name = "LD_LIBRARY_PATH"
    environment = {key: value for key, value in os.environ.items() if key != name}
    environment |= {name: libraries} if libraries else {}
    if through_link:
        (tmp_path / "packages").symlink_to(sysconfig.get_path("purelib"))
        environment |= {"PYTHONPATH": str(tmp_path / "packages")}
    imports = "import os, place_search.annotations, place_search.search.server.app"
    command = [sys.executable, "-c", f"{imports}; print(os.environ.get('{name}'))"]
    found = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert found.stdout.strip() == str(libraries)
