"""Starting and ending: interrupts, homes that are missing, output that cannot be written."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from place_search.core.startup import INTERRUPTED
from tests.processes import unmeasured

PROGRAM = (sys.executable, "-m", "place_search")
ODD_NAME = "café 日本.jpg"

# Stops the program with Ctrl-C at the start of the N-th import after its first own line, and says
# so in the file; with N too large it ends by itself.
_INTERRUPTER = """
import builtins, os, signal, sys

at, original, count = int(os.environ["INTERRUPT_AT"]), builtins.__import__, 0

def interrupting(name, *arguments, **keywords):
    global count
    if "place_search.core.startup" in sys.modules and name not in sys.modules:
        count += 1
        if count == at:
            open(os.environ["INTERRUPT_DONE"], "w").close()
            signal.raise_signal(signal.SIGINT)
    return original(name, *arguments, **keywords)

builtins.__import__ = interrupting
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """An index `ix`, its photos in `db`, where any user may read them."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        make_index(root)
        yield root


def make_index(root: Path) -> None:
    (root / "db").mkdir()
    for place, name in enumerate(("a.jpg", ODD_NAME)):
        small = np.random.default_rng(place).integers(0, 255, (24, 32, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((320, 240), Image.Resampling.NEAREST)
        picture.save(root / "db" / name)
    subprocess.run(
        [*PROGRAM, "index", "db", "--out", "ix"], cwd=root, check=True, capture_output=True
    )


def run(folder: Path, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=folder,
        env={**unmeasured(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_interrupt_at_any_import_ends_it_in_silence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_INTERRUPTER, "utf-8")
    moments, at = 0, 1
    while True:
        done = tmp_path / "done"
        done.unlink(missing_ok=True)
        ended = run(
            folder,
            *(*PROGRAM, "search", "ix", "db/a.jpg"),
            PYTHONPATH=str(tmp_path),
            INTERRUPT_AT=str(at),
            INTERRUPT_DONE=str(done),
        )
        if not done.exists():
            assert ended.returncode == 0
            break
        assert ended.returncode == INTERRUPTED, (at, ended.stderr)
        assert ended.stderr in ("", "Interrupted; nothing was changed.\n"), at
        assert ended.stdout == ""
        moments += 1
        # Close together among the first, then wider: some 20 of more than 1,000 imports.
        at = at * 3 // 2 + 1
    assert moments > 10


def test_nothing_is_imported_before_interrupts_are_handled(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, args: event == 'import' and seen.append(args[0]))\n"
        "import place_search\n"
        "print(*seen[: seen.index('place_search.core.startup') + 1])\n"
    )
    ended = run(tmp_path, sys.executable, "-c", code)
    assert "place_search.core.startup" in ended.stdout.split(), ended.stderr
    assert all(name.startswith("place_search") for name in ended.stdout.split()), ended.stdout


def test_an_import_is_never_interrupted(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import signal\n"
        "signal.raise_signal(signal.SIGINT)\n"
        "total = sum(range(10**6))\n"
        "print('imported')\n",
        "utf-8",
    )
    code = (
        "import sys\n"
        "sys.argv = ['place-search']\n"
        "from place_search.core.startup import Interruptible\n"
        "with Interruptible():\n"
        "    try:\n"
        "        import slow\n"
        "        while True: pass\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted', slow.total)\n"
    )
    ended = run(tmp_path, sys.executable, "-c", code, PYTHONPATH=str(tmp_path))
    assert ended.stdout == "imported\ninterrupted 499999500000\n", ended.stderr


def test_an_interrupt_that_python_drops_comes_again(tmp_path: Path) -> None:
    code = (
        "import signal, sys\n"
        "sys.argv = ['place-search']\n"
        "from place_search.core.startup import Interruptible\n"
        "class Dropping:\n"
        "    def __del__(self): signal.raise_signal(signal.SIGINT)\n"
        "with Interruptible():\n"
        "    try:\n"
        "        Dropping()\n"
        "        while True: pass\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted')\n"
    )
    ended = run(tmp_path, sys.executable, "-c", code)
    assert (ended.stdout, ended.stderr) == ("interrupted\n", "")


def test_a_lock_that_is_being_taken_is_given_back(tmp_path: Path) -> None:
    code = (
        "import functools, signal, sys, threading\n"
        "sys.argv = ['place-search']\n"
        "from place_search.core.startup import Interruptible\n"
        "class Lock:\n"
        "    acquire = release = None\n"
        "    __enter__ = staticmethod(functools.partial(signal.raise_signal, signal.SIGINT))\n"
        "    def __exit__(self, *error): print('given back')\n"
        "with Interruptible():\n"
        "    try:\n"
        "        with threading.Condition(Lock()):\n"
        "            while True: pass\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted')\n"
    )
    ended = run(tmp_path, sys.executable, "-c", code)
    assert (ended.stdout, ended.stderr) == ("given back\ninterrupted\n", "")


def test_a_wait_without_end_is_interrupted(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, threading\n"
        "sys.argv = ['place-search']\n"
        "from place_search.core.startup import Interruptible\n"
        "with Interruptible():\n"
        "    try:\n"
        "        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()\n"
        "        threading.Event().wait()\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted')\n"
    )
    ended = run(tmp_path, sys.executable, "-c", code)
    assert (ended.stdout, ended.stderr) == ("interrupted\n", "")


def test_a_library_leaves_its_users_interrupts_alone(tmp_path: Path) -> None:
    code = (
        "import signal, place_search\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    )
    assert run(tmp_path, sys.executable, "-c", code).returncode == 0
    service = tmp_path / "service"
    service.mkdir()
    code += "import sys\nassert 'openvino.tools.ovc' not in sys.modules\n"
    (service / "__init__.py").write_text(code, "utf-8")
    (service / "__main__.py").touch()
    for options in (["-m", "service"], ["-m", "service", "place_search"], ["-mservice"]):
        ended = run(tmp_path, sys.executable, *options)
        assert (ended.returncode, ended.stderr) == (0, ""), options


@pytest.mark.parametrize("options", [["-m"], ["-X", "utf8", "-m"], ["-P", "-m"]])
def test_the_program_is_known_by_its_module(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, signal\n"
        "from place_search.core.startup import _exit\n"
        "atexit.register(lambda: print(signal.getsignal(signal.SIGINT) is _exit))\n",
        "utf-8",
    )
    command = (sys.executable, *options, "place_search", "--help", "-m")
    ended = run(tmp_path, *command, PYTHONPATH=str(tmp_path))
    assert ended.stdout.endswith("True\n"), ended.stderr


@pytest.mark.parametrize("home", [None, "/", "/nonexistent"])
def test_a_user_without_a_home_is_not_warned(folder: Path, home: str | None) -> None:
    environment = {"PATH": os.environ["PATH"]} | ({"HOME": home} if home else {})
    other: list[str] = []
    if os.geteuid() == 0 and shutil.which("setpriv"):
        # A user that no file of the system knows. It may read all, as this checkout may be private.
        other = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
        other += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    ended = subprocess.run(
        [*other, *PROGRAM, "search", "ix", "db/a.jpg", "--k", "1"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("options", [["--k", "1"], ["--json"], ["--help"]])
def test_a_full_disk_is_said_in_one_sentence(folder: Path, options: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*PROGRAM, "search", "ix", "db/a.jpg", *options],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == (
        "The output cannot be written (No space left on device); write it somewhere else.\n"
    )


@pytest.mark.parametrize("options", [["search", "ix", "db/a.jpg"], ["weights", "list"], ["--help"]])
def test_a_closed_pipe_ends_it_in_silence(folder: Path, options: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [*PROGRAM, *options],
            cwd=folder,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            env=unmeasured(),
            check=False,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_name_that_the_terminal_cannot_hold_is_escaped(folder: Path, encoding: str) -> None:
    search = (*PROGRAM, "search", "ix", f"db/{ODD_NAME}", "--k", "1")
    ended = subprocess.run(
        [*search, "--json"],
        cwd=folder,
        env={**unmeasured(), "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert json.loads(ended.stdout)["results"][0]["name"] == ODD_NAME
    ended = subprocess.run(
        search,
        cwd=folder,
        env={**unmeasured(), "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    shown = ODD_NAME.encode(encoding, "backslashreplace").decode(encoding)
    assert shown in ended.stdout.decode(encoding)


def test_an_interrupt_is_one_hundred_and_thirty() -> None:
    assert INTERRUPTED == 128 + signal.SIGINT


@pytest.mark.parametrize("kilobytes", [600_000, 800_000, 1_500_000])
def test_too_little_address_space_is_said(folder: Path, kilobytes: int) -> None:
    """FAISS and OpenVINO themselves would crash, or never answer."""
    command = f"ulimit -v {kilobytes}; exec {shlex.join(PROGRAM)} search ix db/a.jpg"
    ended = run(folder, "sh", "-c", command)
    assert ended.returncode == 1
    assert "needs 1.9 GB; raise the limit with `ulimit -v`" in ended.stderr
    assert ended.stderr.count("\n") == 1
