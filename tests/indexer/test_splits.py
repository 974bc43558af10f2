"""What split files say: names, positions, radius, timestamps; and how they may be wrong."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from place_search.indexer import SourceError, build_index, open_index, open_source, read_split
from place_search.indexer.sources.split import require_inside
from place_search.models import Model

WriteMat = Callable[..., Path]
Render = Callable[..., Path]

PLACES = {
    "000/000829_pitch1_yaw1.jpg": (584825.96, 4476938.85),
    "010/010542_pitch2_yaw12.jpg": (585877.86, 4476420.17),
}
QUERIES = {"000/000546_pitch1_yaw1.jpg": (584744.97, 4476990.02)}


def test_a_mat_file_is_read_by_field_names(tmp_path: Path, write_mat: WriteMat) -> None:
    split = read_split(write_mat(tmp_path / "pitts30k_test.mat", PLACES, QUERIES))
    assert split.database == tuple(PLACES)
    assert split.queries == tuple(QUERIES)
    np.testing.assert_array_equal(split.database_utm, list(PLACES.values()))
    np.testing.assert_array_equal(split.queries_utm, list(QUERIES.values()))
    # A uint8 in the file: 25 squared would be 113.
    assert split.radius_m**2 == 625
    assert split.zone == "17T"
    assert split.database_times is None
    assert split.query_times is None


def test_time_stamps_stand_between_other_fields(tmp_path: Path, write_mat: WriteMat) -> None:
    times = ([201209, 201307], [201307])
    split = read_split(write_mat(tmp_path / "tokyoTM_val.mat", PLACES, QUERIES, times=times))
    assert split.database == tuple(PLACES)
    np.testing.assert_array_equal(split.queries_utm, list(QUERIES.values()))
    assert split.database_times is not None
    assert split.query_times is not None
    assert split.database_times.tolist() == [201209, 201307]
    assert split.query_times.tolist() == [201307]
    assert split.zone == "54S"
    texts = (["2013-07-15", "2013-07-16"], ["2013-07-16"])
    split = read_split(write_mat(tmp_path / "texts.mat", PLACES, QUERIES, times=texts))
    assert split.database_times is not None
    assert split.query_times is not None
    assert (split.database_times == split.query_times).tolist() == [False, True]


def _write_npz(path: Path, **more: object) -> Path:
    arrays = {
        "utmDb": np.array(list(PLACES.values())),
        "utmQ": np.array(list(QUERIES.values())),
        "posDistThr": np.array(25),
        **more,
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("folder", [".", "../dataset_imagenames"])
def test_an_npz_file_has_its_names_in_lists(tmp_path: Path, folder: str) -> None:
    (tmp_path / "gt").mkdir()
    lists = tmp_path / "gt" / folder
    lists.mkdir(exist_ok=True)
    # With and without the set's name, and with the ./ that published lists have.
    (lists / "pitts30k_imageNames_index.txt").write_text("./" + "\n./".join(PLACES) + "\n")
    (lists / "pitts30k_test_imageNames_query.txt").write_text("queries_real/a.jpg\n")
    split = read_split(_write_npz(tmp_path / "gt" / "pitts30k_test.npz"))
    assert split.database == tuple(PLACES)
    assert split.queries == ("queries_real/a.jpg",)
    assert split.database_utm.shape == (2, 2)
    assert split.radius_m == 25.0
    assert split.queries_below_root


def test_an_npz_file_may_hold_its_names(tmp_path: Path) -> None:
    path = _write_npz(tmp_path / "own.npz", dbImageFns=list(PLACES), qImageFns=list(QUERIES))
    assert read_split(path).queries == tuple(QUERIES)


@pytest.mark.parametrize("sick", ["database", "queries"])
def test_a_photo_without_a_position_is_refused(
    tmp_path: Path, write_mat: WriteMat, sick: str
) -> None:
    lost = {"lost.jpg": (1.0, np.nan)}
    database, queries = (
        {**photos, **(lost if role == sick else {})}
        for role, photos in (("database", PLACES), ("queries", QUERIES))
    )
    file = write_mat(tmp_path / "s.mat", database, queries)
    with pytest.raises(SourceError, match=r"no position for 1 of \d .*, the first is 'lost.jpg'"):
        read_split(file)


def test_numbers_that_contradict_the_lists_are_said(tmp_path: Path, write_mat: WriteMat) -> None:
    file = write_mat(tmp_path / "s.mat", PLACES, QUERIES)
    assert read_split(file).warnings == ()
    [struct] = loadmat(file)["dbStruct"].ravel()
    fields = {name: struct[name] for name in struct.dtype.names}
    savemat(file, {"dbStruct": {**fields, "numQueries": 9.0, "posDistSqThr": 26.0}})
    assert read_split(file).warnings == (
        f"s.mat says numQueries 9, but its lists and its radius make that {len(QUERIES)}; is it "
        "whole?",
        "s.mat says posDistSqThr 26, but its lists and its radius make that 625; is it whole?",
    )


@pytest.mark.parametrize("name", ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg"])
def test_a_name_that_leads_out_of_the_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="which is not under"):
        require_inside(tmp_path / "s.mat", tmp_path / "root", ["a.jpg", name])
    # Of queries the folder may lie outside, and names may lead from it back under the root.
    root = tmp_path / "root"
    require_inside(tmp_path / "s.mat", root, ["q.jpg", "../root/a.jpg"], "../queries")
    require_inside(tmp_path / "s.mat", root, ["../places/a.jpg"], "queries/")
    with pytest.raises(SourceError, match="which is not under"):
        require_inside(tmp_path / "s.mat", root, [name, "../../a.jpg"], "../queries")


def test_what_is_wrong_with_a_split_is_said(tmp_path: Path, write_mat: WriteMat) -> None:
    good = write_mat(tmp_path / "good.mat", PLACES, QUERIES).read_bytes()
    (tmp_path / "torn.mat").write_bytes(good[: len(good) // 2])
    (tmp_path / "text.mat").write_text("dbStruct")
    savemat(tmp_path / "other.mat", {"x": 1})
    savemat(tmp_path / "part.mat", {"dbStruct": {"whichSet": "test"}})
    savemat(tmp_path / "matrix.mat", {"dbStruct": np.eye(3)})
    with h5py.File(tmp_path / "new.mat", "w", userblock_size=512) as file:
        file["dbStruct"] = 1
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    new = (tmp_path / "new.mat").read_bytes()
    (tmp_path / "new.mat").write_bytes(header + new[128:])
    write_mat(tmp_path / "zero.mat", PLACES, QUERIES, radius=0)
    _write_npz(tmp_path / "nameless.npz")
    _write_npz(tmp_path / "short.npz", dbImageFns=["a.jpg"], qImageFns=["q.jpg"])
    pickled = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "pickle.npz", utmQ=pickled)
    (tmp_path / "byte.npz").write_bytes(b"x")
    np.savez(tmp_path / "bare.npz", utmQ=np.zeros((1, 2)))
    for name, says in {
        "gone.mat": "does not exist",
        "torn.mat": "not a MATLAB file that can be read",
        "text.mat": "not a MATLAB file that can be read",
        "other.mat": "holds no struct dbStruct",
        "matrix.mat": "holds no struct dbStruct",
        "new.mat": "is a MATLAB 7.3 file; save it in MATLAB with the option '-v7'",
        "part.mat": "without the field dbImageFns",
        "zero.mat": "the radius 0.0",
        "gone.npz": "does not exist",
        "nameless.npz": "put their list beside it as nameless_imageNames_index.txt",
        "short.npz": r"1 database photos but positions of shape \(2, 2\)",
        "pickle.npz": "not an .npz file of plain arrays",
        "byte.npz": r"not an \.npz file of plain arrays, or is damaged; copy it again\.$",
        "bare.npz": "lacks the array utmDb",
        "split.txt": "is no split",
    }.items():
        with pytest.raises(SourceError, match=says) as caught:
            read_split(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_the_database_of_a_split_is_indexed(
    tmp_path: Path, write_mat: WriteMat, render: Render, model: Model
) -> None:
    root = tmp_path / "photos"
    listed, other = PLACES
    # The list says .jpg of both.
    file_name = Path(other).with_suffix(".png").as_posix()
    render(root / listed, 1)
    render(root / file_name, 2)
    render(root / "queries_real" / next(iter(QUERIES)), 3)
    file = write_mat(tmp_path / "pitts30k_test.mat", PLACES, QUERIES)

    build_index(open_source(file, root), tmp_path / "index", model)

    first, second = open_index(tmp_path / "index").places()
    assert (first.name, second.name) == (listed, other)
    assert second.path == root / file_name
    assert first.utm is not None
    assert first.utm == (*PLACES[listed], "17T")
    assert first.position is not None
    assert first.position == pytest.approx((40.4385, -80.0001), abs=2e-3)
    with pytest.raises(SourceError, match=r"2 of the 2 database photos .* name the folder"):
        open_source(file)


def test_at_names_give_positions(tmp_path: Path) -> None:
    for name in (
        "@0584825.96@4476938.85@17@T@040.43907@-079.99957@pano@@90@@@@20110303@@.jpg",
        "@584825.96@4476938.85@.png",
        "@home.jpg",
        "@1@inf@.jpg",
        "plain.jpg",
    ):
        (tmp_path / name).touch()
    photos = {photo.name[:9]: photo for photo in open_source(tmp_path).photos}
    whole = photos["@0584825."]
    assert whole.utm == (584825.96, 4476938.85, "17T")
    assert whole.position == (40.43907, -79.99957)
    sparse = photos["@584825.9"]
    assert sparse.utm == (584825.96, 4476938.85, "")
    assert sparse.position is None
    for name in ("@home.jpg", "@1@inf@.j", "plain.jpg"):
        assert photos[name].utm is None


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("list.txt", "{}\nb.jpg\n"),
        ("paths.csv", "path\n{}\nb.jpg\n"),
        ("blank.csv", "path,easting,northing\n{},,\nb.jpg,7,8\n"),
    ],
)
def test_a_list_reads_the_positions_of_names(tmp_path: Path, file: str, text: str) -> None:
    name = "@0500000@5400000@32@U@48.7522@9.0@.jpg"
    for photo in (name, "b.jpg"):
        (tmp_path / photo).touch()
    (tmp_path / file).write_text(text.format(name), "utf-8")
    placed, other = open_source(tmp_path / file).photos
    assert (placed.position, placed.utm) == ((48.7522, 9.0), (500000.0, 5400000.0, "32U"))
    assert other.utm == ((7, 8, "") if "7,8" in text else None)


def test_a_list_of_paths_beside_a_folder_stands_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "database"
    folder.mkdir()
    (tmp_path / "database_images_paths.txt").write_text("b/@1@2@.jpg\na.jpeg\nnotes.txt\n\n")
    photos = open_source(folder).photos
    assert [photo.name for photo in photos] == ["b/@1@2@.jpg", "a.jpeg"]
    assert photos[0].utm == (1.0, 2.0, "")
    (tmp_path / "database_images_paths.txt").write_text("\n")
    with pytest.raises(SourceError, match="empty list of photos"):
        open_source(folder)
