"""The engine: a query photo in, the most similar places of one index out."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexer import Hit, Index
from netvlad import Model, Photo, Position
from search.errors import ParameterError
from search.positions import PlacePositions
from search.replies import index_reply, query_reply, result_reply
from search.schemas import IndexReply, SearchReply, TimingsReply

Decode: TypeAlias = Callable[[bytes | Path], Photo]
"""Reads a photo whose pixels a model takes; raises `PhotoError`."""

MAX_K = 100
UNVERIFIED_NOTE = "Spatial verification is not available yet; the results are unverified."


class Engine:
    """Searches one index with the model it was built with. Thread-safe."""

    def __init__(self, index: Index, model: Model, *, decode: Decode | None = None) -> None:
        """Raises `ModelMismatchError` where the index was built with another model.

        `decode` reads the photos in place of the model, as a server's decoding processes do.
        """
        index.check_model(model)
        self.index = index
        self.model = model
        self.decode = decode or model.read
        self.positions = PlacePositions(index.place_ids, index.positions)

    def warm_up(self) -> None:
        """Search once, so that the first query does not wait for what happens only then.

        A model is prepared for the shape of the photo, so the photo is one of the index's own.
        """
        self.search(self.index.thumbnail(int(self.index.place_ids[0])), k=1)

    def about(self) -> IndexReply:
        """What is searched."""
        return index_reply(self.index, len(self.positions))

    def search(
        self,
        photo: bytes | Path,
        *,
        k: int = 10,
        verify: bool = False,
        near: Position | None = None,
        radius_m: float | None = None,
    ) -> SearchReply:
        """Find the `k` places that look most like a photo, best first.

        `near` and `radius_m` together leave only the places at most that many metres from a point;
        places without a position are then left out.

        Raises:
            ParameterError: k outside 1–100, or only one of `near` and `radius_m`.
            PhotoError: the photo is not one that can be read.
        """
        _check_parameters(k, near, radius_m)
        stages = _Stages()
        with stages.timed("decode"):
            decoded = self.decode(photo)
        with stages.timed("embed"):
            descriptor = self.model.embed(decoded).descriptor
        notes = list(decoded.notes)
        if verify:
            notes.append(UNVERIFIED_NOTE)
        with stages.timed("search"):
            hits = self._hits(descriptor, k, near, radius_m, notes)
            results = [
                result_reply(rank, hit, self.index.place(hit.place_id), self.index.index_id)
                for rank, hit in enumerate(hits, start=1)
            ]
        return SearchReply(
            index_id=self.index.index_id,
            model=self.index.model_id,
            query=query_reply(decoded, notes),
            timings_ms=stages.reply(),
            results=results,
            location=None,
        )

    def _hits(
        self,
        descriptor: NDArray[np.float32],
        k: int,
        near: Position | None,
        radius_m: float | None,
        notes: list[str],
    ) -> list[Hit]:
        only = None
        if near is not None and radius_m is not None:
            only = self.positions.within(near, radius_m)
            if not len(only):
                notes.append(
                    f"No place with a position lies within {radius_m:g} m of "
                    f"{near.latitude:g},{near.longitude:g}."
                )
                return []
        return self.index.search(descriptor, k, only=only)


def _check_parameters(k: int, near: Position | None, radius_m: float | None) -> None:
    if not 1 <= k <= MAX_K:
        raise ParameterError(f"The parameter k is {k}, but it must be from 1 to {MAX_K}.")
    if (near is None) != (radius_m is None):
        raise ParameterError("The parameters near and radius_m only work together; give both.")
    if radius_m is not None and not (radius_m > 0 and math.isfinite(radius_m)):
        raise ParameterError(f"The parameter radius_m is {radius_m}, but it must be above 0.")


class _Stages:
    """Milliseconds a stage."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._milliseconds: dict[str, float] = {}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._milliseconds[stage] = _since(started)

    def reply(self) -> TimingsReply:
        return TimingsReply(
            queue=0.0, verify=0.0, total=_since(self._started), **self._milliseconds
        )


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
