"""What the functions of Python refuse before they begin."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import place_search
from place_search import PlaceSearchError

PLACES, NONE = "photos", cast(Any, None)


@pytest.fixture(autouse=True)
def at_home(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").symlink_to(photos / "places")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: place_search.index(
                PLACES, "town", model=place_search.open_model(), verify_with="lite0-netvlad"
            ),
            "An opened model has its verifier already; give verify_with to open_model instead.",
        ),
        (
            lambda: place_search.index(PLACES, "town", descriptors="a.npz", verify_with="b"),
            "verify_with does not work with descriptors; leave one of them out.",
        ),
        (
            lambda: place_search.index(PLACES, "town", engine="dask"),  # type: ignore[arg-type]
            "engine is 'dask', but it must be 'local' or 'ray'.",
        ),
        (
            lambda: place_search.index(PLACES, "town", exchange="s3://a"),
            "exchange only works with the engine 'ray'; leave it out.",
        ),
        (
            lambda: place_search.index(PLACES, "town", engine="ray", descriptors="a.npz"),
            "descriptors does not work with the engine 'ray'; leave one of them out.",
        ),
        (
            lambda: place_search.index(PLACES, "town", local_features=False, verify_with="b"),
            "verify_with does not work with local_features=False; leave one of them out.",
        ),
        (lambda: place_search.index("", "town"), "A path is empty; write . for the folder"),
        (lambda: place_search.index(PLACES, ""), "A path is empty"),
        (lambda: place_search.describe(""), "A path is empty"),
        (lambda: place_search.open_model(""), "The name of a model is empty; "),
        (
            lambda: place_search.open_model(place_search.open_model()),  # type: ignore[arg-type]
            "A model is named by its id or its folder here, not by the type Model.",
        ),
        (
            lambda: place_search.index(PLACES, "town", descriptors=np.zeros(3)),  # type: ignore[arg-type]
            "A path is a text or a pathlib.Path, not of the type ndarray.",
        ),
        (lambda: place_search.index(PLACES, "town", model=""), "The name of a model is empty; "),
        (
            lambda: place_search.index(PLACES, "town", root="none"),
            "photos says itself where its photos are, so that a root makes no sense; leave it out.",
        ),
        (lambda: place_search.index(PLACES, "town", store=NONE), "'None' is no kind of vector sto"),
        (lambda: place_search.index(PLACES, "town", store="milvus"), "--store milvus needs --uri"),
        (
            lambda: place_search.index(PLACES, "town", uri="http://localhost:19530"),
            "uri does not work with the store auto; leave one of them out.",
        ),
        *(
            (
                lambda uri=uri: place_search.index(PLACES, "town", store="milvus", uri=uri),
                f"'{uri}' is no --uri of a Milvus; write http://HOST:19530, or NAME.db for a file.",
            )
            for uri in ("localhost:19530", "ftp://localhost", "town.txt")
        ),
        (
            lambda: place_search.index(
                PLACES, "town", store="milvus", uri="http://me:pw@localhost"
            ),
            "--uri is kept in the index, so it must hold no password; use ",
        ),
        (
            lambda: place_search.evaluate(PLACES, radius_m=10**400),
            "The radius in metres is 1000",
        ),
        (
            lambda: place_search.evaluate(PLACES, radius_m=np.zeros(2)),  # type: ignore[arg-type]
            "The radius in metres is array([0., 0.])",
        ),
        (lambda: place_search.describe(np.array("a")), "A photo is the path of a file"),  # type: ignore[arg-type]
    ],
)
def test_arguments_that_mean_nothing_are_refused(call: Callable[[], object], says: str) -> None:
    with pytest.raises(PlaceSearchError, match=re.escape(says)):
        call()
    assert not Path("town").exists()


@pytest.mark.parametrize(
    "call",
    [
        place_search.describe,
        place_search.open_model,
        place_search.open_index,
        lambda path: place_search.open_model(verify_with=path),
        lambda path: place_search.open_model(index=path),
        lambda path: place_search.index(path, "town"),
        lambda path: place_search.index(PLACES, path),
        lambda path: place_search.index(PLACES, "town", gpx=path),
        lambda path: place_search.evaluate(truth=path, root="."),
        lambda path: place_search.evaluate(truth="t.csv", root=path),
        lambda path: place_search.doctor(path),
        lambda path: place_search.compare("photos/0.jpg", path),
    ],
)
def test_a_path_that_the_system_does_not_look_at_is_refused(
    call: Callable[[str], object],
) -> None:
    with pytest.raises(PlaceSearchError, match=r"e is out of reach \(File name too long\); check"):
        call("e" * 256)
    with pytest.raises(PlaceSearchError, match=r"'a\\x00b' cannot be a path"):
        call("a\0b")


@pytest.mark.parametrize("value", ["no", 0, NONE])
@pytest.mark.parametrize(
    ("flag", "call"),
    [
        ("local_features", lambda flag: place_search.index(PLACES, "new", **flag)),
        ("forget", lambda flag: place_search.sync("town", PLACES, **flag)),
        ("causal", lambda flag: place_search.track("town", PLACES, **flag)),
        ("standardize", lambda flag: place_search.search_many("town", [], **flag)),
        ("standardize", lambda flag: place_search.pairs("town", PLACES, **flag)),
        ("same_spot", lambda flag: place_search.similar("town", 0, **flag)),
        *(
            (name, lambda flag: place_search.evaluate(PLACES, radius_m=5, **flag))
            for name in ("verify", "open_set", "standardize", "causal")
        ),
    ],
)
def test_a_flag_is_true_or_false(
    index: Path, flag: str, call: Callable[[dict[str, Any]], object], value: Any
) -> None:
    Path("town").symlink_to(index)
    says = f"The parameter {flag} is {value!r}, but it must be True or False."
    with pytest.raises(PlaceSearchError, match=re.escape(says)):
        call({flag: value})
    assert not Path("new").exists()


@pytest.mark.slow
def test_what_numpy_calls_false_is_false() -> None:
    no: Any = np.bool_(False)
    report = place_search.index(PLACES, "town", local_features=no, progress=None)
    assert json.loads(json.dumps(report.to_dict()))["places"] == report.places
    assert not place_search.open_index("town").has_local_features
    assert len(place_search.describe("photos/0.jpg", progress=None)) == 1


@pytest.mark.slow
def test_a_search_takes_what_numpy_calls_true_and_false(index: Path) -> None:
    yes, no = cast(Any, np.bool_(True)), cast(Any, np.bool_(False))
    town, model = place_search.open_index(index), place_search.open_model()
    found = place_search.search(town, "photos/0.jpg", model=model, verify=no, spots=yes)
    assert all(result.verified is None for result in found.results)
    [found] = place_search.search_many(town, ["photos/0.jpg"], model=model, verify=yes, spots=no)
    assert found.results[0].verified is not None
    found = place_search.search(town, "photos/0.jpg", model=model, panorama=yes)
    assert found.query.views == ()


@pytest.mark.parametrize("measure", [place_search.evaluate, place_search.doctor])
def test_a_misspelt_argument_is_refused(measure: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'radius'"):
        measure(PLACES, radius=5)
