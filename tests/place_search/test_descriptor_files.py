"""Descriptors in files of hloc, kapture and NumPy: `describe --format`, `index --descriptors`."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

import place_search
from place_search.core.errors import PlaceSearchError
from place_search.search.reasons import reason_of

Run = Callable[..., Result]
CheckFailure = Callable[[Result], str]
Vectors = Mapping[str, Any]

NAMES = [f"{place}.jpg" for place in range(4)]


@pytest.fixture(scope="module")
def own(photos: Path) -> Any:
    """The default model's descriptors of the four places, (4, D)."""
    return place_search.describe([photos / "places" / name for name in NAMES])


def read_hloc(path: Path) -> dict[str, Any]:
    """What hloc finds in a file: each group with data is a photo, named by its path in the file."""
    paths: list[str] = []
    with h5py.File(path, "r") as file:
        file.visit(paths.append)
        names = {str(Path(each).parent) for each in paths if isinstance(file[each], h5py.Dataset)}
        return {name: file[name]["global_descriptor"][()] for name in names}


def write_hloc(path: Path, vectors: Vectors, kind: Any = np.float16) -> Path:
    """As hloc writes one: half precision, nothing but the descriptors."""
    with h5py.File(path, "w") as file:
        for name, vector in vectors.items():
            file.create_group(name).create_dataset(
                "global_descriptor", data=np.asarray(vector, kind)
            )
    return path


def similarities(index: Path, photo: Path) -> dict[str, float]:
    found = place_search.search(index, photo, verify=False)
    return {result.name: result.similarity for result in found.results}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("f.h5", None),
        ("f.h5", "hloc"),
        ("f.npz", "numpy"),
        ("kapture", "kapture"),
    ],
)
@pytest.mark.slow
def test_what_describe_writes_is_indexed_as_if_described_here(
    run: Run, photos: Path, tmp_path: Path, own: Any, name: str, form: str | None
) -> None:
    file, index, again = tmp_path / name, tmp_path / "index", tmp_path / "again"
    chosen = () if form is None else ("--format", form)
    result = run("describe", photos / "places", "--out", file, *chosen)
    assert result.exit_code == 0, result.output
    assert "  half.jpg: " in result.stderr  # left out
    assert "4 descriptors of 1024 numbers" in result.stderr
    sources = tmp_path / "photos"
    sources.mkdir()
    for each in NAMES:
        (sources / each).hardlink_to(photos / "places" / each)
    # kapture's files name the type, but no fingerprint.
    made_by = ("--model", "lite0-netvlad-1024") if form == "kapture" else ()
    result = run("index", sources, "--out", index, "--descriptors", file, *made_by)
    assert result.exit_code == 0, result.output
    exact = ("--no-local-features", "--descriptor-type", "float32")
    assert run("index", sources, "--out", again, *exact).exit_code == 0
    query = photos / "queries" / "1.jpg"
    assert similarities(index, query) == pytest.approx(similarities(again, query), abs=1e-5)
    opened = place_search.open_index(index)
    assert opened.model_id == "lite0-netvlad-1024"
    assert not opened.has_local_features
    np.testing.assert_allclose(opened.descriptors().take(np.arange(4)), own, atol=1e-6)


def test_hloc_reads_what_is_described_for_it(
    run: Run, photos: Path, tmp_path: Path, own: Any
) -> None:
    file = tmp_path / "f.h5"
    assert run("describe", photos, "--out", file, "--format", "hloc").exit_code == 0
    read = read_hloc(file)
    assert sorted(read) == [*(f"places/{name}" for name in NAMES), "queries/1.jpg", "queries/2.jpg"]
    np.testing.assert_allclose(np.stack([read[f"places/{n}"] for n in NAMES]), own, atol=1e-6)


def test_kapture_has_one_file_a_photo_beside_its_list(
    run: Run, photos: Path, tmp_path: Path, own: Any
) -> None:
    """What is expected was read by kapture 1.1.12 itself."""
    folder = tmp_path / "kapture"
    given = ("describe", photos / "places", "--out", folder, "--format", "kapture")
    assert run(*given).exit_code == 0
    assert (folder / "sensors" / "sensors.txt").read_text() == (
        "# kapture format: 1.1\n# sensor_id, name, sensor_type, [sensor_params]+\n"
        "camera0, , camera, UNKNOWN_CAMERA, 480, 360\n"
    )
    records = (folder / "sensors" / "records_camera.txt").read_text().splitlines()
    assert records[2:] == [f"{row}, camera0, {name}" for row, name in enumerate(NAMES)]
    features = folder / "reconstruction" / "global_features" / "lite0-netvlad-1024"
    assert (features / "global_features.txt").read_text() == (
        "# kapture format: 1.1\n# name, dtype, dsize, metric_type\n"
        "lite0-netvlad-1024, float32, 1024, L2\n"
    )
    read = np.stack([np.fromfile(features / f"{name}.gfeat", np.float32) for name in NAMES])
    np.testing.assert_allclose(read, own, atol=1e-6)
    assert run(*given).exit_code == 1  # never mixed with what is there


def test_a_folder_of_other_files_is_no_kapture_folder(
    run: Run, check_failure: CheckFailure, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "torn.jpg").write_bytes(b"torn")
    given = ("describe", tmp_path / "torn.jpg", "--out", tmp_path, "--format", "kapture")
    # It is refused before any photo is described.
    assert "holds other files, such as 'notes.txt'" in check_failure(run(*given))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "torn.jpg"]
    (tmp_path / "sensors").mkdir()
    (tmp_path / "sensors" / "sensors.txt").touch()
    assert "torn.jpg" in check_failure(run(*given))
    features = tmp_path / "reconstruction" / "global_features" / "lite0-netvlad-1024"
    features.mkdir(parents=True)
    assert "exists already; delete it" in check_failure(run(*given))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Descriptors that no model here made, by names from the root of all images."""
    rng = np.random.default_rng(1)
    return {f"images/places/{name}": 3 * rng.normal(size=256) for name in (*NAMES, "half.jpg")}


@pytest.fixture(scope="module")
def images(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The places in a folder `images`, as hloc has them, which holds other photos too."""
    folder = tmp_path_factory.mktemp("dataset") / "images" / "places"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_bytes((photos / "places" / name).read_bytes())
    return folder


def test_vectors_made_elsewhere_are_searched_by_vectors(
    run: Run,
    check_failure: CheckFailure,
    images: Path,
    photos: Path,
    foreign: dict[str, Any],
    tmp_path: Path,
) -> None:
    file = write_hloc(tmp_path / "netvlad.h5", foreign)
    index = tmp_path / "index"
    # A model that is set for all commands is not said to have made them.
    set_once = {"PLACE_SEARCH_MODEL": "lite0-netvlad-1024"}
    result = run("index", images, "--out", index, "--descriptors", file, env=set_once)
    assert result.exit_code == 0, result.output
    assert "made by netvlad.h5." in result.stderr
    opened = place_search.open_index(index)
    asked = np.asarray(foreign["images/places/2.jpg"], np.float32)
    hits = opened.search(asked, 2)
    assert opened.place(hits[0].place_id).name == "2.jpg"
    assert hits[0].similarity == pytest.approx(1, abs=1e-3)
    alike = place_search.similar(index, "2.jpg")
    assert list(map(reason_of, alike.notes)) == [("no-model", {})]
    assert [reason["code"] for reason in alike.to_dict()["reasons"]] == ["no-model"]
    others = opened.search(asked, opened.count)[1:]
    assert [result.place_id for result in alike.results] == [hit.place_id for hit in others]
    assert json.loads(run("similar", index, "2.jpg", "--json").stdout) == alike.to_dict()
    told = check_failure(run("search", index, photos / "queries" / "1.jpg"))
    assert "open_index(INDEX).search(descriptor, k)" in told
    told = check_failure(run("search", index, photos / "queries" / "1.jpg", "--model", "x"))
    assert "made elsewhere" in told
    assert "made elsewhere (netvlad.h5)" in run("doctor", index).stdout
    assert run("verify", index).exit_code == 0
    # From Python, into the same index: nothing has changed, so it is the same version.
    again = place_search.index(images, index, descriptors=file)
    assert again.index_id == opened.index_id


def test_rows_without_names_are_in_the_order_of_the_photos(
    run: Run, check_failure: CheckFailure, images: Path, tmp_path: Path
) -> None:
    rows = np.eye(4, 8, dtype=np.float32)
    np.save(tmp_path / "f.npy", rows)
    result = run("index", images, "--out", tmp_path / "ix", "--descriptors", tmp_path / "f.npy")
    assert result.exit_code == 0, result.output
    assert "rows are taken for the photos in their order: the first for '0.jpg'" in result.stderr
    hit = place_search.open_index(tmp_path / "ix").search(rows[3], 1)[0]
    assert place_search.open_index(tmp_path / "ix").place(hit.place_id).name == "3.jpg"
    np.save(tmp_path / "f.npy", rows[:3])
    told = check_failure(
        run("index", images, "--out", tmp_path / "b", "--descriptors", tmp_path / "f.npy")
    )
    assert "3 rows without names, but there are 4 photos" in told


def test_broken_files_of_descriptors_are_one_sentence(
    run: Run, check_failure: CheckFailure, images: Path, foreign: dict[str, Any], tmp_path: Path
) -> None:
    def refused(file: Path, *more: str) -> str:
        out = tmp_path / "refused"
        return check_failure(run("index", images, "--out", out, "--descriptors", file, *more))

    def altered(name: str, vector: Any) -> Path:
        return write_hloc(
            tmp_path / f"{len(list(tmp_path.iterdir()))}.h5", {**foreign, name: vector}
        )

    second = "images/places/1.jpg"
    assert "not finite for '1.jpg'" in refused(altered(second, np.full(256, np.nan)))
    assert "not finite for '1.jpg'" in refused(altered(second, np.full(256, -np.inf)))
    assert "zeros only for '1.jpg'" in refused(altered(second, np.zeros(256)))
    assert "has 255 numbers for '1.jpg', where 256" in refused(altered(second, np.ones(255)))
    assert "float16 of shape (2, 128) as global" in refused(altered(second, np.ones((2, 128))))
    names = write_hloc(tmp_path / "names.h5", dict.fromkeys(foreign, b"x"), "S1")
    assert "|S1 of shape () as global_descriptor of" in refused(names)
    few = {name: row for name, row in foreign.items() if name != second}
    told = refused(write_hloc(tmp_path / "few.h5", few))
    assert "no descriptor of 1 of the 4 photos" in told
    told = refused(write_hloc(tmp_path / "other.h5", {"x/a.jpg": np.ones(8)}))
    assert "is of other photos: none of its 1 names, such as 'x/a.jpg'" in told
    np.savez(tmp_path / "twice.npz", names=["0.jpg"] * 2, descriptors=np.eye(2))
    assert "two descriptors of '0.jpg'" in refused(tmp_path / "twice.npz")
    np.savez(tmp_path / "more.npz", names=["0.jpg"], descriptors=np.eye(2))
    assert "2 descriptors and 1 names" in refused(tmp_path / "more.npz")
    np.savez(tmp_path / "odd.npz", rows=np.eye(2))
    assert "needs the arrays names and descriptors" in refused(tmp_path / "odd.npz")
    np.save(tmp_path / "flat.npy", np.arange(4.0))
    assert "no table of descriptors" in refused(tmp_path / "flat.npy")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "cannot be read" in refused(tmp_path / "objects.npy")
    (tmp_path / "text.h5").write_text("x")
    assert "cannot be read" in refused(tmp_path / "text.h5")
    h5py.File(tmp_path / "empty.h5", "w").close()
    assert "holds no descriptors" in refused(tmp_path / "empty.h5")
    assert "no global features of kapture" in refused(images)
    assert "does not exist" in refused(tmp_path / "none.h5")
    assert "no file of descriptors" in refused(images / "0.jpg")
    assert "1024 are needed" in refused(
        write_hloc(tmp_path / "good.h5", foreign), "--model", "lite0-netvlad-1024"
    )


@pytest.mark.parametrize("size", [1e38, 1e300, 1e-40, 1e-300])
def test_descriptors_of_any_length_are_taken(
    images: Path, foreign: dict[str, Any], tmp_path: Path, size: float
) -> None:
    files = {}
    for name, scale in (("long", size), ("unit", 1.0)):
        rows = {photo: np.asarray(row, np.float64) * scale for photo, row in foreign.items()}
        files[name] = write_hloc(tmp_path / f"{name}.h5", rows, np.float64)
        place_search.index(images, tmp_path / name, descriptors=files[name])
    found, wanted = (
        next(iter(place_search.open_index(tmp_path / name).descriptors().chunks()))
        for name in files
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_a_model_that_did_not_make_them_is_refused(
    run: Run, check_failure: CheckFailure, images: Path, tmp_path: Path, own: Any
) -> None:
    wrong = dict(zip(NAMES, own[:, ::-1], strict=True))
    file = write_hloc(tmp_path / "wrong.h5", wrong)
    given = ("index", images, "--out", tmp_path / "ix", "--model", "lite0-netvlad-1024")
    told = check_failure(run(*given, "--descriptors", file))
    assert "row 1 of 4, for '0.jpg', has a cosine of " in told
    assert "by lite0-netvlad-1024, so another made it; name another --model" in told
    right = write_hloc(tmp_path / "right.h5", dict(zip(NAMES, own, strict=True)))
    assert run(*given, "--descriptors", right).exit_code == 0
    found = place_search.search(tmp_path / "ix", images / "3.jpg", k=1)
    assert found.results[0].name == "3.jpg"
    assert "unverified" in json.dumps(found.to_dict()) or found.results[0].verified is None


@pytest.mark.slow
def test_a_named_model_must_be_the_one_that_the_file_names(
    run: Run, check_failure: CheckFailure, images: Path, tmp_path: Path
) -> None:
    file = tmp_path / "f.h5"
    assert run("describe", images, "--precision", "f32", "--out", file).exit_code == 0
    given = ("--model", "lite0-netvlad-1024", "--descriptors", file)
    assert run("index", images, "--out", tmp_path / "ix", *given).exit_code == 0
    assert place_search.open_index(tmp_path / "ix").manifest.model["precision"] == "f32"
    with h5py.File(file, "a") as changed:
        changed.attrs.update(model="other", fingerprint="0" * 32)
    told = check_failure(run("index", images, "--out", tmp_path / "no", *given))
    assert "says that other, or another version of it, made it, not lite0-netvlad-1024" in told
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ([0, 2, 1, 3], "row 2 of 4, for '1.jpg', has a cosine of"),
        ([0, 1, 3, 2], "which is nearer to the row for '3.jpg' (1.00); put the rows in the order"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_rows_in_another_order_than_the_photos_are_refused(
    run: Run,
    check_failure: CheckFailure,
    images: Path,
    tmp_path: Path,
    own: Any,
    order: list[int],
    told: str,
    *,
    named: bool,
) -> None:
    """The first photo has its own descriptor in each of them."""
    rows = own[order]
    if named:
        file = write_hloc(tmp_path / "f.h5", dict(zip(NAMES, rows, strict=True)))
    else:
        file = tmp_path / "f.npy"
        np.save(file, rows)
    given = ("index", images, "--out", tmp_path / "ix", "--model", "lite0-netvlad-1024")
    assert told in check_failure(run(*given, "--descriptors", file))


@pytest.mark.slow
def test_rows_of_frames_that_look_alike_may_not_be_shifted(
    run: Run, check_failure: CheckFailure, tmp_path: Path
) -> None:
    """A wall as the light fades, each frame a little darker than the one before."""
    frames = tmp_path / "frames"
    frames.mkdir()
    rng = np.random.default_rng(3)
    wall = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)).resize((640, 480))
    for number in range(30):
        wall.point([value * (300 - number) / 300 for value in range(256)] * 3).save(
            frames / f"{number:02}.png"
        )
    rows = place_search.describe(frames)
    assert (rows[1:] * rows[:-1]).sum(axis=1).min() > 0.95
    given = ("index", frames, "--out", tmp_path / "ix", "--model", "lite0-netvlad-1024")
    np.save(tmp_path / "shifted.npy", np.roll(rows, 1, axis=0)[[1, *range(1, 30)]])
    told = check_failure(run(*given, "--descriptors", tmp_path / "shifted.npy"))
    assert "put the rows in the order of the photos" in told
    half = rows.astype(np.float16)
    np.save(tmp_path / "right.npy", half)
    assert run(*given, "--descriptors", tmp_path / "right.npy").exit_code == 0


def test_what_describe_cannot_write(
    run: Run, check_failure: CheckFailure, photos: Path, tmp_path: Path
) -> None:
    photo = photos / "places" / "0.jpg"
    assert run("describe", photo, "--out", tmp_path / "f.npy", "--format", "hloc").exit_code == 2
    assert run("describe", photo, "--out", tmp_path / "f.h5", "--format", "kapture").exit_code == 2
    told = check_failure(run("describe", photo, "--out", tmp_path / "f.h5", "--format", "hloc"))
    assert "does not lead down from one folder" in told
    assert not list(tmp_path.iterdir())
    with pytest.raises(PlaceSearchError, match="does not exist"):
        place_search.index(photos, tmp_path / "ix", descriptors=tmp_path / "none.h5")


def test_photos_of_equal_names_in_another_folder_are_others(
    run: Run, check_failure: CheckFailure, images: Path, foreign: dict[str, Any], tmp_path: Path
) -> None:
    """The folder of all images may hold photos named as those of the folder that is indexed."""
    other = np.roll(np.eye(4, 256), 7, axis=1)
    file = write_hloc(tmp_path / "one.h5", {**foreign, "0.jpg": other[0]})
    place_search.index(images, tmp_path / "ix", descriptors=file)
    first = np.asarray(foreign["images/places/0.jpg"], np.float32)
    [hit, *_] = place_search.open_index(tmp_path / "ix").search(first / np.linalg.norm(first), 1)
    assert hit.similarity == pytest.approx(1, abs=1e-3)
    both = {**foreign, **dict(zip(NAMES, other, strict=True))}
    file = write_hloc(tmp_path / "both.h5", both)
    told = check_failure(run("index", images, "--out", tmp_path / "b", "--descriptors", file))
    assert "in two ways, the first as '0.jpg' and as 'images/places/0.jpg'" in told
