"""The deployment examples, as far as they can be tried here."""

import json
import re
import shutil
import ssl
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from place_search.search.server.state import CHANGE_SECONDS
from place_search.settings import all_settings
from tests.nginx import running_nginx
from tests.waiting import SECONDS

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_container_runs_the_default_install_as_nobody() -> None:
    lines = (DEPLOY / "Containerfile").read_text("utf-8").splitlines()
    assert "USER 10001" in lines
    assert any(line.endswith("pip install --no-cache-dir .") for line in lines)
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))
    assert not [name for name in project["project"]["dependencies"] if name.startswith("torch")]


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's instructions, each with what follows it."""
    text = (DEPLOY / "Containerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_container_starts_and_asks_for_its_health_as_the_program_can() -> None:
    found = instructions()
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "VOLUME", "EXPOSE", "HEALTHCHECK"}
    assert {name for name, _ in found} <= known | {"ARG", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
    said = {name: rest for name, rest in found if name != "FROM"}
    assert json.loads(said["ENTRYPOINT"]) == ["place-search"]
    assert json.loads(said["CMD"]) == ["serve", "/index"]
    assert said["VOLUME"] == "/index"
    _, _, check = said["HEALTHCHECK"].partition("CMD ")
    program, option, code = json.loads(check)
    assert (program, option) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    assert f"127.0.0.1:{said['EXPOSE']}/readyz" in code
    # Nothing is installed or changed once the user is nobody.
    names = [name for name, _ in found]
    assert "RUN" not in names[names.index("USER") :]


def test_the_user_of_the_container_has_no_home_and_no_shell() -> None:
    (useradd,) = [rest for name, rest in instructions() if name == "RUN" and "useradd" in rest]
    words = useradd.split()
    assert "--no-create-home" in words
    assert words[words.index("--home-dir") + 1] == "/nonexistent"
    assert words[words.index("--shell") + 1] == "/usr/sbin/nologin"
    assert ("USER", words[words.index("--uid") + 1]) in instructions()


def left_out(path: str) -> bool:
    """Whether the builder leaves a path out: the last pattern of .dockerignore that fits decides.

    `*` fits within one folder, `**/` any folders; what is below a folder that fits, fits too.
    """
    decided = False
    for line in (DEPLOY.parent / ".dockerignore").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = re.escape(line.removeprefix("!").rstrip("/"))
        pattern = pattern.replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if re.fullmatch(f"{pattern}(/.*)?", path):
            decided = not line.startswith("!")
    return decided


def test_the_image_is_built_from_the_package_alone() -> None:
    for path in (
        *(".git/config", ".venv/bin/python", ".env", "tests/search/test_deploy.py"),
        *("indexes/places/manifest.json", "data/demo/1.jpg", "bench/out/a.json"),
        *("deploy/prometheus.key", "key.pem", "weights/other/f32.onnx"),
        *("search/__pycache__/engine.pyc", "docs/server.md"),
    ):
        assert left_out(path), path
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))
    files = ["pyproject.toml", "setup.py", project["project"]["readme"]]
    files += project["project"]["license-files"]
    for package, patterns in project["tool"]["setuptools"]["package-data"].items():
        folder = Path(package.removeprefix("place_search.").replace(".", "/"))
        found = [path for pattern in patterns for path in (DEPLOY.parent / folder).glob(pattern)]
        files += [str(path.relative_to(DEPLOY.parent)) for path in found]
        files.append(str(folder / "__init__.py"))
    for path in files:
        assert (DEPLOY.parent / path).is_file(), path
        assert not left_out(path), path


def test_what_is_set_is_a_setting() -> None:
    known = {setting.env for setting in all_settings()}
    for file in DEPLOY.iterdir():
        used = set(re.findall(r"\bPLACE_SEARCH_[A-Z_]+", file.read_text("utf-8")))
        assert used <= known, file.name
    flags = set(re.findall(r"(?<=\s)--[a-z-]+", (DEPLOY / "nginx.conf").read_text("utf-8")))
    assert flags <= {setting.flag for setting in all_settings()}


def test_nginx_waits_as_long_as_a_change_may_take() -> None:
    seconds = re.findall(r"proxy_read_timeout (\d+)s;", (DEPLOY / "nginx.conf").read_text("utf-8"))
    assert [int(one) > CHANGE_SECONDS for one in seconds] == [True]


def test_the_compose_file_names_what_is_there() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    server = compose["services"]["place-search"]
    built = DEPLOY / server["build"]["context"]
    assert (built / server["build"]["dockerfile"]).is_file()
    assert (built / "pyproject.toml").is_file()
    assert server["read_only"] is True
    assert server["cap_drop"] == ["ALL"]
    assert server["security_opt"] == ["no-new-privileges:true"]
    assert server["tmpfs"] == ["/tmp"]
    assert all(volume.endswith(":ro") for volume in server["volumes"])
    index, photos = (volume.removesuffix(":ro") for volume in server["volumes"])
    assert index.endswith(f":{dict(instructions())['VOLUME']}")
    # An index knows its photos by their absolute path.
    assert re.fullmatch(r"\$\{PHOTOS:\?[^}]+\}:\$\{PHOTOS\}", photos)
    for service in compose["services"].values():
        # Only this machine reaches them; the network does by a proxy.
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).is_file()
            elif not source.startswith("$"):
                assert source in compose["volumes"]
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
    scrape = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    (job,) = scrape["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    assert target == f"place-search:{dict(instructions())['EXPOSE']}"
    secret = Path(job["authorization"]["credentials_file"])
    assert secret.parent == Path("/run/secrets")
    assert secret.name in compose["services"]["prometheus"]["secrets"]


NEEDS_SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there"
)


@NEEDS_SYSTEMD
def test_the_systemd_unit_gives_up_what_it_does_not_need() -> None:
    unit = str(DEPLOY / "place-search.service")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
    )
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure, done.stderr
    assert float(exposure[1]) < 3, "systemd's own measure, from 0 to 10"


@NEEDS_SYSTEMD
def test_the_systemd_unit_is_well_formed() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", str(DEPLOY / "place-search.service")],
        capture_output=True,
        text=True,
    )
    odd = [line for line in done.stderr.splitlines() if "place-search.service" in line]
    assert odd, done.stderr  # the program is not in /opt here
    assert all("is not executable" in line for line in odd), done.stderr


@pytest.fixture
def proxy(start_server: Callable[..., Any], index_folder: Path, tmp_path: Path) -> Iterator[str]:
    """nginx with the example, on a port and with a certificate of its own."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not there")
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
    example = (DEPLOY / "nginx.conf").read_text("utf-8")
    for old, new in (
        ("127.0.0.1:8000", server.address.removeprefix("http://").rstrip("/")),
        ("listen 443", "listen 127.0.0.1:PORT"),
        ("/etc/ssl/places.example.pem", str(tmp_path / "cert.pem")),
        ("/etc/ssl/places.example.key", str(tmp_path / "key.pem")),
    ):
        assert old in example
        example = example.replace(old, new)
    with running_nginx(tmp_path, example) as port:
        yield f"https://localhost:{port}"
    server.stop()


def test_a_search_through_nginx(proxy: str, tmp_path: Path, street: Any) -> None:
    trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    named = {"host": "places.example"}
    with httpx.Client(base_url=proxy, verify=trust, timeout=SECONDS, headers=named) as client:
        assert client.get("/livez").status_code == 200
        found = client.post("/v1/search", files={"photo": ("a", street.query(3))})
        assert found.json()["results"][0]["name"] == "03.jpg"
        assert "max-age" in found.headers["strict-transport-security"]
        for address in ("/metrics", "/indexes/index/metrics", "/places/metrics", "/metr%69cs"):
            refused = client.get(address)
            assert (refused.status_code, "nginx" in refused.text) == (404, True), address
        assert client.get("/livez", headers={"host": "other.example"}).status_code == 421
        large = client.post("/v1/search", files={"photo": ("a", bytes(3 << 20))})
        assert large.status_code == 413
        assert large.json()["type"] == "/problems/body-too-large"
