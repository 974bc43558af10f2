"""Evaluation reports over HTTP."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from place_search.search.engine import Engine
from place_search.search.errors import ServerError
from place_search.search.server.app import create_app
from place_search.search.server.keys import new_key
from place_search.search.server.settings import ServerSettings

ABOUT = {
    "protocol": "raw",
    "model": "lite0-netvlad-1024",
    "truth": "town_test",
    "database": 4,
    "queries": 5,
    "recall": {"1": 40.0, "5": 60.0},
    "chance": {"1": 10.0, "5": 50.0},
    "seconds": {"embed": 1.0},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two reports and what is none."""
    for name in ("one", "two ü"):
        report = tmp_path / "reports" / name
        report.mkdir(parents=True)
        (report / "report.json").write_text(json.dumps(ABOUT))
        (report / "index.html").write_text("<!doctype html><title>A report</title>")
        (report / "queries.csv").write_text("query\n")
        (report / "secret.txt").write_text("secret")
    (tmp_path / "reports" / "half").mkdir()
    (tmp_path / "reports" / "half" / "report.json").write_text("{")
    (tmp_path / "reports" / "note.txt").write_text("secret")
    (tmp_path / "report.json").write_text(json.dumps(ABOUT))
    return tmp_path / "reports"


def ask(engine: Engine, folder: Path | None, *paths: str, **options: Any) -> list[httpx.Response]:
    app = create_app(engine, ServerSettings(reports=folder), **options)

    async def go() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(go())


def test_reports_are_listed(engine: Engine, folder: Path) -> None:
    listed, page = ask(engine, folder, "/v1/reports", "/page.json")
    assert sorted(report["name"] for report in listed.json()) == ["one", "two ü"]
    report = listed.json()[0]
    assert report["recall"] == ABOUT["recall"]
    assert set(report) == {"name", "created", *ABOUT} - {"seconds"}
    assert page.json()["reports"] is True


def test_a_report_of_odd_text_does_not_hide_the_others(engine: Engine, folder: Path) -> None:
    for name, key, value in (
        ("surrogate", "truth", "caf\udce9"),
        ("endless", "recall", {"1": float("nan")}),
        ("key", "recall", {"\ud800": 1.0}),
    ):
        (folder / name).mkdir()
        (folder / name / "report.json").write_text(json.dumps(ABOUT | {key: value}))
    unnamed = Path(os.fsdecode(bytes(folder) + b"/caf\xe9"))
    unnamed.mkdir()
    (unnamed / "report.json").write_text(json.dumps(ABOUT))
    (listed,) = ask(engine, folder, "/v1/reports")
    truths = {report["name"]: report["truth"] for report in listed.json()}
    assert {"one", "two ü"} <= set(truths)
    assert truths["surrogate"] == "caf\\udce9"
    assert "caf\udce9" not in truths


def test_one_report_may_be_the_folder(engine: Engine, folder: Path) -> None:
    listed, page = ask(engine, folder / "one", "/v1/reports", "/reports/one/")
    assert [report["name"] for report in listed.json()] == ["one"]
    assert page.status_code == 200


def test_a_report_s_page_may_do_nothing_but_show(engine: Engine, folder: Path) -> None:
    page, table = ask(engine, folder, "/reports/two%20%C3%BC/", "/reports/one/queries.csv")
    assert "A report" in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "sandbox allow-scripts allow-downloads" in policy
    assert "allow-same-origin" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert table.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize(
    "path",
    [
        *("one/secret.txt", "one%2f..%2fnote.txt", "..%2f", "%2e%2e/x"),
        *("note.txt/", "half/", "none/", "%00/", "one/%00", "a" * 300 + "/", "one/index.html%00"),
        *("one/%2e%2e%2fnote.txt", "..%2freports%2fone/", ".%2fone/x"),
    ],
)
def test_names_lead_nowhere_else(engine: Engine, folder: Path, path: str) -> None:
    (response,) = ask(engine, folder, f"/reports/{path}")
    assert response.status_code == 404
    assert "secret" not in response.text


def test_links_do_not_lead_out_of_the_folder(engine: Engine, folder: Path, tmp_path: Path) -> None:
    inside, secret = folder / "one", tmp_path / "secret"
    secret.mkdir()
    (secret / "report.json").write_bytes((inside / "report.json").read_bytes())
    (secret / "index.html").write_text("secret")
    (inside / "recall.md").unlink(missing_ok=True)
    (inside / "recall.md").symlink_to(secret / "index.html")
    (folder / "linked").symlink_to(secret)
    paths = ("/reports/one/recall.md", "/reports/linked/", "/v1/reports", "/reports/one/")
    *refused, listed, page = ask(engine, folder, *paths)
    assert [response.status_code for response in refused] == [404, 404]
    assert "linked" not in listed.text
    assert page.status_code == 200


def test_reports_hold_photos_and_so_need_a_key(engine: Engine, folder: Path) -> None:
    paths = ("/v1/reports", "/reports/one/", "/reports/one/queries.csv", "/reports")
    *refused, page = ask(engine, folder, *paths, keys=[new_key("me", "read")[1]])
    assert {response.status_code for response in refused} == {401}
    assert page.status_code == 200


def test_without_a_folder_there_are_none(engine: Engine, tmp_path: Path) -> None:
    listed, page, about = ask(engine, None, "/v1/reports", "/reports/one/", "/page.json")
    assert listed.json() == []
    assert page.json()["type"] == "/problems/unknown-report"
    assert about.json()["reports"] is False
    with pytest.raises(ServerError, match="no folder of reports; check --reports"):
        ask(engine, tmp_path / "none", "/")
