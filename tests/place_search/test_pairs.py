"""`place-search pairs`: files that hloc, COLMAP and kapture read."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from place_search.indexer import open_index
from place_search.models import open_model
from place_search.search.engine import Engine
from place_search.search.errors import ParameterError
from place_search.search.folders.query_photos import open_queries
from place_search.search.pairs import PairError, Pairs, find_pairs, is_pairs

Run = Callable[..., Result]
CheckFailure = Callable[[Result], str]


def test_each_query_has_its_places_by_names_under_the_folder_of_both(
    run: Run, photos: Path, index: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pairs.txt"
    result = run("pairs", index, photos / "queries", "--k", "2", "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"4 pairs of 2 photos in {out}\n"
    assert f"Names are relative to {photos.resolve()}.\n" in result.stderr
    # As hloc reads a pairs file: names parted by a space.
    pairs = [tuple(line.split()) for line in out.read_text().splitlines()]
    assert [query for query, _ in pairs] == ["queries/1.jpg"] * 2 + ["queries/2.jpg"] * 2
    assert (pairs[0][1], pairs[2][1]) == ("places/1.jpg", "places/2.jpg")
    assert {place for _, place in pairs} <= {f"places/{place}.jpg" for place in range(3)}
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.txt"]


def test_names_are_relative_to_where_the_photos_of_a_list_lie(
    run: Run, photos: Path, index: Path, tmp_path: Path
) -> None:
    listed = sorted((photos / "queries").iterdir())
    (tmp_path / "list.csv").write_text("\n".join(["path", *map(str, listed)]), "utf-8")
    told = {}
    for queries in (photos / "queries", tmp_path / "list.csv"):
        out = tmp_path / "pairs.txt"
        result = run("pairs", index, queries, "--k", "2", "--out", out)
        assert f"Names are relative to {photos.resolve()}.\n" in result.stderr
        told[queries] = out.read_text()
    assert len(set(told.values())) == 1


@pytest.mark.slow
def test_a_photo_of_the_index_is_not_paired_with_itself(
    run: Run, photos: Path, index: Path, tmp_path: Path
) -> None:
    given = ("pairs", index, photos / "places.csv", "--root", photos / "places", "--k", "9")
    assert run(*given, "--out", tmp_path / "hloc.txt").exit_code == 0
    hloc = [frozenset(line.split()) for line in (tmp_path / "hloc.txt").read_text().splitlines()]
    every = [{"0.jpg", "1.jpg"}, {"0.jpg", "2.jpg"}, {"1.jpg", "2.jpg"}]
    assert sorted(map(sorted, hloc)) == sorted(map(sorted, every * 2))
    assert run(*given, "--format", "colmap", "--out", tmp_path / "colmap.txt").exit_code == 0
    colmap = [line.split() for line in (tmp_path / "colmap.txt").read_text().splitlines()]
    assert sorted(map(sorted, colmap)) == sorted(map(sorted, every))


def test_a_photo_is_itself_by_whichever_path(
    run: Run, photos: Path, index: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(photos / "places")
    (tmp_path / "list.txt").write_text("link/1.jpg\n")
    given = ("pairs", index, tmp_path / "list.txt", "--root", "/", "--k", "9")
    assert run(*given, "--out", tmp_path / "pairs.txt").exit_code == 0
    pairs = [line.split() for line in (tmp_path / "pairs.txt").read_text().splitlines()]
    assert sorted(Path(place).name for _, place in pairs) == ["0.jpg", "2.jpg"]


def test_a_list_and_a_photo_that_cannot_be_read(
    run: Run, photos: Path, index: Path, tmp_path: Path
) -> None:
    (photos / "asked.txt").write_text("queries/1.jpg\nplaces/half.jpg\n")
    out = tmp_path / "pairs.txt"
    result = run("pairs", index, photos / "asked.txt", "--k", "1", "--out", out)
    assert result.exit_code == 0, result.output
    assert out.read_text() == "queries/1.jpg places/1.jpg\n"
    assert "  places/half.jpg: " in result.stderr
    assert result.stdout.startswith("1 pair of 1 photo in ")


@pytest.mark.slow
def test_the_pairs_of_kapture_have_scores_that_fall_with_the_rank(
    run: Run, photos: Path, index: Path, tmp_path: Path
) -> None:
    given, out = ("pairs", index, photos / "queries", "--k", "2", "--out"), tmp_path / "pairs.txt"
    assert run(*given, tmp_path / "hloc.txt").exit_code == 0
    for _ in range(2):  # a file of pairs may be written again
        result = run(*given, out, "--format", "kapture")
        assert result.stdout == f"4 pairs of 2 photos in {out}\n"
    head, columns, *lines = out.read_text().splitlines()
    assert (head, columns) == ("# kapture format: 1.1", "# query_image, map_image, score")
    # As kapture reads a table: fields parted by commas.
    rows = [[field.strip() for field in line.split(",")] for line in lines]
    assert [row[:2] for row in rows] == [
        line.split() for line in (tmp_path / "hloc.txt").read_text().splitlines()
    ]
    assert [float(score) for *_, score in rows] == [1, 0.5, 1, 0.5]
    assert run(*given, out).exit_code == 0
    assert is_pairs(out)
    out.write_text(Pairs(tmp_path, []).to_text("kapture"))
    assert is_pairs(out)
    out.write_text("# kapture format: 1.1\n# sensor_id, name\n1, a.jpg\n")
    assert not is_pairs(out)


def test_kapture_names_photos_by_their_own_kapture() -> None:
    names = [("query/sensors/records_data/b/1.jpg", "mapping/sensors/records_data/a/2.jpg")]
    assert Pairs(Path("/"), names).to_text("kapture").splitlines()[2:] == ["b/1.jpg, a/2.jpg, 1"]


def test_names_that_the_readers_would_part_or_leave_out() -> None:
    assert "two words.jpg, 1\n" in Pairs(Path("/"), [("a.jpg", "two words.jpg")]).to_text("kapture")
    for name in ("a,b.jpg", "#1.jpg", " a.jpg", "map/sensors/records_data/#1.jpg"):
        with pytest.raises(PairError, match=r"parts names at commas .*rename the photo"):
            Pairs(Path("/"), [("a.jpg", name)]).to_text("kapture")
    for name in ("two words.jpg", "#1.jpg", "tab\t.jpg"):
        with pytest.raises(PairError, match="rename the photo"):
            Pairs(Path("/"), [("a.jpg", name)]).to_text("hloc")


@pytest.mark.parametrize("name", ["two words.jpg", "x\udce9.jpg"])
def test_such_a_name_costs_no_search(photos: Path, index: Path, tmp_path: Path, name: str) -> None:
    for copy in ("1.jpg", name):
        shutil.copy(photos / "queries" / "1.jpg", tmp_path / copy)
    engine = Engine(open_index(index), open_model(precision="auto"))
    searched: list[int] = []
    with pytest.raises(PairError, match="rename the photo"):
        find_pairs(
            engine,
            open_queries(tmp_path),
            1,
            root=Path("/"),
            form="hloc",
            progress=lambda stage, done, total: searched.append(done),
        )
    assert searched == []


def test_what_cannot_be_paired_is_one_sentence(
    run: Run, check_failure: CheckFailure, photos: Path, index: Path, tmp_path: Path
) -> None:
    queries, out = photos / "queries", tmp_path / "p.txt"
    told = check_failure(run("pairs", index, queries, "--root", queries, "--out", out))
    assert f"is not below {queries.resolve()}; name with --root" in told
    assert "is an index and" in check_failure(run("pairs", queries, index, "--out", out))
    told = check_failure(run("pairs", index, queries, "--out", tmp_path / "no" / "p.txt"))
    assert "name a file in a folder that exists" in told
    told = check_failure(run("pairs", index, tmp_path / "no", "--out", out))
    assert "does not exist" in told
    assert run("pairs", index, queries, "--k", "100", "--out", out).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_format_that_there_is_not_is_refused() -> None:
    with pytest.raises(
        ParameterError, match="no format 'x' for pairs; choose one of hloc, colmap, kapture"
    ):
        Pairs(Path()).to_text("x")  # type: ignore[arg-type]
