"""Validation gives the figures that `eval` gives of the same photos and descriptors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from place_search.evaluation import (
    GroundTruth,
    read_places_truth,
    read_split_truth,
    read_truth_csv,
)
from place_search.evaluation.protocol import open_protocol
from place_search.evaluation.ranking import rank
from place_search.evaluation.recall import recall_at
from place_search.training import open_places
from place_search.training.data.features import FeatureLoader, Item
from place_search.training.data.places import as_evaluated
from place_search.training.loop.validate import validate
from place_search.training.split_network import TrainedPart
from tests.conftest import WriteMat
from tests.training.test_places import touch

KS = (1, 5, 10)
PHOTOS = 60


def of_eval(truth: GroundTruth, descriptors: dict[str, NDArray[np.float32]]) -> dict[int, float]:
    """Recall@N by the truth's own protocol, in per cent."""
    protocol = open_protocol(truth)
    database = np.stack([descriptors[name] for name in truth.database])
    queries = np.stack([descriptors[name] for name in truth.queries])
    chunks = [(np.arange(len(database)), database)]
    ranked = rank(queries, chunks, protocol.depth(max(KS)), own=truth.own_rows)
    kept = [found.rows[protocol.keep(at, found.rows)] for at, found in enumerate(ranked)]
    return recall_at(kept, protocol.positives, KS)


@pytest.mark.parametrize("kind", ["visits", "split", "positions", "links", "truth"])
def test_recall_is_that_of_eval(
    kind: str, tmp_path: Path, write_mat: WriteMat, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    # The second half are queries; a third of all photos has no other within 25 m.
    names = [f"{at:02d}.jpg" for at in range(PHOTOS)]
    spots = {name: (30.0 * (at // 3) + 4 * (at % 3), 0.0) for at, name in enumerate(names)}
    spots |= {name: (5000.0 + 90 * at, 0.0) for at, name in enumerate(names) if at % 3 == 2}
    half = PHOTOS // 2
    if kind in ("positions", "links"):
        touch(tmp_path, *names)
        for at in range(1, PHOTOS, 6) if kind == "links" else ():
            (tmp_path / names[at]).unlink()
            (tmp_path / names[at]).symlink_to(names[at - 1])
        rows = [f"{name},{east},{north}" for name, (east, north) in spots.items()]
        data = tmp_path / "list.csv"
        data.write_text("\n".join(["path,easting,northing", *rows]), "utf-8")
        truth = read_places_truth(data, None, 25.0)
    elif kind == "truth":
        touch(tmp_path, *names)
        data = tmp_path / "truth.csv"
        rows = [f"{names[at + half]},{names[at] if at % 3 else ''}" for at in range(half)]
        rows += [f"{names[1]},"]  # a photo of the database, as the first of a loop closure
        data.write_text("\n".join(["query,positives", *rows]), "utf-8")
        truth = read_truth_csv(data, tmp_path)
    else:
        touch(tmp_path, *names[:half], *(f"queries/{name}" for name in names))
        asked = {name: (4.0 * half * at / PHOTOS, 9.0) for at, name in enumerate(names[half:])}
        asked |= dict.fromkeys(names[half::4], (-900.0, 0.0))
        times = [[2010.0 + at % 2] for at in range(half)]
        data = write_mat(
            tmp_path / "s.mat",
            {name: spots[name] for name in names[:half]},
            asked,
            times=(times, times) if kind == "visits" else None,
        )
        truth = read_split_truth(data, tmp_path)
    places = as_evaluated(open_places(data, root=tmp_path))
    descriptors = random.normal(size=(len(places.photos), 8)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    for row, name in enumerate(places.photos):
        if (tmp_path / name).is_symlink():
            descriptors[row] = descriptors[row - 1]

    def describe(inputs: object, trained: object, items: Sequence[Item]) -> Any:
        return descriptors[[row for row, _ in items]]

    monkeypatch.setattr("place_search.training.loop.validate.describe", describe)
    nothing = cast("FeatureLoader", None), cast("TrainedPart", None)
    recall = validate(places, 0, *nothing)
    expected = of_eval(truth, dict(zip(places.photos, descriptors, strict=True)))
    assert recall == pytest.approx(expected)
    assert 0 < recall[10] < 90
