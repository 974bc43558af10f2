"""Each request that docs/server.md shows with curl does what it shows."""

import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from place_search.indexer import build_index, declare_fields, open_source
from place_search.models import Model
from place_search.search.server.keys import new_key

DOCUMENT = Path(__file__).parents[2] / "docs" / "server.md"
CURL = re.compile(r"^curl (?:.*\\\n)*.*$", re.M)


def requests() -> list[str]:
    """The commands, in their order, without comments and what is piped away."""
    blocks = re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.M | re.S)
    found = [command for block in blocks for command in CURL.findall(block)]
    return [re.split(r"\s+#\s|\s\|\s", command)[0] for command in found]


@pytest.fixture
def base(street: Any, model: Model, tmp_path: Path) -> Path:
    """Two indexes, and the photos that the document names."""
    for name, count in (("town", 14), ("harbour", 2)):
        (tmp_path / f"{name}-shots").mkdir()
        for place in range(count):
            (tmp_path / f"{name}-shots" / f"{place:02d}.jpg").write_bytes(street.query(place))
        build_index(open_source(tmp_path / f"{name}-shots"), tmp_path / name, model)
    declare_fields(tmp_path / "town", {"floor": "number", "seen": "date"})
    for number, name in enumerate(("photo", "left", "right", "frame", "new")):
        (tmp_path / f"{name}.jpg").write_bytes(street.query(20 if name == "new" else number))
    with zipfile.ZipFile(tmp_path / "harbour.zip", "w") as archive:
        archive.write(tmp_path / "new.jpg", "new.jpg")
    return tmp_path


def test_the_requests_of_the_document_are_answered(
    start_server: Callable[..., Any], base: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not there")
    secret, key = new_key("me", "write")
    (base / "keys").write_text(key.line)
    named = f"town={base / 'town'}", f"harbour={base / 'harbour'}"
    server = start_server(*named, "--writable", "--public", "--keys", str(base / "keys"))
    commands = requests()
    assert len(commands) >= 14
    track = ""
    for command in commands:
        asked = re.sub(r"http://(127\.0\.0\.1|server):8000/", server.address, command)
        asked = asked.replace("ps_…", secret).replace("TRACK_ID", track)
        asked = asked.replace("curl ", "curl -sS --fail-with-body ", 1)
        done = subprocess.run(
            ["sh", "-c", asked], cwd=base, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if found := re.search(r'"track_id":"([^"]+)"', done.stdout):
            track = found[1]
