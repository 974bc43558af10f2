"""Mining against all pairs at once, in bounded memory."""

import resource
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from place_search.training import TrainingError
from place_search.training.config import TrainingConfig
from place_search.training.data import mining
from place_search.training.data.features import FeatureLoader, Item
from place_search.training.data.mining import TrainingTuple, mine, plan_pass
from place_search.training.data.places import Places, make_places
from place_search.training.data.shards import Shards
from place_search.training.process_group import ProcessGroup
from place_search.training.split_network import TrainedPart
from tests.full_disk import files_up_to

RANDOM = np.random.default_rng(6)


class Model(nn.Module):
    """Gives what it is given; `pool` has the width of a descriptor."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.pool = nn.Identity()
        self.pool.dims = dims  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        return x


class Rows:
    """Descriptors by row as the inputs; it counts the photos that were asked for."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self.rows = torch.from_numpy(rows)
        self.asked = 0

    def stream(self, batches: Iterable[Sequence[Item]]) -> Iterator[Tensor]:
        for items in batches:
            self.asked += len(items)
            yield self.rows[[row for row, _ in items]]


def unit_rows(count: int, dims: int) -> NDArray[np.float32]:
    rows = RANDOM.normal(size=(count, dims))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture
def places() -> Places:
    """Ten places of six photos; of each the first is a query alone, the others the database."""
    rows = np.arange(60)
    near = [np.arange(row // 6 * 6, row // 6 * 6 + 6) for row in rows.tolist()]
    positives = [
        found[found % 6 > 0] if row % 6 == 0 else rows[:0] for row, found in enumerate(near)
    ]
    names = [str(row) for row in rows.tolist()]
    along = np.zeros(60)
    return make_places(Path(), names, rows[rows % 6 > 0], positives, near, along, "places")


def expected(
    places: Places, rows: NDArray[np.float32], config: TrainingConfig
) -> list[TrainingTuple]:
    found = []
    for query in places.queries.tolist():
        away = ((rows - rows[query]) ** 2).sum(axis=1)
        best = min(places.positives[query].tolist(), key=lambda row: away[row])
        others = [row for row in places.database.tolist() if row // 6 != query // 6]
        hard = sorted(others, key=lambda row: away[row])[: config.negatives]
        if away[hard[0]] < away[best] + config.margin:
            found.append(TrainingTuple((query, 0), (best, 0), tuple((row, 0) for row in hard)))
    return found


def run(places: Places, rows: NDArray[np.float32], config: TrainingConfig, folder: Path) -> Any:
    inputs = Rows(rows)
    queries = [(row, 0) for row in places.queries.tolist()]
    plan = plan_pass(places, config, queries, np.random.default_rng(0), {})
    model = cast(TrainedPart, Model(rows.shape[1]))
    return (
        mine(plan, config, cast(FeatureLoader, inputs), model, ProcessGroup(), folder),
        inputs,
        plan,
    )


def test_the_hardest_of_all_pairs_come_out(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mining, "SHARD_BYTES", 7 * 4 * 8)
    rows = unit_rows(60, 8)
    config = TrainingConfig(negatives=4)
    found, inputs, _ = run(places, rows, config, tmp_path)
    assert found == expected(places, rows, config)
    assert inputs.asked == 60
    assert len(list(tmp_path.glob("*.h5"))) == 9
    # What was described is not described again, unless the weights are others.
    again, inputs, _ = run(places, rows, config, tmp_path)
    assert (again, inputs.asked) == (found, 0)
    (tmp_path / "00003.h5").write_bytes(b"cut short")
    again, inputs, _ = run(places, rows, config, tmp_path)
    assert (again, inputs.asked) == (found, 7)


def test_queries_that_violate_nothing_are_left_out(places: Places, tmp_path: Path) -> None:
    rows = np.repeat(np.eye(10, 12, dtype=np.float32), 6, axis=0)
    assert run(places, rows, TrainingConfig(negatives=4), tmp_path)[0] == []


def test_descriptors_that_are_no_numbers(places: Places, tmp_path: Path) -> None:
    rows = np.full((60, 8), np.nan, dtype=np.float32)
    with pytest.raises(TrainingError, match=r"no numbers any more.*a lower --learning-rate"):
        run(places, rows, TrainingConfig(), tmp_path)


def test_negatives_are_drawn_and_the_hard_ones_remembered(places: Places) -> None:
    config = TrainingConfig(negative_pool=5)
    remembered = {0: np.array([7, 8, 59])}
    plan = plan_pass(places, config, [(0, 0), (6, 0)], np.random.default_rng(1), remembered)
    assert 5 <= len(plan[0].negatives) <= 8
    assert {7, 8, 59} <= set(plan[0].negatives.tolist())
    assert len(plan[1].negatives) == 5
    assert not np.isin(plan[1].negatives, places.not_negatives[6]).any()


def test_shards_give_rows_in_any_order(tmp_path: Path) -> None:
    values = RANDOM.normal(size=(23, 3)).astype(np.float32)
    shards = Shards(tmp_path, "one", 23, 5)
    shards.fill(lambda part: values[part.start : part.stop], ProcessGroup())
    rows = np.array([22, 0, 7, 7, 13])
    np.testing.assert_array_equal(shards.take(rows), values[rows])
    shards.close()
    other = Shards(tmp_path, "two", 23, 5)
    other.fill(lambda part: values[part.start : part.stop] + 1, ProcessGroup(0, 1))
    np.testing.assert_array_equal(other.take(rows), values[rows] + 1)
    other.close()


def test_a_full_disk_leaves_no_shard(tmp_path: Path) -> None:
    shards = Shards(tmp_path, "one", 4, 4)
    with files_up_to(10_000), pytest.raises(OSError, match="File too large"):
        shards.fill(lambda part: np.ones((len(part), 4096), np.float32), ProcessGroup())
    assert not list(tmp_path.iterdir())


@pytest.fixture
def few_files() -> Iterator[int]:
    """This process may open no more than 16 files beside its own."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = max(int(file.name) for file in Path("/dev/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 16, before[1]))
    yield 16
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_shards_are_open_than_files_were_allowed(tmp_path: Path, few_files: int) -> None:
    rows = np.arange(2 * few_files)
    shards = Shards(tmp_path, "one", len(rows), 1)
    shards.fill(lambda part: rows[part.start : part.stop].astype(np.float32), ProcessGroup())
    assert shards.take(rows).tolist() == rows.tolist()
    shards.close()
