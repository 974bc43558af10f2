from pathlib import Path

import pytest

from place_search.evaluation import GroundTruth, TruthError, read_truth_csv


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("q/1.jpg", "q/2.jpg", "db/a.jpg", "db/b.jpg", "db/c, d.jpg", "db/deep/e.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "db" / "notes.txt").touch()
    return folder


def read(root: Path, text: str, database: Path | None = None) -> GroundTruth:
    truth = root.parent / "truth.csv"
    truth.write_text(text, "utf-8")
    return read_truth_csv(truth, root, database)


def rows(truth: GroundTruth) -> list[list[int]]:
    return [positives.tolist() for positives in truth.positives]


def own(truth: GroundTruth) -> list[list[int]]:
    return [mine.tolist() for mine in truth.own_rows]


def test_the_database_is_all_positives_in_order_of_first_appearance(root: Path) -> None:
    truth = read(root, "query,positives\nq/2.jpg,db/b.jpg;db/a.jpg\nq/1.jpg,db/a.jpg\n")
    assert truth.queries == ("q/2.jpg", "q/1.jpg")
    assert truth.database == ("db/b.jpg", "db/a.jpg")
    assert rows(truth) == [[0, 1], [1]]
    assert own(truth) == [[], []]
    assert truth.path("db/b.jpg") == root / "db" / "b.jpg"


def test_what_spreadsheets_write_is_read(root: Path) -> None:
    text = '\ufeffnote,Positives , QUERY\r\nx,"db/c, d.jpg; db/a.jpg;", q/1.jpg \r\n\r\n,,\r\n'
    truth = read(root, text)
    assert truth.queries == ("q/1.jpg",)
    assert truth.database == ("db/c, d.jpg", "db/a.jpg")


def test_rows_of_one_query_are_joined_and_paths_are_normalised(root: Path) -> None:
    absolute = root / "db" / "a.jpg"
    truth = read(root, f"query,positives\nq/1.jpg,db/b.jpg\n./q/../q/1.jpg,{absolute};db//b.jpg\n")
    assert truth.queries == ("q/1.jpg",)
    assert rows(truth) == [[0, 1]]


def test_a_query_may_have_no_positives(root: Path) -> None:
    truth = read(root, "query,positives\nq/1.jpg,\nq/2.jpg,db/a.jpg\n")
    assert rows(truth) == [[], [0]]


def test_positives_in_one_folder_can_be_many(root: Path) -> None:
    """Together they are longer than a file's name can be."""
    names = [f"{number:04d}.jpg" for number in range(60)]
    for name in names:
        (root / name).touch()
    truth = read(root, f"query,positives\nq/1.jpg,{';'.join(names)}\n")
    assert rows(truth) == [list(range(60))]


def test_a_query_in_the_database_knows_its_own_row_and_is_not_its_own_positive(root: Path) -> None:
    truth = read(root, "query,positives\ndb/a.jpg,db/a.jpg;db/b.jpg\ndb/b.jpg,db/a.jpg\n")
    assert truth.database == ("db/a.jpg", "db/b.jpg")
    assert own(truth) == [[0], [1]]
    assert rows(truth) == [[1], [0]]


@pytest.mark.parametrize("relative_to_root", [True, False])
def test_a_database_folder_is_all_its_photos(root: Path, relative_to_root: bool) -> None:
    folder = Path("db") if relative_to_root else root / "db"
    truth = read(root, "query,positives\nq/1.jpg,db/b.jpg\n", folder)
    assert truth.database == ("db/a.jpg", "db/b.jpg", "db/c, d.jpg", "db/deep/e.png")
    assert rows(truth) == [[1]]


def test_the_root_itself_may_be_the_database(root: Path) -> None:
    truth = read(root, "query,positives\nq/1.jpg,db/b.jpg\n", root)
    assert "q/1.jpg" in truth.database
    assert own(truth) == [[truth.database.index("q/1.jpg")]]


def test_a_database_list_may_hold_more_than_positives(root: Path) -> None:
    listed = root.parent / "places.csv"
    listed.write_text("name,path\nx,db/deep/e.png\ny,db/a.jpg\nz,db/a.jpg\n")
    truth = read(root, "query,positives\nq/1.jpg,db/a.jpg\n", listed)
    assert truth.database == ("db/deep/e.png", "db/a.jpg")
    assert rows(truth) == [[1]]


def test_a_root_behind_a_link_is_the_same_root(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    truth = read(link, "query,positives\nq/1.jpg,db/a.jpg\n", root / "db")
    assert truth.database[0] == "db/a.jpg"
    assert rows(truth) == [[0]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "lacks the column query"),
        ("query;places\nq/1.jpg;db/a.jpg\n", "lacks the column positives: .* names query,places"),
        ("query\nq/1.jpg\n", "lacks the column positives"),
        ("query,positives\n", "lists no queries"),
        ("query,positives\nq/1.jpg,\n", "no positive for any query, so there is nothing to search"),
        (
            "query,positives\nq/1.jpg,q/1.jpg\n",
            "no positive for any query but the query itself, which is no answer, so no answer can",
        ),
        (
            "query,positives\nq/1.jpg,db/a.jpg\nq/2.jpg,db/b.jpg\nq/1.jpg,\n",
            "row 4: 'q/1.jpg' has no positives, but it has some in row 2; take out",
        ),
        (
            "query,positives\nq/1.jpg,\nq/1.jpg,db/a.jpg\n",
            "row 2: 'q/1.jpg' has no positives, but it has some in row 3; take out",
        ),
        ("query,positives\nq/1.jpg,db/a.jpg\nq/9.jpg,db/a.jpg\n", "row 3: there is no photo 'q/9"),
        ("query,positives\nq/1.jpg,db/a.jpg;db/z.jpg\n", "row 2: there is no photo 'db/z.jpg'"),
        ("query,positives\nq/1.jpg,db\n", "row 2: there is no photo 'db'"),
        (f"query,positives\n{'x' * 300}.jpg,db/a.jpg\n", "row 2: there is no photo 'xxx"),
        (f"query,positives\nq/1.jpg,db/{'x' * 300}.jpg\n", "row 2: there is no photo 'db/xxx"),
        ("query,positives\nq/1.jpg,../truth.csv\n", "row 2: .*is not under"),
        ("query,positives\n,db/a.jpg\n", "row 2: the photo's path is empty"),
        ("query,positives\nq/1.jpg,db/a.jpg,db/b.jpg\n", "has 3 fields in row 2 under 2 columns"),
        ('query,positives\n"q/1.jpg,db/a.jpg\n', "is not a CSV file"),
    ],
)
def test_what_is_wrong_is_said_with_its_row(root: Path, text: str, says: str) -> None:
    with pytest.raises(TruthError, match=says):
        read(root, text)


def test_an_open_set_may_be_of_places_that_are_all_unknown(root: Path) -> None:
    path = root.parent / "truth.csv"
    path.write_text("query,positives\nq/1.jpg,\nq/2.jpg,q/2.jpg\n")
    with pytest.raises(TruthError, match=r"can be right; .* is measured with --open-set"):
        read_truth_csv(path, root, root / "db")
    truth = read_truth_csv(path, root, root / "db", open_set=True)
    assert rows(truth) == [[], []]
    path.write_text("query,positives\nq/1.jpg,\n")
    with pytest.raises(TruthError, match="nothing to search; name the photos: --database DIR"):
        read_truth_csv(path, root, open_set=True)


def test_a_positive_outside_the_given_database_is_refused(root: Path) -> None:
    with pytest.raises(TruthError, match=r"row 2: the positive 'db/a.jpg' is not in the database"):
        read(root, "query,positives\nq/1.jpg,db/a.jpg\n", root / "db" / "deep")


def test_missing_files_are_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(TruthError, match=r"gone\.csv does not exist"):
        read_truth_csv(tmp_path / "gone.csv", root)
    with pytest.raises(TruthError, match="photos is a folder where a CSV file is needed"):
        read_truth_csv(root, root)
    with pytest.raises(TruthError, match="gone does not exist"):
        read_truth_csv(tmp_path / "gone.csv", tmp_path / "gone")
    text = "query,positives\nq/1.jpg,db/a.jpg\n"
    with pytest.raises(TruthError, match="gone does not exist"):
        read(root, text, tmp_path / "gone")
    with pytest.raises(TruthError, match="is not under"):
        read(root, text, tmp_path)
    (tmp_path / "latin.csv").write_bytes(b"query,positives\nq\xe9.jpg,db/a.jpg\n")
    with pytest.raises(TruthError, match="UTF-8"):
        read_truth_csv(tmp_path / "latin.csv", root)
    (tmp_path / "none.csv").write_text("path\n")
    with pytest.raises(TruthError, match="lists no photos"):
        read(root, text, tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("db/a;b.jpg", "db/a;b.jpg"),
        ("db/a;b.jpg", '"db/a;b.jpg";db/b.jpg'),
        (" x.jpg", '" x.jpg";db/b.jpg'),
        (" x.jpg", " x.jpg"),
        ("x.jpg ", "x.jpg ;db/b.jpg"),
    ],
)
def test_names_with_semicolons_and_spaces(root: Path, name: str, field: str) -> None:
    (root / name).touch()
    quoted = field.replace('"', '""')
    truth = read(root, f'query,positives\nq/1.jpg,"{quoted}"\n')
    assert truth.database[0] == name
    assert ("db/b.jpg" in truth.database) == field.endswith(";db/b.jpg")


def test_names_spelled_otherwise_than_on_the_disk(root: Path) -> None:
    truth = read(root, "query,positives\nQ\\1.JPG,DB/A.png;db\\deep\\e.jpg\n")
    assert truth.queries == ("q/1.jpg",)
    assert truth.database == ("db/a.jpg", "db/deep/e.png")
