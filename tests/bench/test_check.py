"""The ratios of a run beside the accepted ones, and the table and plots that a run becomes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from bench import check, report
from bench.baselines import all_residuals, loop_over_clusters
from bench.ceilings import Ceilings
from bench.operations import operations
from bench.table import Row, as_json
from place_search.models import DEFAULT_MODEL, UNWHITENED_MODEL, find_model, open_model, read_card
from place_search.models.network import load_network

ACCEPTED = {"int8 / eager": 10.0, "share": 90.0}


@pytest.mark.parametrize(
    ("now", "measures"),
    [
        ({"int8 / eager": 10.0, "share": 90.0}, []),
        ({"int8 / eager": 8.5, "share": 400.0}, []),  # 15 % below is not over 15 % below
        ({"int8 / eager": 8.49, "share": 90.0}, ["int8 / eager"]),
        ({"int8 / eager": 1.0, "share": 1.0, "new": 1.0}, ["int8 / eager", "share"]),
        ({"int8 / eager": 10.0}, ["share"]),
    ],
)
def test_what_fell_by_over_15_per_cent(now: dict[str, float], measures: list[str]) -> None:
    assert [told.partition(":")[0] for told in check.fallen(now, ACCEPTED)] == measures


def run_file(folder: Path, speed: float) -> Path:
    rows = [
        Row("int8 / eager", "×", [speed - 1, speed, speed + 5], "≥ 9", is_compared=True),
        Row("eager torch", "ms/photo", [80.0, 90.0]),
        Row("search, unverified: HTTP p50", "ms", [20.0], "≤ 25"),
    ]
    path = folder / f"run{speed:g}.json"
    path.write_text(as_json(rows), "utf-8")
    return path


@pytest.fixture(params=["AVX512-VNNI"])
def instructions(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The processor's instructions for int8, None without."""
    monkeypatch.setattr("bench.table.int8_instructions", lambda: request.param)


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr("sys.argv", ["check", *map(str, arguments)])
    check.main()


@pytest.mark.usefixtures("instructions")
def test_a_run_is_accepted_and_a_slower_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "ACCEPTED", tmp_path / "accepted.json")
    main(monkeypatch, run_file(tmp_path, 10), "--accept")
    assert json.loads((tmp_path / "accepted.json").read_text()) == {"int8 / eager": 10.0}
    main(monkeypatch, run_file(tmp_path, 9))
    capsys.readouterr()
    with pytest.raises(SystemExit, match="1"):
        main(monkeypatch, run_file(tmp_path, 8))
    assert "8.00 is 20 % below the accepted 10.00" in capsys.readouterr().out


@pytest.mark.parametrize("instructions", [None], indirect=True)
@pytest.mark.usefixtures("instructions")
def test_int8_is_left_out_without_instructions_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "ACCEPTED", tmp_path / "accepted.json")
    (tmp_path / "accepted.json").write_text(json.dumps(ACCEPTED))
    rows = [
        Row("int8 / eager", "×", [2.0], is_compared=True),
        Row("share", "%", [88.0], is_compared=True),
    ]
    (tmp_path / "run.json").write_text(as_json(rows), "utf-8")
    main(monkeypatch, tmp_path / "run.json")
    assert "no instructions" in capsys.readouterr().out
    main(monkeypatch, tmp_path / "run.json", "--accept")
    accepted = json.loads((tmp_path / "accepted.json").read_text())
    assert accepted == {"int8 / eager": 10.0, "share": 88.0}


def test_a_run_that_records_no_instructions_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "ACCEPTED", tmp_path / "accepted.json")
    (tmp_path / "accepted.json").write_text(json.dumps({"int8 / eager": 10.0}))
    run = json.loads(run_file(tmp_path, 2).read_text("utf-8"))
    del run["machine"]["int8_instructions"]
    (tmp_path / "old.json").write_text(json.dumps(run), "utf-8")
    with pytest.raises(SystemExit, match="1"):
        main(monkeypatch, tmp_path / "old.json")


def test_without_a_run_it_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "OUT", tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(monkeypatch)
    assert "make bench" in capsys.readouterr().err


def test_without_an_accepted_run_nothing_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "ACCEPTED", tmp_path / "accepted.json")
    with pytest.raises(SystemExit, match="2"):
        main(monkeypatch, run_file(tmp_path, 10))
    assert "--accept" in capsys.readouterr().err


def test_the_page_keeps_its_text_and_gets_the_table_and_plots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "DOCS", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "performance.md")
    text = f"# Speed\n{report.BEGIN}\nold\n{report.END}\nAfter.\n"
    (tmp_path / "performance.md").write_text(text)
    report.write_report(json.loads(run_file(tmp_path, 10).read_text()))
    page = (tmp_path / "performance.md").read_text()
    assert page.startswith("# Speed\n")
    assert page.endswith("After.\n")
    assert "old" not in page
    assert "| int8 / eager | 10 | 9 – 15 | × | ≥ 9 |" in page
    for name in ("bench-models.png", "bench-stages.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("model", [UNWHITENED_MODEL, DEFAULT_MODEL])
def test_baselines_give_the_descriptors_of_the_network(model: str) -> None:
    folder = find_model(model)
    network = load_network(folder, read_card(folder))
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    ours = open_model(folder, runtime="torch").runtime.embed(pixels).descriptor
    for baseline in (loop_over_clusters(network), all_residuals(network)):
        found = functional.normalize(baseline(pixels)[0], dim=0)
        assert float(found @ torch.from_numpy(ours)) > 0.99999


def test_operations_of_a_model_of_convolutions() -> None:
    graph = find_model(UNWHITENED_MODEL) / "f32.onnx"
    small, large = (operations(graph, (side, side, 3)) for side in (128, 256))
    assert 3.9 < large / small < 4.1
    assert 2.5 < operations(graph, (480, 640, 3)) < 3.5


def test_ceilings_are_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.ceilings.SIDE", 256)
    ceilings = Ceilings()
    assert ceilings.f32() > 0
    assert ceilings.int8() > 0
