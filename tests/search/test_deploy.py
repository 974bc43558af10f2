"""The deployment examples, as far as they can be tried here."""

import shutil
import socket
import ssl
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_container_runs_the_default_install_as_nobody() -> None:
    lines = (DEPLOY / "Containerfile").read_text("utf-8").splitlines()
    assert "USER 10001" in lines
    assert any(line.endswith("pip install --no-cache-dir .") for line in lines)
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))
    assert not [name for name in project["project"]["dependencies"] if name.startswith("torch")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there")
def test_the_systemd_unit_is_well_formed() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", str(DEPLOY / "place-search.service")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    odd = [line for line in done.stderr.splitlines() if "place-search.service" in line]
    assert all("is not executable" in line for line in odd), done.stderr


@pytest.fixture
def proxy(start_server: Callable[..., Any], index_folder: Path, tmp_path: Path) -> Iterator[str]:
    """nginx with the example, on a port and with a certificate of its own."""
    nginx, openssl = shutil.which("nginx"), shutil.which("openssl")
    if nginx is None or openssl is None:
        pytest.skip("nginx or openssl is not there")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"),
            *("-subj", "/CN=places.example", "-addext", "subjectAltName=DNS:localhost"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    options = ("--allowed-hosts", "places.example", "--max-body-mb", "2")
    server = start_server(index_folder, *options)
    port = _free_port()
    example = (DEPLOY / "nginx.conf").read_text("utf-8")
    for old, new in (
        ("127.0.0.1:8000", server.address.removeprefix("http://").rstrip("/")),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("/etc/ssl/places.example.pem", str(tmp_path / "cert.pem")),
        ("/etc/ssl/places.example.key", str(tmp_path / "key.pem")),
    ):
        assert old in example
        example = example.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in kinds)
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; worker_processes 1;\n"
        f"user root; events {{}} http {{ access_log off; {temporary} {example} }}"
    )
    process = subprocess.Popen(
        [nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield f"https://localhost:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=10)
        server.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_search_through_nginx(proxy: str, tmp_path: Path, street: Any) -> None:
    trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    named = {"host": "places.example"}
    with httpx.Client(base_url=proxy, verify=trust, timeout=30, headers=named) as client:
        deadline = time.monotonic() + 10
        while True:
            try:
                assert client.get("/livez").status_code == 200
                break
            except httpx.ConnectError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        found = client.post("/v1/search", files={"photo": ("a", street.query(3))})
        assert found.json()["results"][0]["name"] == "03.jpg"
        assert "max-age" in found.headers["strict-transport-security"]
        assert client.get("/metrics").status_code == 404
        assert client.get("/livez", headers={"host": "other.example"}).status_code == 421
        large = client.post("/v1/search", files={"photo": ("a", bytes(3 << 20))})
        assert large.status_code == 413
        assert large.json()["type"] == "/problems/body-too-large"
