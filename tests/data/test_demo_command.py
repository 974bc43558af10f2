import json
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

import place_search
from place_search.cli.commands.searching.demo import takes_demo_settings
from place_search.demo_photos import fetch_demo_photos
from place_search.search.server.settings import ServerSettings
from tests.waiting import wait_until

DATA = Path(place_search.__file__).resolve().parent.parent / "data"
DEMO = [sys.executable, "-m", "place_search", "demo", "--port", "0"]


@pytest.fixture
def folder(pinned: Path, tmp_path: Path) -> Path:
    """A folder to start the demo in, with photos already there."""
    fetch_demo_photos(tmp_path / "data" / "demo", archive=pinned, print_message=print)
    return tmp_path


def test_the_demo_measures_and_ends_without_serving(folder: Path) -> None:
    demo = subprocess.run([*DEMO, "--no-serve"], cwd=folder, capture_output=True, text=True)
    assert demo.returncode == 0, demo.stderr
    assert "25 places in indexes/demo" in demo.stdout
    first = demo.stderr.splitlines()[0]
    assert "54 MB, once" in first
    assert "indexes/demo" in first
    assert "port" not in first
    assert "`place-search group" not in demo.stderr, "it does so itself"
    assert "recall@10" not in demo.stderr, "an exact store finds all there is"
    assert "13 queries, 25 database photos" in demo.stdout
    assert " 1       100.0 " in demo.stdout
    assert (folder / "indexes" / "demo" / "manifest.json").is_file()
    suggested = next(line for line in demo.stdout.splitlines() if line.startswith("Try: "))
    search = shlex.split(suggested.removeprefix("Try: "))
    process = subprocess.run(
        [*search, "--json"], cwd=folder, capture_output=True, text=True, check=True
    )
    best = json.loads(process.stdout)["results"][0]
    assert best["name"] in ("places/maupertuis-facade/01.jpg", "places/maupertuis-facade/04.jpg")
    assert best["verified"]["inliers"] > 0


def test_a_port_that_is_taken_is_said_before_the_work(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [*DEMO[:-1], str(port)]
        process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 1
    assert process.stderr.startswith(f"Port {port} on 127.0.0.1 is in use")
    assert not any(tmp_path.iterdir())


def test_the_demo_serves_until_interrupted(folder: Path, truth: list[dict[str, str]]) -> None:
    log = folder / "told"
    with (
        log.open("w") as out,
        subprocess.Popen(DEMO, cwd=folder, stdout=out, stderr=out) as demo,
    ):
        try:
            command = shlex.split(line_after("Try: ", log))
            photo = Path(command[2].removeprefix("photo=@"))
            reply = httpx.post(command[3], files={"photo": (folder / photo).read_bytes()})
            server = command[3].partition("v1/")[0]
            (report,) = httpx.get(f"{server}v1/reports").json()
            page = httpx.get(f"{server}reports/{report['name']}/")
            offered = httpx.get(f"{server}page.json").json()["samples"]
            samples = [httpx.get(f"{server}{address}") for address in offered["queries"]]
        finally:
            demo.send_signal(signal.SIGINT)
    assert demo.returncode == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    assert command[:2] == ["curl", "-F"]
    query_name = photo.relative_to("data/demo").as_posix()
    positives = next(row["positives"] for row in truth if row["query"] == query_name).split(";")
    assert (report["name"], report["recall"]["1"]) == ("lite0-netvlad-1024", 100.0)
    assert "lite0-netvlad-1024 on truth" in page.text
    assert [sample.status_code for sample in samples] == [200] * 4
    assert samples[-1].content == (DATA / "elsewhere.jpg").read_bytes()
    assert [len(pair) for pair in offered["pairs"]] == [2, 2]
    results = reply.json()["results"]
    assert len(results) == 3
    assert results[0]["verified"]["inliers"] > 0
    assert results[0]["name"] in positives


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        ([], ("*",)),
        (["--cors", ""], ()),
        (["--cors", "https://a.example"], ("https://a.example",)),
    ],
)
def test_pages_that_may_ask_the_demo_can_be_chosen(
    options: list[str], allowed: tuple[str, ...]
) -> None:
    served_settings: list[ServerSettings] = []

    @takes_demo_settings
    def command(*, settings: ServerSettings) -> None:
        served_settings.append(settings)

    program = typer.Typer()
    program.command()(command)
    result = CliRunner().invoke(program, options)
    assert result.exit_code == 0, result.output
    assert [tuple(settings.cors) for settings in served_settings] == [allowed]


def line_after(start: str, file: Path, seconds: float = 60.0) -> str:
    """The rest of the first line of a growing file that begins with `start`."""

    def rest() -> str | None:
        for line in file.read_text().splitlines(keepends=True):
            if line.startswith(start) and line.endswith("\n"):
                return line.removeprefix(start).strip()
        return None

    text = wait_until(rest, f"no line '{start}…' in {file}", seconds=seconds)
    assert text is not None
    return text


def test_a_file_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    demo = subprocess.run([*DEMO, "--from", __file__], cwd=tmp_path, capture_output=True, text=True)
    assert demo.returncode == 1
    assert "Traceback" not in demo.stderr
    assert "--photos" in demo.stderr
