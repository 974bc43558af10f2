"""What is read from each kind of source, and what is held out."""

import re
from pathlib import Path

import numpy as np
import pytest

from place_search.training import Range, TrainingData, TrainingError, open_places, train
from place_search.training.config import TrainingConfig
from place_search.training.data.batches import place_batches
from place_search.training.data.open_places import require_paths, require_rules
from place_search.training.data.places import (
    Places,
    as_evaluated,
    hold_out,
    keep,
    of_known_places,
    require_places,
    with_views,
)
from place_search.training.process_group import ProcessGroup
from tests.conftest import WriteMat


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def related(places: Places, row: int) -> tuple[list[int], list[int]]:
    return places.positives[row].tolist(), places.not_negatives[row].tolist()


def test_a_list_with_places(tmp_path: Path) -> None:
    touch(tmp_path, *"abcd")
    (tmp_path / "images.csv").write_text("image,place\na,1\nb,2\nc,1\nd,3\n", "utf-8")
    places = open_places(tmp_path)
    assert (places.kind, places.queries.tolist()) == ("places", [0, 2])
    assert related(places, 0) == ([2], [0, 2])


def test_frames_of_videos(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(30)]
    touch(tmp_path, *names, "x.jpg", "y.jpg")
    rows = [f"{name},one,{frame}" for frame, name in enumerate(names)]
    rows += ["x.jpg,tower,", "y.jpg,tower,"]
    (tmp_path / "list.csv").write_text("\n".join(["image,video,frame", *rows]), "utf-8")
    places = open_places(tmp_path / "list.csv", rules=Range(window=2))
    assert places.kind == "sequences"
    assert related(places, 12) == ([10, 11, 13, 14], list(range(2, 23)))
    # Many of one landmark: no positives known, and no negatives of each other.
    assert related(places, 30) == ([], [30, 31])


def test_positions_of_a_csv_and_of_a_split(tmp_path: Path, write_mat: WriteMat) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg", "queries/q.jpg")
    spots = {"a": 500_000, "b": 500_008, "c": 500_020}
    rows = [f"{name}.jpg,{easting},4500000,17T" for name, easting in spots.items()]
    rows = ["path,easting,northing,zone", *rows]
    (tmp_path / "list.csv").write_text("\n".join(rows), "utf-8")
    places = open_places(tmp_path / "list.csv")
    assert (places.kind, places.queries.tolist()) == ("positions", [0, 1])
    assert related(places, 0) == ([1], [0, 1, 2])

    where = {"a.jpg": (0.0, 0.0), "b.jpg": (8.0, 0.0), "c.jpg": (90.0, 0.0)}
    split = write_mat(tmp_path / "s.mat", where, {"q.jpg": (9.0, 0.0)})
    places = open_places(split, root=tmp_path)
    assert places.photos[-1] == "queries/q.jpg"
    assert (places.queries.tolist(), places.database.tolist()) == ([3], [0, 1, 2])
    assert related(places, 3) == ([0, 1], [0, 1, 3])


def test_a_truth_file_and_bare_photos(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "q.jpg", "r.jpg")
    (tmp_path / "truth.csv").write_text("query,positives\nq.jpg,a.jpg\nr.jpg,b.jpg;a.jpg", "utf-8")
    places = open_places(tmp_path / "truth.csv")
    assert related(places, 2) == ([0], [0, 1, 2, 3])
    (tmp_path / "truth.csv").unlink()
    places = open_places(tmp_path)
    assert places.unlabelled
    assert related(places, 1) == ([1], [1])


def test_bare_photos_may_lie_anywhere(tmp_path: Path) -> None:
    touch(tmp_path, "lists/a.jpg", "photos/b.jpg")
    listing = tmp_path / "lists" / "list.csv"
    listing.write_text(f"path\na.jpg\n{tmp_path}/photos/b.jpg\n", "utf-8")
    places = open_places(listing)
    assert places.unlabelled
    assert [places.path(row) for row in (0, 1)] == [
        tmp_path / "lists" / "a.jpg",
        tmp_path / "photos" / "b.jpg",
    ]


def test_what_is_held_out_is_near_nothing_that_is_trained_on(tmp_path: Path) -> None:
    names = [f"{number:02d}.jpg" for number in range(60)]
    touch(tmp_path, *names)
    rows = [f"{name},{10 * number},0" for number, name in enumerate(names)]
    (tmp_path / "list.csv").write_text("\n".join(["path,easting,northing", *rows]), "utf-8")
    for places in (open_places(tmp_path / "list.csv"), with_views(open_places(tmp_path))):
        kept, held = hold_out(places, 0.2)
        assert len(held.database) == 12
        assert len(kept.queries) > 40
        for row in held.used_rows.tolist():
            assert not np.isin(places.not_negatives[row], kept.used_rows).any()


def test_views_ask_for_photos_of_the_database_alone(tmp_path: Path) -> None:
    names = [f"{number:02d}.jpg" for number in range(20)]
    touch(tmp_path, *names, *(f"q{name}" for name in names))
    rows = [f"q{name},{name}" for name in names]
    (tmp_path / "truth.csv").write_text("\n".join(["query,positives", *rows]), "utf-8")
    places = with_views(open_places(tmp_path / "truth.csv"))
    for part in hold_out(places, 0.25):
        assert len(part.queries) == 2 * len(part.database) > 0
        for row in part.queries.tolist():
            assert part.positives[row].tolist() == [row % 20]
            assert np.isin(part.positives[row], part.database).all()


def test_no_batch_has_two_photos_of_one_place(tmp_path: Path) -> None:
    names = [f"{number:02d}.jpg" for number in range(40)]
    touch(tmp_path, *names)
    rows = [f"{name},{number // 4}" for number, name in enumerate(names)]
    (tmp_path / "images.csv").write_text("\n".join(["image,place", *rows]), "utf-8")
    places = open_places(tmp_path)
    config = TrainingConfig(batch=5, photos_a_place=3)
    batches = place_batches(places, config, 0, ProcessGroup())
    asked = [items[0][0] for batch in batches for _, items in batch]
    assert len(asked) == len(set(asked)) > 35
    for batch in batches:
        seen = [{row // 4 for row, _ in items} for _, items in batch]
        assert all(len(place) == 1 for place in seen)
        assert len(set.union(*seen)) == len(batch)
    assert batches == place_batches(places, config, 0, ProcessGroup())
    assert batches != place_batches(places, config, 1, ProcessGroup())
    halves = [place_batches(places, config, 0, ProcessGroup(rank, 2)) for rank in (0, 1)]
    assert [pair[at] for pair in zip(*halves, strict=True) for at in (0, 1)] == batches


def test_no_photo_of_a_batch_is_near_one_of_another_place(tmp_path: Path) -> None:
    names = [f"{number:03d}.jpg" for number in range(200)]
    touch(tmp_path, *names)
    rows = [f"{name},{3 * number},0" for number, name in enumerate(names)]
    (tmp_path / "walk.csv").write_text("\n".join(["path,easting,northing", *rows]), "utf-8")
    config = TrainingConfig(batch=6, photos_a_place=3)
    batches = place_batches(open_places(tmp_path / "walk.csv"), config, 0, ProcessGroup())
    assert sum(map(len, batches)) > 150
    for batch in batches:
        for number, items in batch:
            near = {row for row, _ in items}
            others = {row for other, those in batch if other != number for row, _ in those}
            assert min(3 * abs(one - other) for one in near for other in others) > 25


def test_what_nothing_can_be_learnt_from(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    listing = tmp_path / "list.csv"
    listing.write_text("path,easting,northing\na.jpg,0,0\nb.jpg,900,0", "utf-8")
    with pytest.raises(TrainingError, match="No photo of DATA has another one within range"):
        require_places(open_places(listing), "DATA")
    listing.write_text("image,place\na.jpg,1\nb.jpg,1", "utf-8")
    with pytest.raises(TrainingError, match=r"All photos of DATA show one place"):
        require_places(open_places(listing), "DATA")


def test_a_photo_is_not_of_the_same_place_and_of_another() -> None:
    with pytest.raises(TrainingError, match="--positive-m 30 is above --negative-m 25"):
        Range(positive_m=30)
    assert Range(25, 25).window == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("image,place\nnone.jpg,1", "row 2: there is no photo 'none.jpg'"),
        ("image,place\na.jpg,", "row 2: the place is missing"),
        ("image,place\na.jpg,1\na.jpg,2", "names 'a.jpg' twice, in rows 2 and 3"),
        ("image,video,frame\na.jpg,v,one", "the frame 'one' is no whole number"),
        ("image,place\n", "lists no photos"),
    ],
)
def test_lists_that_are_wrong(tmp_path: Path, rows: str, message: str) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "list.csv").write_text(rows, "utf-8")
    with pytest.raises(TrainingError, match=message):
        open_places(tmp_path / "list.csv")


def benchmark(root: Path, *parts: str) -> Path:
    """A data set of `@` names, each part with photos of its own."""
    for north, part in enumerate(parts):
        for at in range(3):
            touch(root / part / "database", f"@{500_000 + at}@{4_500_000 + 1000 * north}@17@T@.jpg")
        touch(root / part / "queries", f"@500001@{4_500_000 + 1000 * north}@17@T@q@.jpg")
    return root


@pytest.mark.parametrize("above", ["images/", ""])
def test_of_a_data_set_its_test_photos_are_not_trained_on(tmp_path: Path, above: str) -> None:
    town = benchmark(tmp_path / "town", *(f"{above}{part}" for part in ("train", "val", "test")))
    assert open_places(town).root == town / f"{above}train"
    assert open_places(town, part="val").root == town / f"{above}val"
    assert open_places(town / f"{above}test").root == town / f"{above}test"
    both = benchmark(tmp_path / "both", ".", f"{above}train", f"{above}test")
    assert open_places(both).root == both
    only = benchmark(tmp_path / "only", f"{above}test")
    says = f"{only} has the folders test in {only / above}, but no train; name the folder of the "
    with pytest.raises(TrainingError, match=re.escape(says)):
        open_places(only)


def test_parts_without_databases_are_told_apart_too(tmp_path: Path) -> None:
    touch(tmp_path / "sf" / "train", "@500000@4500000@10@S@.jpg", "@500001@4500000@10@S@.jpg")
    benchmark(tmp_path / "sf", "test")
    assert [Path(name).name for name in open_places(tmp_path / "sf").photos] == [
        "@500000@4500000@10@S@.jpg",
        "@500001@4500000@10@S@.jpg",
    ]


def test_photos_without_a_position_are_no_other_place(tmp_path: Path) -> None:
    names = [f"{number:02d}.jpg" for number in range(12)]
    touch(tmp_path, *names)
    rows = [
        f"{name},{5 * at if at % 4 else ''},{0 if at % 4 else ''}" for at, name in enumerate(names)
    ]
    (tmp_path / "list.csv").write_text("\n".join(["path,easting,northing", *rows]), "utf-8")
    everything = open_places(tmp_path / "list.csv")  # as `cluster` takes it
    assert len(everything.database) == 12
    assert related(everything, 4) == ([], [])
    for places in (of_known_places(everything), with_views(of_known_places(everything))):
        assert not np.isin(places.used_rows, [0, 4, 8]).any()
        assert len(places.database) == 9


def test_a_root_that_has_no_part_is_refused(tmp_path: Path, write_mat: WriteMat) -> None:
    photos, placed = tmp_path / "photos", tmp_path / "placed.csv"
    labelled, split = tmp_path / "labelled.csv", tmp_path / "s.mat"
    touch(tmp_path, "photos/a.jpg")
    placed.write_text("path,easting,northing\na.jpg,0,0\n", "utf-8")
    labelled.write_text("image,place\na.jpg,a\n", "utf-8")
    write_mat(split, {"a.jpg": (0.0, 0.0)}, {"b.jpg": (9.0, 0.0)})
    for data in (photos, placed):
        with pytest.raises(TrainingError, match="says itself where its photos are, so that --root"):
            require_paths(data, None, root=tmp_path / "elsewhere")
    require_paths(placed, root=tmp_path)  # where they are
    require_paths(photos, root=photos)
    for data in (split, labelled):
        require_paths(data, None, root=tmp_path)
        require_paths(photos, data, root=tmp_path)
    with pytest.raises(TrainingError, match="--queries-dir only works with a split, and "):
        require_paths(labelled, queries_dir="queries")
    require_paths(photos, split, queries_dir="queries")
    require_paths(tmp_path / "missing", root=tmp_path)  # that it is missing is told later


def test_a_rule_that_has_no_part_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    rows = {"placed": "easting,northing\na.jpg,0,0", "walk": "video,frame\na.jpg,w,1"}
    places = {}
    for name, text in rows.items():
        (tmp_path / f"{name}.csv").write_text(f"path,{text}\n", "utf-8")
        places[name] = open_places(tmp_path / f"{name}.csv")
    for name, rules in (("placed", Range(positive_m=5, negative_m=9)), ("walk", Range(window=3))):
        require_rules(rules, places[name], None)
        require_rules(rules, *places.values())
        require_rules(Range(), places[name])
    with pytest.raises(TrainingError, match="--window only works with frames of videos, which"):
        require_rules(Range(window=3), places["placed"], None)
    with pytest.raises(TrainingError, match="--negative-m only works with photos with positions"):
        require_rules(Range(negative_m=30), places["walk"])


def test_what_is_held_out_is_judged_as_eval_judges_it(tmp_path: Path, write_mat: WriteMat) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg", "queries/q.jpg", "queries/r.jpg")
    spots = {"a": 0, "b": 8, "c": 30, "d": 90}
    rows = [f"{name}.jpg,{easting},0" for name, easting in spots.items()]
    (tmp_path / "list.csv").write_text("\n".join(["path,easting,northing", *rows]), "utf-8")
    where = {f"{name}.jpg": (float(easting), 0.0) for name, easting in spots.items()}
    asked = {"q.jpg": (9.0, 0.0), "r.jpg": (70.0, 0.0)}
    split = write_mat(tmp_path / "s.mat", where, asked)
    for data in (tmp_path / "list.csv", split):
        wide = open_places(data, root=tmp_path, rules=Range(positive_m=25))
        judged = as_evaluated(open_places(data, root=tmp_path))
        assert len(judged.queries) > len(open_places(data, root=tmp_path).queries)
        assert set(judged.queries) >= set(wide.queries)
        for row in range(len(wide.photos)):
            assert related(judged, row) == related(wide, row)
    apart = "path,easting,northing\na.jpg,0,0\nb.jpg,15,0\nc.jpg,,\nd.jpg,90,0"
    (tmp_path / "list.csv").write_text(apart, "utf-8")
    places = open_places(tmp_path / "list.csv")
    assert not len(places.queries)
    judged = as_evaluated(of_known_places(places))
    assert judged.queries.tolist() == [0, 1, 3]  # in eval, too, one without positives is wrong
    assert keep(judged, np.array([1, 0, 0, 1], np.bool_)).queries.tolist() == [3]
    (tmp_path / "images.csv").write_text("image,place\na.jpg,1\nb.jpg,1\nc.jpg,2\n", "utf-8")
    labelled = open_places(tmp_path / "images.csv")
    assert as_evaluated(labelled) is labelled


def test_photos_of_a_query_s_own_visit_are_no_positives(
    tmp_path: Path, write_mat: WriteMat
) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg", "queries/q.jpg", "queries/r.jpg")
    where = {"a.jpg": (0.0, 0.0), "b.jpg": (1.0, 0.0), "c.jpg": (15.0, 0.0)}
    asked = {"q.jpg": (0.0, 0.0), "r.jpg": (90.0, 0.0)}
    times = [[201001.0], [201305.0], [201305.0]], [[201001.0], [201305.0]]
    split = write_mat(tmp_path / "tokyoTM_val.mat", where, asked, times=times)
    places = open_places(split, root=tmp_path)
    assert related(places, 3) == ([1], [0, 1, 2, 3])
    judged = as_evaluated(places)
    assert related(judged, 3)[0] == [1, 2]
    assert judged.queries.tolist() == [3, 4]


def test_a_run_takes_no_test_photos_and_none_of_unknown_places(tmp_path: Path) -> None:
    only, out = benchmark(tmp_path / "only", "images/test"), tmp_path / "model"
    with pytest.raises(TrainingError, match="images, but no train; name the folder"):
        train(TrainingData(only), out, config=TrainingConfig())
    touch(tmp_path / "walk", *"abc")
    listing = tmp_path / "walk" / "list.csv"
    listing.write_text("path,easting,northing\na,1,0\nb,2,0\nc,,", "utf-8")
    with pytest.raises(TrainingError, match=r"All photos of .* show one place"):
        train(TrainingData(listing), out, config=TrainingConfig())
