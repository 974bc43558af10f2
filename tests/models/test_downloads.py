"""Downloads from a local server: whole, resumed, altered, refused."""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from place_search.core.packages import DownloadError
from place_search.models.downloads import fetch_file
from place_search.models.errors import ModelError
from place_search.models.registry import FileSource, Published, find_published, published
from tests.full_disk import files_up_to

CONTENT = bytes(range(256)) * 5000


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; /breaks stops half way unless it is asked for a range."""

    asked: list[str]

    def __init__(self, asked: list[str], *arguments: object) -> None:
        self.asked = asked
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append(f"{self.path} {wanted}")
        if self.path == "/gone":
            self.send_error(404)
            return
        start = 0
        if wanted and self.headers.get("If-Range") == '"one"':
            start = int(re.findall(r"\d+", wanted)[0])
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        breaks = self.path == "/breaks" and not start
        self.wfile.write(CONTENT[start : len(CONTENT) // 2 if breaks else None])

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def address(asked: list[str]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, asked)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def model(*urls: str, sha256: str | None = None) -> Published:
    sources = [FileSource("url", url) for url in urls]
    return Published("m", "t", "model", "f", "weights.bin", "MIT", sha256, sources, [])


def test_a_download_goes_on_where_it_broke_off(
    address: str, asked: list[str], tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    broken = model(f"{address}/breaks")
    with pytest.raises(DownloadError, match=r"bytes are kept.*--from FILE"):
        fetch_file(broken, tmp_path)
    assert not (tmp_path / "weights.bin").exists()
    path = fetch_file(broken, tmp_path, progress=lambda *step: seen.append(step))
    assert path.read_bytes() == CONTENT
    assert asked == ["/breaks None", f"/breaks bytes={len(CONTENT) // 2}-"]
    assert seen[-1] == ("Downloading", len(CONTENT) >> 20, len(CONTENT) >> 20)
    assert [file.name for file in tmp_path.iterdir()] == ["weights.bin"]
    fetch_file(broken, tmp_path)
    assert len(asked) == 2, "what is there is not fetched again"


def test_a_download_that_was_complete_is_fetched_anew(
    address: str, asked: list[str], tmp_path: Path
) -> None:
    (tmp_path / "weights.bin.part").write_bytes(CONTENT)
    (tmp_path / "weights.bin.etag").write_text('"one"')
    assert fetch_file(model(f"{address}/file"), tmp_path).read_bytes() == CONTENT
    assert asked == [f"/file bytes={len(CONTENT)}-", "/file None"]
    assert [file.name for file in tmp_path.iterdir()] == ["weights.bin"]


def test_a_changed_file_is_fetched_anew(address: str, asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "weights.bin.part").write_bytes(b"of another version")
    (tmp_path / "weights.bin.etag").write_text('"zero"')
    assert fetch_file(model(f"{address}/file"), tmp_path).read_bytes() == CONTENT
    assert asked == ["/file bytes=18-"]


def test_sources_are_tried_in_their_order(address: str, asked: list[str], tmp_path: Path) -> None:
    fetch_file(model(f"{address}/gone", f"{address}/file"), tmp_path)
    assert asked == ["/gone None", "/file None"]
    page = FileSource("page", "https://example.org/models")
    gone = replace(model(f"{address}/gone"), file="other", sources=[])
    gone = replace(gone, sources=[FileSource("url", f"{address}/gone"), page])
    with pytest.raises(DownloadError, match=r"answers 404.*get other from https://example\.org"):
        fetch_file(gone, tmp_path)


def test_why_a_download_cannot_be_written_is_told(address: str, tmp_path: Path) -> None:
    weights = model(f"{address}/file")
    with files_up_to(1000), pytest.raises(DownloadError) as full:
        fetch_file(weights, tmp_path)
    assert f"{tmp_path / 'weights.bin'} is on a full disk; free some space" in str(full.value)
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match=r"file.weights\.bin cannot be written \(File exists\)"):
        fetch_file(weights, tmp_path / "file")


def test_a_file_of_another_sha256_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="its sha256 differs"):
        fetch_file(model(f"{address}/file", sha256="0" * 64), tmp_path)
    given = tmp_path / "given"
    given.write_bytes(b"x")
    with pytest.raises(DownloadError, match="its sha256 differs"):
        fetch_file(model(sha256="0" * 64), tmp_path, own_file=given)
    assert fetch_file(model(), tmp_path, own_file=given) == given
    with pytest.raises(ModelError, match="is not a file"):
        fetch_file(model(), tmp_path, own_file=tmp_path / "none")


@pytest.mark.torch
def test_what_the_registry_names_can_be_read() -> None:
    from place_search.models.weight_files.read import supported_families

    known = supported_families()
    assert {model.family for model in published() if model.kind == "model"} <= set(known)


def test_the_registry_is_whole() -> None:
    models = published()
    assert len({model.id for model in models}) == len(models)
    for model in models:
        assert model.sources
        assert model.licence
        assert model.sha256 is None or re.fullmatch("[0-9a-f]{64}", model.sha256)
        assert (model.kind == "backbone") == bool(model.backbone)
    assert find_published("netvlad-pitts30k").recall[0].at == {"1": 85.0}
    with pytest.raises(ModelError, match=r"no published model 'x'; known are netvlad-pitts30k"):
        find_published("x")
