"""The engine: a query photo in, the most similar places of one index out."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Position
from place_search.indexer import Hit, Index, StoreOutageError
from place_search.models import Model
from place_search.photos import Photo, PhotoError
from place_search.search.batch import BatchStandards, batch_standards
from place_search.search.errors import ParameterError
from place_search.search.index_calibration import calibration_for, is_calibrated
from place_search.search.location import estimate_location
from place_search.search.positions import PlacePositions
from place_search.search.probability import (
    BACKGROUND,
    candidate_probabilities,
    match_of,
)
from place_search.search.results import (
    IndexInfo,
    QueryPhoto,
    Result,
    SearchResult,
    Timings,
    Verified,
    index_info,
    spot_of,
)
from place_search.search.stages import Stages
from place_search.search.verification import (
    CANDIDATES,
    Codes,
    Query,
    Verification,
    rank_by_geometry,
)

Decode: TypeAlias = Callable[[bytes | Path], Photo]
"""Reads a photo whose pixels a model takes; raises `PhotoError`."""

MAX_K = 100
VERIFY_BUDGET_S = 2.0


class Engine:
    """Searches one index with the model it was built with. Thread-safe."""

    def __init__(
        self,
        index: Index,
        model: Model,
        *,
        decode: Decode | None = None,
        candidates: int = CANDIDATES,
    ) -> None:
        """Raises `ModelMismatchError` where the index was built with another model.

        `decode` reads the photos in place of the model, as a server's decoding processes do. A
        verified search compares `candidates` places, or as many as are asked for.
        """
        index.check_model(model)
        self.index = index
        self.model = model
        self.decode = decode or model.read
        self.candidates = candidates
        self._verifies = (
            index.has_local_features
            and model.local_features is not None
            and index.manifest.keeps_features_of(model, index.folder)
        )
        self.calibration = calibration_for(index, model)
        self._notes = [] if is_calibrated(index, model) else [_borrowed_note(index)]
        self.positions = PlacePositions(index.place_ids, index.positions)

    @property
    def verifies(self) -> bool:
        """Whether the index keeps the local features that verification needs."""
        return self._verifies

    def warm_up(self) -> None:
        """Search once, so that the first query does not wait for what happens only then.

        A model is prepared for the shape of the photo, so the photo is one of the index's own. An
        engine of vectors that does not answer yet may do so later.
        """
        with suppress(StoreOutageError):
            self.search(self.index.thumbnail(int(self.index.place_ids[0])), k=1)

    def about(self) -> IndexInfo:
        """What is searched."""
        return index_info(self.index, len(self.positions))

    def search(
        self,
        photo: bytes | Path,
        *,
        k: int = 10,
        verify: bool | None = None,
        near: Position | None = None,
        radius_m: float | None = None,
        batch: BatchStandards | None = None,
        stages: Stages | None = None,
    ) -> SearchResult:
        """Find the `k` places that look most like a photo, best first.

        `verify` ranks the most similar places by how well their geometry agrees with the photo's,
        and estimates where it was taken; by default that is done where the index can. `near` and
        `radius_m` together leave only the places at most that many metres from a point; places
        without a position are then left out. `batch` chooses places by what `standards_of` measured
        of the photo and others. `stages` goes on where a request has begun already.

        Raises:
            ParameterError: k outside 1–100, or only one of `near` and `radius_m`.
            PhotoError: the photo is not one that can be read.
            StoreOutageError: the engine that holds the vectors does not answer.
        """
        _check_parameters(k, near, radius_m)
        stages = stages or Stages()
        with stages.timed("decode"):
            decoded = self.decode(photo)
        checking = verify is not False and self.verifies
        with stages.timed("embed"):
            embedding = (self.model if checking else self.model.alone()).embed(decoded)
        notes = [*decoded.notes, *self._notes]
        if verify and not self.verifies:
            kept = "other local features than this model gives"
            which = kept if self.index.has_local_features else "no local features"
            notes.append(f"The index keeps {which}, so the results are unverified.")
        with stages.timed("search"):
            wanted = max(k, self.candidates if checking else BACKGROUND)
            hits = self._hits(embedding.descriptor, wanted, near, radius_m, notes, batch)
        ranked: list[tuple[Hit, Verification | None]] = [(hit, None) for hit in hits]
        location = None
        if checking:
            with stages.timed("verify"):
                ranked = self._verified(embedding.local_features, hits, k, notes)
        probabilities = candidate_probabilities(
            self.calibration,
            [hit.similarity for hit, _ in ranked[:k]],
            [found for _, found in ranked[:k]],
            [hit.similarity for hit in hits],
        )
        match = match_of(self.calibration, probabilities[0] if probabilities else 0.0)
        if checking and match.verdict == "found":
            location = estimate_location(
                [(self.index.place(hit.place_id).position, found) for hit, found in ranked]
            )
        return SearchResult(
            index_id=self.index.index_id,
            model=self.index.model_id,
            query=QueryPhoto(decoded.width, decoded.height, decoded.position, tuple(notes)),
            timings_ms=_timings(stages),
            match=match._replace(probability=round(match.probability, 6)),
            results=tuple(
                self._result(rank, hit, found, probability)
                for rank, ((hit, found), probability) in enumerate(
                    zip(ranked, probabilities, strict=False), start=1
                )
            ),
            location=location,
            index=self.index,
        )

    def standards_of(self, photos: Iterable[bytes | Path]) -> BatchStandards:
        """What the descriptors of photos have in common; those that cannot be read say nothing."""
        return batch_standards(self.index, self._descriptors(photos))

    def _descriptors(self, photos: Iterable[bytes | Path]) -> Iterator[NDArray[np.float32]]:
        for photo in photos:
            with suppress(PhotoError):
                yield self.model.alone().embed(self.decode(photo)).descriptor

    def _result(
        self, rank: int, hit: Hit, found: Verification | None, probability: float
    ) -> Result:
        place = self.index.place(hit.place_id)
        return Result(
            rank=rank,
            place_id=place.place_id,
            name=place.name,
            # Rounding hides the last bits of float32: a photo's cosine with itself exceeds 1.
            similarity=min(round(float(hit.similarity), 6), 1.0),
            probability=round(probability, 6),
            verified=None if found is None else Verified(found.inliers, round(found.score, 3)),
            position=place.position,
            utm=place.utm,
            group=spot_of(self.index, place.place_id),
        )

    def _verified(
        self, local: NDArray[np.float32] | None, hits: Sequence[Hit], k: int, notes: list[str]
    ) -> list[tuple[Hit, Verification | None]]:
        """The hits with their verification, those that agree best first."""
        candidates = _Candidates(self.index, hits)
        ranking = rank_by_geometry(Query(local), candidates, k, budget_s=VERIFY_BUDGET_S)
        if ranking.late:
            notes.append(
                f"Time ran out before {ranking.late} of {len(hits)} places were verified; "
                "they come last."
            )
        return [(hits[row], ranking.found.get(row)) for row in ranking.order]

    def _hits(
        self,
        descriptor: NDArray[np.float32],
        k: int,
        near: Position | None,
        radius_m: float | None,
        notes: list[str],
        batch: BatchStandards | None,
    ) -> Sequence[Hit]:
        only = box = None
        if near is not None and radius_m is not None:
            only = self.positions.within(near, radius_m)
            if not len(only):
                notes.append(
                    f"No place with a position lies within {radius_m:g} m of "
                    f"{near.latitude:g},{near.longitude:g}."
                )
                return []
            box = self.positions.box(near, radius_m)
        if batch is None:
            return self.index.search(descriptor, k, only=only, box=box)
        notes.append(batch.note)
        return batch.ranked(self.index, descriptor, k, only=only, box=box)


class _Candidates:
    """Places of an index that a photo is compared with, read when their turn comes."""

    def __init__(self, index: Index, hits: Sequence[Hit]) -> None:
        self._index = index
        self._hits = hits
        self.similarities = [hit.similarity for hit in hits]

    def codes(self, row: int) -> Codes:
        """The codes of a candidate's local features."""
        return self._index.codes(self._hits[row].place_id)


def _borrowed_note(index: Index) -> str:
    return (
        f"The model '{index.model_id}' has no calibration, so probabilities are a guess by that of "
        "the included model; `place-search calibrate INDEX` measures one."
    )


def _check_parameters(k: int, near: Position | None, radius_m: float | None) -> None:
    if not 1 <= k <= MAX_K:
        raise ParameterError(f"The parameter k is {k}, but it must be from 1 to {MAX_K}.")
    if (near is None) != (radius_m is None):
        raise ParameterError("The parameters near and radius_m only work together; give both.")
    if radius_m is not None and not (radius_m > 0 and math.isfinite(radius_m)):
        raise ParameterError(f"The parameter radius_m is {radius_m}, but it must be above 0.")


def _timings(stages: Stages) -> Timings:
    took = stages.milliseconds() | {"total": stages.total_ms()}
    return Timings(**{part.name: took.get(part.name, 0.0) for part in fields(Timings)})
