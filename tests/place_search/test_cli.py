"""The program as a whole: help, version, exit codes, settings."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import Result

import place_search
from place_search.settings import DOCUMENT, all_settings, render_settings

Run = Callable[..., Result]
CheckFailure = Callable[..., str]

COMMANDS = ["index", "search", "compare", "calibrate", "serve", "eval", "doctor", "describe"]
COMMANDS += ["weights", "cluster", "distil", "whiten"]
COMMANDS += ["edit", "fields", "restore", "add", "remove", "sync", "compact", "migrate", "verify"]


def test_help_lists_the_commands(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for command in COMMANDS:
        assert command in result.stdout


@pytest.mark.parametrize("command", [*COMMANDS, "weights import"])
def test_every_command_has_help(run: Run, command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    usage = next(line for line in result.stdout.splitlines() if "Usage:" in line)
    # Typer itself brackets a metavar, and says where it repeats.
    assert not re.search(r"\[\]|\[\[|(…|\.\.\.)[\]}]", usage)


def test_the_version_is_the_package_s(run: Run) -> None:
    assert place_search.__version__ == version("place-search")
    for flag in ("-V", "--version"):
        result = run(flag)
        assert (result.exit_code, result.stdout) == (0, f"place-search {version('place-search')}\n")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, place_search.cli\n"
        "heavy = {'numpy', 'cv2', 'faiss', 'openvino', 'fastapi', 'uvicorn', 'h5py', 'torch'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("begins", "later"),
    [
        ("Decoder.__init__", {"place_search.indexer", "openvino"}),
        ("EngineOpener.begin", {"fastapi", "rich", "uvicorn"}),
    ],
)
def test_what_takes_long_begins_while_a_server_imports_the_rest(
    index: Path, begins: str, later: set[str]
) -> None:
    code = (
        "import os, sys\n"
        "from place_search.cli.app import main\n"
        "from place_search.search.server.server import Decoder, EngineOpener\n"
        f"{begins} = lambda *_, **__: os._exit(bool({later} & set(sys.modules)))\n"
        "main()\n"
    )
    command = [sys.executable, "-c", code, "serve", str(index), "--port", "0"]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.slow
def test_threads_take_turns_more_often_until_a_server_is_ready(index: Path) -> None:
    code = (
        "import gc, os, sys\n"
        "from pathlib import Path\n"
        "from place_search.search.server.server import EngineOpener, serve\n"
        "from place_search.search.server.settings import ServerSettings\n"
        "usual, open_index, seen = sys.getswitchinterval(), EngineOpener._open, []\n"
        "def opened(opener, served):\n"
        "    seen.append((sys.getswitchinterval() < usual, gc.isenabled()))\n"
        "    return open_index(opener, served)\n"
        "def ready(address, engine):\n"
        "    print(*seen, (sys.getswitchinterval() < usual, gc.isenabled()), flush=True)\n"
        "    os._exit(0)\n"
        "EngineOpener._open = opened\n"
        "serve(Path(sys.argv[1]), ServerSettings(port=0), on_ready=ready)\n"
    )
    command = [sys.executable, "-c", code, str(index)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "(True, False) (False, True)\n"


@pytest.mark.slow
def test_a_search_imports_only_what_it_needs(index: Path, photos: Path) -> None:
    code = (
        "import sys; sys.argv[0] = 'place-search'\n"
        "from place_search.cli.app import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    needless = {'asyncio', 'fastapi', 'numpy.ma'}\n"
        "    print(sorted(needless & set(sys.modules)), file=sys.stderr)\n"
    )
    photo = photos / "queries" / "1.jpg"
    command = [sys.executable, "-c", code, "search", str(index), str(photo), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_the_program_imports_no_converter_of_models() -> None:
    code = "import sys; sys.argv[0] = {name!r}; import place_search, openvino; " + (
        "print(hasattr(openvino, 'convert_model'))"
    )
    for name, has in (("place-search", "False"), ("mine.py", "True")):
        run = [sys.executable, "-c", code.format(name=name)]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == has, name


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["index"],
        ["index", "photos"],
        ["index", "photos", "--out", "i", "--nonsense"],
        ["search", "index"],
        ["search", "index", "photo", "--k", "0"],
        ["search", "index", "photo", "--k", "101"],
        ["search", "index", "photo", "--k", "1_0"],
        ["search", "index", "photo", "--k", "１０"],
        ["search", "index", "photo", "--k", "10.0"],
        ["search", "index", "photo", "--near", "48,11", "--radius-m", "1_0"],
        ["search", "index", "photo", "--near", "48,11", "--radius-m", "inf"],
        ["restore", "index", "1", "1_0"],
        ["search", "index", "photo", "--near", "48,11"],
        ["search", "index", "photo", "--radius-m", "5"],
        ["serve", "index", "--port", "65536"],
        ["serve", "index", "--workers", "0"],
        ["describe", "photo", "--out", "d.txt"],
        ["describe", "--out", "d.npy"],
        ["eval", "--root", "r"],
        ["eval", "--root", "r", "--truth", "t.csv", "--at", "0,1"],
        ["eval", "--root", "r", "--truth", "t.csv", "--at", "all"],
        ["eval", "--root", "r", "--truth", "t.csv", "--at", "1,1_0"],
        ["index", "d", "--out", "i", "--gpx", "g.gpx", "--every", "2_0m"],
        ["eval"],
        ["eval", "--split", "s.mat"],
        ["eval", "photos", "--split", "s.mat", "--root", "r"],
        ["eval", "photos", "--queries-dir", "q"],
        ["eval", "photos", "--root", "r"],
        ["eval", "--database", "d.csv", "--queries", "q.csv", "--root", "r"],
        ["eval", "--truth", "t.csv", "--root", "r", "--radius-m", "5"],
        ["doctor", "--truth", "t.csv", "--root", "r", "--radius-m", "5"],
        ["eval", "--queries", "q.csv"],
        ["eval", "photos", "--database", "d.csv"],
        ["eval", "photos", "--radius-m", "-1"],
        ["doctor"],
        ["doctor", "--truth", "t.csv"],
        ["doctor", "photos", "--sample", "-1"],
        ["index", "photos", "--out", "i", "--uri", "http://127.0.0.1:1"],
        ["compact", "i", "--uri", "http://127.0.0.1:1"],
        ["index", "photos", "--out", "i", "--descriptors", "d.npy", "--dims", "64"],
        ["index", "photos", "--out", "i", "--descriptors", "d.npy", "--precision", "f32"],
    ],
)
def test_wrong_usage_exits_with_2(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage:" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "INDEX", "PHOTOS", "--out", "o.xls"],
        ["track", "INDEX", "PHOTOS", "--out", "o.xls"],
        ["places", "INDEX", "--out", "o.xls"],
        ["index", "PHOTOS", "--out", "new", "--every", "2m"],
        ["index", "PHOTOS", "--out", "new", "--clock-offset", "+02:00"],
        ["index", "PHOTOS", "--out", "new", "--video-start", "2026-05-01T10:00:00Z"],
        ["serve", "INDEX", "--cors", "x"],
        ["serve", "INDEX", "--root-path", "x"],
        ["serve", "INDEX", "--tiles-url", "x"],
        ["serve", "INDEX", "--allowed-hosts", "a/b"],
        ["serve", "INDEX", "--trusted-proxies", "x"],
        ["serve", "INDEX", "--writable"],
    ],
)
def test_a_value_that_makes_no_sense_exits_with_2(
    run: Run, check_failure: Callable[..., str], photos: Path, index: Path, arguments: list[str]
) -> None:
    paths = {"INDEX": index, "PHOTOS": photos / "queries"}
    check_failure(run(*(paths.get(word, word) for word in arguments)), 2)


@pytest.mark.parametrize("given", [("a b",), ("",), ("me", "--index", "a/b")])
def test_a_key_has_a_name_that_a_keys_file_takes(run: Run, given: tuple[str, ...]) -> None:
    result = run("key", *given)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is no name; use up to 64 letters" in result.stderr


def test_it_is_told_that_the_last_value_of_an_option_counts(run: Run) -> None:
    """The first of two databases is left out of the evaluation, and the recall is higher."""
    for words, option in (
        ("eval --database a.csv --database b.csv --queries q.csv", "--database"),
        ("eval photos --at 1 --at=5", "--at"),
        ("weights import file --as a --as a", "--as"),
    ):
        told = run(*words.split()).stderr
        assert f"{option} is given 2 times; the last value counts." in told
    several = run("calibrate", "a.csv", "--root", "a", "--root", "b", "--keep", "--keep")
    assert "a.csv does not exist" in several.stderr
    assert "the last value" not in several.stderr


def test_a_number_of_a_variable_is_plain_digits(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, words in (("K", "search index photo"), ("THREADS", "index photos --out i")):
        monkeypatch.setenv(f"PLACE_SEARCH_{name}", "1_0")
        result = run(*words.split())
        assert (result.exit_code, result.stdout) == (2, "")
        assert "write a whole number in digits" in result.stderr
        monkeypatch.delenv(f"PLACE_SEARCH_{name}")


@pytest.mark.parametrize(
    "words",
    [
        "eval LONG",
        "eval --truth LONG --root .",
        "index LONG --out index",
        "add INDEX LONG",
        "search INDEX LONG",
        "search INDEX --model LONG PHOTO",
        "pairs INDEX LONG --out pairs.txt",
        "places INDEX --out LONG.csv",
        "doctor LONG",
        "describe LONG --out d.npy",
        "weights import LONG --as mine",
    ],
)
def test_a_path_that_the_system_does_not_look_at_is_told(
    run: Run, check_failure: CheckFailure, index: Path, photos: Path, words: str
) -> None:
    """As one below a folder that may not be entered."""
    meant = {"LONG": "e" * 256, "INDEX": str(index), "PHOTO": str(photos / "places" / "0.jpg")}
    asked = [meant.get(word, word.replace("LONG", meant["LONG"])) for word in words.split()]
    assert "eee is out of reach" in re.sub("(/card.toml|[.]csv) ", " ", check_failure(run(*asked)))


def test_the_settings_are_documented() -> None:
    document = Path(__file__).parents[2] / DOCUMENT
    assert document.read_text("utf-8") == render_settings(), (
        "the table has changed; run: python -m place_search.settings"
    )


def test_settings_have_names_of_their_own() -> None:
    assert len({setting.env for setting in all_settings()}) == len(all_settings())
    assert all(setting.env.startswith("PLACE_SEARCH_") for setting in all_settings())


@pytest.mark.parametrize(
    "setting", [s for s in all_settings() if s.flag], ids=lambda setting: str(setting.name)
)
def test_every_flag_of_the_table_is_taken(run: Run, setting: object) -> None:
    flag = str(getattr(setting, "flag", ""))
    assert any(f"{flag} " in run(command, "--help").stdout for command in COMMANDS)


def test_a_variable_sets_and_a_flag_wins(run: Run, index: Path, photos: Path) -> None:
    query = photos / "queries" / "1.jpg"
    env = {"PLACE_SEARCH_K": "1"}
    assert run("search", index, query, "--json").stdout.count('"rank"') == 3
    assert run("search", index, query, "--json", env=env).stdout.count('"rank"') == 1
    assert run("search", index, query, "--json", "--k", "2", env=env).stdout.count('"rank"') == 2


@pytest.mark.parametrize("command", ["serve", "demo"])
@pytest.mark.parametrize(
    ("variable", "near"),
    [("API_KEY", "API_KEYS"), ("KEY", "KEYS"), ("PORTT", "PORT"), ("api_keys", None)],
)
def test_nothing_is_served_with_a_variable_that_is_no_setting(
    run: Run, tmp_path: Path, command: str, variable: str, near: str | None
) -> None:
    folder = ("--photos" if command == "demo" else "--port=0", tmp_path)
    result = run(command, *folder, env={f"PLACE_SEARCH_{variable}": "secret"})
    assert result.exit_code == 1
    assert result.stderr == (
        f"The variable PLACE_SEARCH_{variable} is no setting; "
        + (f"if you mean PLACE_SEARCH_{near}, correct it, else" if near else "correct or")
        + " unset it.\n"
    )


def test_other_commands_say_that_a_variable_is_no_setting(run: Run) -> None:
    env = {f"PLACE_SEARCH_{name}": "1" for name in ("THREAD", "ZZZZ", "API_KEYS", "KEY", "SERVER")}
    result = run("weights", "list", env={**env, "PLACE_SEARCH_PROT": ""})
    assert result.exit_code == 0
    assert [line.split()[2] for line in result.stderr.splitlines()] == [
        "PLACE_SEARCH_THREAD",
        "PLACE_SEARCH_ZZZZ",
    ]
    assert "PLACE_SEARCH_THREADS" in result.stderr


def test_the_examples_take_variables_that_are_known() -> None:
    examples = Path(__file__).parents[2] / "examples"
    known = {setting.env for setting in all_settings()}
    for path in examples.rglob("search.*"):
        assert set(re.findall(r"PLACE_SEARCH_[A-Z_]+", path.read_text("utf-8"))) <= known


@pytest.mark.parametrize("arguments", [["weights", "list", "--json"], ["key", "alice"]])
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_leads_nowhere(arguments: list[str], closed: str) -> None:
    """As by who starts a daemon."""
    program = shlex.join([sys.executable, "-m", "place_search", *arguments])
    done = subprocess.run(
        ["sh", "-c", f"{program} {closed}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in closed.split())


def test_the_weights_variable_names_the_folder(run: Run, tmp_path: Path) -> None:
    result = run("weights", "list", env={"PLACE_SEARCH_WEIGHTS": str(tmp_path)})
    assert result.exit_code == 0
    assert str(tmp_path) in result.stdout


@pytest.mark.parametrize("flag", ["--no-local-features", "--no-cells"])
def test_a_flag_s_old_name_still_works(run: Run, photos: Path, tmp_path: Path, flag: str) -> None:
    result = run("index", photos / "places", "--out", tmp_path / "bare", flag)
    assert result.exit_code == 0, result.output
    assert not place_search.open_index(tmp_path / "bare").has_local_features
