"""Generated descriptors with the structure of places, and an index of them without photos.

Streets have spots, spots have several views, and few dimensions carry most of the variance, as in
descriptors of real places. Streets are either random, so that all descriptors but the views of a
spot are equally far apart, or the places of an index. A shard depends only on its number.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import write_whole
from place_search.core.rows import spread_rows
from place_search.indexer import open_index
from place_search.indexer.changes.version_builder import VersionBuilder
from place_search.indexer.changes.version_spec import VersionSpec
from place_search.indexer.pipeline import StageClock
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.descriptor_codes import INT8
from place_search.indexer.storage.manifest import Manifest
from place_search.indexer.storage.plan import Plan, shard_photos
from place_search.indexer.storage.shards import (
    SHARDS,
    THUMBNAILS,
    Row,
    shard_files,
    shard_name,
)
from place_search.indexer.stores.store_files import StoreRequest
from place_search.models import Embedding, encode_grid

Vectors = NDArray[np.float32]
_CODES, _GRID = encode_grid(Embedding(np.empty(0, np.float32), np.zeros((1, 1, 1), np.float32)))
VIEWS = 12
SPOTS = 8
MODEL = {"id": "generated", "fingerprint": "0" * 32}


@dataclass(frozen=True)
class Generated:
    """Generated descriptors, (`count`, `dims`), in shards of `per_shard` rows.

    With `like` they are perturbed descriptors of the places of that index, of the same `dims`.
    """

    count: int
    dims: int
    like: Path | None = None

    @property
    def per_shard(self) -> int:
        """The number of descriptors in a shard, as the indexer would choose it."""
        return shard_photos(self.count, self.dims)

    @cached_property
    def _real(self) -> Vectors | None:
        """The descriptors of the index `like`, from which streets are drawn, if it is given."""
        if self.like is None:
            return None
        return np.concatenate(list(open_index(self.like).descriptors().chunks()))

    @cached_property
    def _weights(self) -> Vectors:
        if self._real is not None:
            weights: Vectors = self._real.std(axis=0)
            return weights
        rng = np.random.default_rng(self.dims)
        return np.sqrt(rng.gamma(0.5, size=self.dims)).astype(np.float32)

    def _streets(self, rng: np.random.Generator, count: int) -> Vectors:
        """(count, D) in units of the weights."""
        if self._real is None:
            return rng.standard_normal((count, self.dims), np.float32)
        return self._real[rng.integers(0, len(self._real), count)] / self._weights

    def _places(self, number: int) -> Vectors:
        """The descriptor of each row of a shard before the noise of its view."""
        rng = np.random.default_rng([number, self.dims])
        size = min(self.per_shard, self.count - number * self.per_shard)
        streets = self._streets(rng, size // (VIEWS * SPOTS) + 1)
        spots = np.repeat(streets, SPOTS, axis=0) * np.float32(0.7)
        spots += rng.standard_normal(spots.shape, np.float32)
        return np.repeat(spots, VIEWS, axis=0)[:size]

    def _views(self, places: Vectors, noise: float, seed: list[int]) -> Vectors:
        rng = np.random.default_rng(seed)
        views = places + np.float32(noise) * rng.standard_normal(places.shape, np.float32)
        views *= self._weights
        views /= np.linalg.norm(views, axis=1, keepdims=True)
        return views

    def shards(self) -> Iterator[tuple[int, Vectors]]:
        """The number and the descriptors of each shard."""
        for number in range(-(-self.count // self.per_shard)):
            yield number, self._views(self._places(number), 0.8, [number, self.dims, 1])

    def queries(self, count: int) -> Vectors:
        """New views, with more noise, of places spread over all shards."""
        shards = -(-self.count // self.per_shard)
        numbers = spread_rows(shards, 16).tolist()
        per_number = -(-count // len(numbers))
        views = []
        for number in numbers:
            places = self._places(number)
            rows = np.random.default_rng([number, 3]).integers(0, len(places), per_number)
            views.append(self._views(places[rows], 1.0, [number, self.dims, 2]))
        return np.concatenate(views)[:count]


def write_index(
    generated: Generated,
    folder: Path,
    *,
    store: str = "auto",
    model: Mapping[str, Any] = MODEL,
    row: Callable[[int, Vectors], Row] | None = None,
) -> dict[str, float]:
    """Write an index of generated descriptors; returns the seconds of each stage but embedding.

    Local features and thumbnails are a few bytes each, unless `row` makes the places; `model` is
    the manifest's entry of the model for searches.
    """
    (folder / SHARDS).mkdir(parents=True)
    (folder / THUMBNAILS).mkdir()
    files = {}
    shards = []
    seconds = 0.0
    first = 0
    for number, vectors in generated.shards():
        rows = [(row or generated_row)(first + at, vector) for at, vector in enumerate(vectors)]
        first += len(rows)
        start = time.perf_counter()
        for name, content in shard_files(number, rows, INT8):
            files[name] = write_whole(folder / name, content)
        seconds += time.perf_counter() - start
        shards.append(shard_name(number))
    source = {"root": str(folder.parent / "photos"), "kind": "folder"}
    entry = {**model, "dims": generated.dims}
    manifest = Manifest(
        index_id="0" * 16,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        model=entry,
        source=source,
        store={},
        files=files,
        shards=shards,
        places=first,
        next_place_id=first,
        descriptor_type=INT8,
    )
    clock = StageClock()
    VersionBuilder(
        folder,
        VersionSpec(
            request="bench",
            plan=Plan(len(shards), ()),
            model_entry=entry,
            source=source,
            next_place_id=first,
            store=StoreRequest(store, uri=os.environ.get("PLACE_SEARCH_URI", "")),
            kept_shards=shards,
        ),
        old=manifest,
        contents=Contents(manifest, {name: folder / name for name in files}),
        model=None,
        clock=clock,
    ).run()
    return {"write": seconds, **clock.seconds()}


def generated_row(place_id: int, descriptor: Vectors) -> Row:
    """A place with a descriptor, but without a real photo."""
    return Row(
        place_id=place_id,
        name=f"street/{place_id:09d}.jpg",
        path=f"street/{place_id:09d}.jpg",
        position=None,
        utm=None,
        width=640,
        height=480,
        size=place_id,
        mtime_ns=place_id,
        content=hashlib.sha256(str(place_id).encode()).digest(),
        descriptor=descriptor,
        codes=_CODES,
        grid=_GRID,
        thumbnail=b"\xff\xd8",
    )
