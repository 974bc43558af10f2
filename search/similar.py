"""Places that look like a place of the index, by the descriptors that the index keeps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from place_search.core.geodesy import Position
from place_search.indexer import Filter, Index
from place_search.models import Model
from place_search.search.by_descriptor import DescriptorSearch
from place_search.search.engine import Engine
from place_search.search.index_calibration import ChosenCalibration
from place_search.search.parameters import require_k
from place_search.search.positions import require_near
from place_search.search.probability import (
    BACKGROUND,
    borrowed_calibration,
    candidate_probabilities,
)
from place_search.search.reasons import REASONS, reason_dict
from place_search.search.results import Result, columns_of, result_dict
from place_search.search.several.views import RankedPlace, Where
from place_search.search.stages import Stages
from place_search.search.verification import NOTHING, is_blank_place


@dataclass(frozen=True, slots=True)
class SimilarPlaces:
    """Places that look like the place `place_id`, the most similar first, with remarks in `notes`.

    No geometry is compared: `verified` of each result is None.
    """

    index_id: str
    model: str
    place_id: int
    notes: tuple[str, ...]
    results: tuple[Result, ...]

    def to_dict(self) -> dict[str, Any]:
        """The answer of GET /v1/places/{id}/similar."""
        return {
            "index_id": self.index_id,
            "model": self.model,
            "place_id": self.place_id,
            "notes": list(self.notes),
            "reasons": list(map(reason_dict, self.notes)),
            "results": [result_dict(result, self.index_id) for result in self.results],
        }

    def to_columns(self) -> dict[str, list[Any]]:
        """A column for each field of the results, as `pandas.DataFrame` takes them."""
        return columns_of(self.results)


def open_similar(index: Index, model: Callable[[], Model]) -> DescriptorSearch:
    """The search for similar places; it needs no `model` for descriptors that were made elsewhere.

    Raises:
        PlaceSearchError: the model cannot be opened, or is not that of the index.
    """
    if index.manifest.has_known_model:
        return Engine(index, model())
    return DescriptorSearch(
        index, ChosenCalibration(borrowed_calibration(), (REASONS["no-model"],))
    )


def similar_places(
    engine: DescriptorSearch,
    place_id: int,
    *,
    k: int = 10,
    same_spot: bool = False,
    near: Position | None = None,
    radius_m: float | None = None,
    place_filter: Filter | None = None,
    stages: Stages | None = None,
) -> SimilarPlaces:
    """Find the `k` places that look most like a place of the index, without the place itself.

    The other photos of its group show the same spot, and are left out too unless `same_spot`. The
    filters are those of `Engine.search`.

    Raises:
        UnknownPlaceError: there is no such place.
        IndexFormatError: the local features of the place are damaged.
        ParameterError: k outside 1–100, or only one of `near` and `radius_m`.
        StoreOutageError: the engine that holds the vectors does not answer.
    """
    require_k(k)
    require_near(near, radius_m)
    index = engine.index
    descriptor = index.descriptors().take(np.array([index.row_of(place_id)]))[0]
    left_out = {place_id} if same_spot else {place_id, *_spot(index, place_id)}
    notes = list(engine.chosen.notes)
    with (stages or Stages()).timed("search"):
        count, where = max(k, BACKGROUND), Where(near, radius_m, place_filter)
        hits = engine.hits(descriptor, count, where, notes, without=left_out)
    similarities = [hit.similarity for hit in hits]
    first = hits[:k]
    # A blank photo is as similar to any other one as to itself.
    shown = NOTHING if is_blank_place(index.codes(place_id)) else None
    probabilities = candidate_probabilities(
        engine.calibration, similarities[:k], [shown] * len(first), similarities
    )
    return SimilarPlaces(
        index_id=index.index_id,
        model=index.model_id,
        place_id=place_id,
        notes=tuple(notes),
        results=tuple(
            engine.result(rank, RankedPlace(hit, None, probability))
            for rank, (hit, probability) in enumerate(
                zip(first, probabilities, strict=True), start=1
            )
        ),
    )


def _spot(index: Index, place_id: int) -> list[int]:
    """The places of a place's group; none where it was never grouped."""
    group = index.groups.of(place_id)
    return [] if group is None else index.groups.members(group).tolist()
