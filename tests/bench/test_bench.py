import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import fuzz, run, split_scale
from bench.peers import DIMS, peers
from bench.photos import SIZE, make_folder
from bench.report import PROGRAMS, programs_table
from bench.table import Row, print_rows, write_rows
from place_search.indexer import open_source


def test_the_folder_to_index_has_as_many_different_photos_as_asked(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    Image.effect_mandelbrot((900, 700), (-2, -1.5, 1, 1.5), 60).save(tmp_path / "few" / "1.png")
    Image.radial_gradient("L").resize((300, 800)).save(tmp_path / "few" / "2.png")
    photos = open_source(make_folder(tmp_path / "few", 7, tmp_path / "many")).photos
    assert len({photo.path.read_bytes() for photo in photos}) == 7
    for photo in photos:
        with Image.open(photo.path) as image:
            assert image.size == SIZE


def test_rows_are_printed_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row("speed", "photos/s", [3.0, 1.0, 8.0], "≥ 2"), Row("memory", "MB", [5.0])]
    print_rows(rows)
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].split() == ["speed", "photos/s", "1.00", "3.00", "8.00", "3", "≥", "2"]
    kept = json.loads(write_rows(rows, tmp_path / "out").read_text())
    assert kept["rows"][0]["median"] == 3.0
    assert kept["rows"][0]["rounds"] == [3.0, 1.0, 8.0]
    assert kept["machine"]["cores"] >= 1


def test_the_first_table_sets_others_beside_it() -> None:
    rows = [
        {"measure": measure, "median": median}
        for (_, measure, _, _), median in zip(
            PROGRAMS, (7.0, 210.0, 70.0, 630.0, 700.0), strict=True
        )
    ]
    lines = programs_table(rows)
    assert lines[2] == "| place-search | 7 ms | 1 × | 1,024 numbers of 8 bits | 1.0 kB |"
    assert lines[3] == "| EigenPlaces | 210 ms | 30 × | 2,048 numbers | 8.2 kB |"
    assert programs_table([]) == []
    kept = json.loads((Path(__file__).parents[2] / "docs" / "bench.json").read_text("utf-8"))
    assert {measure for _, measure, _, _ in PROGRAMS} <= {row["measure"] for row in kept["rows"]}


@pytest.mark.slow
def test_networks_of_others_give_what_they_give_elsewhere() -> None:
    photo = np.zeros((480, 640, 3), np.uint8)
    assert [tuple(run(photo).shape) for run in peers().values()] == [(1, DIMS), (1, 1000)]


def test_an_unknown_bench_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run", "--only", "model,coffee"])
    with pytest.raises(SystemExit, match="2"):
        run.main()


def test_a_thinned_split_is_indexed_and_evaluated(
    tmp_path: Path, write_mat: Callable[..., Path]
) -> None:
    spots = {f"000/{row}_yaw1.jpg": (585000.0 + 9 * row, 4477000.0) for row in range(40)}
    whole = write_mat(tmp_path / "pitts_whole.mat", spots, dict(list(spots.items())[:10]))
    split = split_scale.thin_out(whole, 4, tmp_path / "pitts_part.mat")
    root, out = tmp_path / "photos", tmp_path / "index"
    assert split_scale.make_photos(split, root) == 10 + 3
    told = {step: split_scale.run_step(step, split, root, out, 64) for step in split_scale.STEPS}
    assert told["plan"]["missing"] == 0
    assert told["index"]["places"] == 10
    assert set(told["eval"]["recall"]) == {"1", "5", "10"}
    assert all(step["peak_mb"] > 0 for step in told.values())


def test_the_target_for_atheris_finds_its_way(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    done = subprocess.run(
        [sys.executable, "-m", "bench.fuzz_atheris", "-runs=500", str(tmp_path / "corpus")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "no interesting inputs" not in done.stderr
    assert len(list((tmp_path / "corpus").iterdir())) > 19, "it has learnt from what it reached"


def test_damaged_photos_for_a_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["fuzz", "--seconds", "1", "--seed", "1"])
    with pytest.raises(SystemExit, match="0"):
        fuzz.main()
    assert " 0 faults" in capsys.readouterr().out
