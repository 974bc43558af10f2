"""Options that would have no part in a run: refused, or the run says so."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import place_search
from place_search import PlaceSearchError
from place_search.demo_photos import fetch_demo_photos
from place_search.indexer import VideoRequest, edit_place, open_source
from place_search.indexer.errors import FieldError

Run = Callable[..., Result]
FROM_FILE = "index PHOTOS --out new --descriptors d.npy"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (f"{FROM_FILE} --threads 1", "--threads only works without --descriptors, or with --model"),
        (f"{FROM_FILE} --local-features", "--local-features only works without --descriptors."),
        (f"{FROM_FILE} --engine ray", "--engine only works without --descriptors."),
        (f"{FROM_FILE} --verify-with m", "--verify-with only works without --descriptors."),
        ("index PHOTOS --out new --exchange s3://a", "--exchange only works with --engine ray."),
        ("group INDEX --name A --add 1", "--name and --add only work with --of"),
        ("group INDEX --of 1 --name A --anew", "--anew only works without --of."),
        (
            "group INDEX --of 1 --name A --spread-m 3 --model m --threads 1",
            "--spread-m, --model and --threads only work without --of.",
        ),
        (
            "verify INDEX --model m --max-megapixels 9",
            "--model and --max-megapixels only work with",
        ),
        ("edit INDEX 0 --tag a --untag a", "--tag and --untag both name 'a'; ask for one."),
        ("edit INDEX 0 --field a=", "The index has no own field 'a'"),
        ("search INDEX PHOTOS --out o.csv --together", "--together only works without --out."),
        (
            "search INDEX PHOTOS --out o.csv --no-panorama",
            "--no-panorama only works without --out.",
        ),
        ("search INDEX PHOTO --no-verify --candidates 9", "--candidates only works with --verify."),
        (
            "pairs INDEX PHOTOS --out o --no-verify --candidates 9",
            "--candidates only works with --verify.",
        ),
        ("eval PHOTOS --candidates 9", "--candidates only works with --verify."),
        ("doctor INDEX --at 2 --sample 3", "--at and --sample only work with photos to evaluate"),
        ("calibrate INDEX --about a --keep", "--about and --keep only work with PAIRS or PLACES"),
        (
            "quantize m --photos p --root r --no-verify",
            "--root and --no-verify only work with --tr",
        ),
        (
            "weights fetch vgg16-imagenet --as a",
            "--as only works with a model, and vgg16-imagenet is a backbone.",
        ),
        ("whiten INDEX --out w --max-megapixels 9", "--max-megapixels only works with photos"),
        ("weights import PHOTO --as a --size 3x3", "--size only works with an ONNX graph."),
        ("serve INDEX --log-addresses", "--log-addresses only works with --log."),
    ],
)
def test_an_option_without_a_part_in_the_run_is_refused(
    run: Run, photos: Path, index: Path, words: str, says: str
) -> None:
    paths = {"INDEX": index, "PHOTOS": photos / "queries", "PHOTO": photos / "queries" / "1.jpg"}
    result = run(*(paths.get(word, word) for word in words.split()))
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in re.sub(r"[│\s]+", " ", result.stderr)


@pytest.mark.slow
def test_a_variable_is_meant_for_other_runs_too(run: Run, photos: Path, tmp_path: Path) -> None:
    others = {"ENGINE": "ray", "EXCHANGE": "s3://a", "VERIFY_WITH": "none", "CANDIDATES": "9"}
    env = {f"PLACE_SEARCH_{name}": value for name, value in others.items()}
    query, out = photos / "queries" / "1.jpg", tmp_path / "d.npz"
    for command in (
        ("describe", photos / "places.csv", "--out", out),
        ("index", photos / "places.csv", "--out", tmp_path / "i", "--descriptors", out),
        ("search", tmp_path / "i", query, "--no-verify"),
        ("search", tmp_path / "i", query),
    ):
        done = run(*command, env=env)
        assert done.exit_code == 0, done.stderr
    env["PLACE_SEARCH_ENGINE"] = "local"
    plain = (photos / "places", "--out", tmp_path / "plain", "--no-local-features")
    assert run("index", *plain, env=env).exit_code == 0
    assert run("add", tmp_path / "plain", photos / "queries", env=env).exit_code == 0


@pytest.mark.slow
def test_what_had_no_effect_on_many_photos_is_told(run: Run, photos: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    assert run("index", photos / "places", "--out", plain, "--no-local-features").exit_code == 0
    for command in (("search", "r.csv", "--spots"), ("pairs", "pairs.txt")):
        name, out, *more = command
        options = ("--out", tmp_path / out, "--verify", *more)
        told = run(name, plain, photos / "queries", *options).stderr
        assert "keeps no local features, so the results are unverified. (2 photos)" in told
        assert ("has no groups yet, so that --spots counts each photo" in told) == bool(more)
    refused = run("add", plain, photos / "queries", "--verify-with", "lite0-netvlad")
    assert refused.exit_code == 2
    assert "--verify-with only works where the index keeps" in refused.stderr


def test_the_clock_of_photos_has_no_part_in_a_video(tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").touch()
    request = VideoRequest(tmp_path / "i", gpx=tmp_path / "walk.gpx", clock_offset_s=60)
    with pytest.raises(
        PlaceSearchError, match=r"walk\.mp4 is a video, which has no clock of photos"
    ):
        open_source(tmp_path / "walk.mp4", None, request)


def test_no_panorama_is_cut_for_descriptors_of_whole_photos(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(PlaceSearchError, match="so that panoramas are not cut; leave out"):
        place_search.index(
            photos / "places", tmp_path / "i", descriptors=tmp_path / "d.npy", panoramas="2:1"
        )


def test_no_protocol_is_for_an_index_alone(index: Path) -> None:
    with pytest.raises(PlaceSearchError, match="protocol only works with photos to evaluate on"):
        place_search.doctor(index, protocol="raw")


def test_a_tag_that_there_is_not_is_told(run: Run, index: Path) -> None:
    result = run("edit", index, "0", "--untag", "a")
    assert result.exit_code == 0
    assert "Place 0 has no tag 'a' to remove." in result.stderr


def test_a_field_that_there_is_not_cannot_be_emptied(index: Path) -> None:
    with pytest.raises(FieldError, match="no own field 'flor'"):
        edit_place(index, 0, {"fields": {"flor": None}})


def test_an_archive_beside_the_demo_s_photos_is_not_read_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("place_search.demo_photos._is_complete", lambda *_: True)
    archive, told = tmp_path / "a.tar.gz", list[str]()
    archive.touch()
    fetch_demo_photos(tmp_path / "demo", archive=archive, print_message=told.append)
    assert told == [
        f"{tmp_path / 'demo'} holds the demo's photos already, so {archive} is not read."
    ]


def test_a_column_that_is_probably_misspelt_is_told(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").touch()
    columns = "path,latitude,longitude,headng,times,colour,ozone,headline"
    (tmp_path / "list.csv").write_text(f"{columns}\n0.jpg,48,11,9,,red,1,x\n", "utf-8")
    told = open_source(tmp_path / "list.csv").warnings
    end = f"of {tmp_path / 'list.csv'} is taken for a field of your own; call it"
    assert told == (
        f"The column headng {end} heading if that is meant.",
        f"The column times {end} time if that is meant.",
    )
