"""Places of an index by a descriptor, without a model that describes photos."""

from collections.abc import Collection, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from place_search.indexer import Filter, Hit, Index
from place_search.search.index_calibration import ChosenCalibration
from place_search.search.positions import PlacePositions
from place_search.search.probability import rounded_probability
from place_search.search.results import Result, Verified, spot_of
from place_search.search.several.batch import BatchStandards
from place_search.search.several.views import RankedPlace, Where

_MOST_DROPPED = 2500
"""The largest number of places left out that a search may find and drop; it never sees others."""


class DescriptorSearch:
    """Finds places of one index by a descriptor. Thread-safe."""

    def __init__(self, index: Index, chosen: ChosenCalibration) -> None:
        """The `chosen` calibration says how probable results are."""
        self.index = index
        self.chosen = chosen
        self.calibration = chosen.calibration

    @cached_property
    def positions(self) -> PlacePositions:
        """The positions of the places that have one."""
        return PlacePositions(self.index.place_ids, self.index.positions)

    def result(self, rank: int, ranked: RankedPlace) -> Result:
        """The result of an answer for a place that was found."""
        hit, verification = ranked.hit, ranked.verification
        place = self.index.place(hit.place_id)
        return Result(
            rank=rank,
            place_id=place.place_id,
            name=place.name,
            # Rounding hides the last bits of float32: a photo's cosine with itself exceeds 1.
            similarity=min(round(float(hit.similarity), 6), 1.0),
            probability=rounded_probability(ranked.probability or 0.0),
            verified=None
            if verification is None
            else Verified(verification.inliers, round(verification.score, 3)),
            position=place.position,
            utm=place.utm,
            group=spot_of(self.index, place.place_id),
            heading=place.heading,
            query_view=ranked.facing,
        )

    def hits(
        self,
        descriptor: NDArray[np.float32],
        k: int,
        where: Where,
        notes: list[str],
        batch: BatchStandards | None = None,
        without: Collection[int] = (),
    ) -> Sequence[Hit]:
        """At least the k places most similar to a (D,) descriptor, `without` these places.

        `notes` get a remark where none fits.
        """
        near, radius_m, place_filter = where
        only = box = None
        if near is not None and radius_m is not None:
            only = self.positions.within(near, radius_m)
            if not len(only):
                notes.append(
                    f"No place with a position lies within {radius_m:g} m of "
                    f"{near.latitude:.10g},{near.longitude:.10g}."
                )
                return []
            box = self.positions.box(near, radius_m)
        if place_filter:
            only = self._fitting(place_filter, only)
            if not len(only):
                notes.append("No place fits all filters; leave one of them out.")
                return []
        # Stores with codes find the nearest more surely where more are asked for, but a search for
        # tens of thousands takes seconds.
        k += min(len(without), _MOST_DROPPED)
        if len(without) > _MOST_DROPPED:
            only = self.index.place_ids if only is None else only
            only = only[~np.isin(only, [*without])]
        if batch is None:
            hits: Sequence[Hit] = self.index.search(descriptor, k, only=only, box=box)
        else:
            notes.append(batch.note)
            hits = batch.ranked(self.index, descriptor, k, only=only, box=box)
        return [hit for hit in hits if hit.place_id not in without] if without else hits

    def _fitting(self, place_filter: Filter, among: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """The ids of the places that fit a filter, only those in `among` where it is given."""
        rows = self.index.matching(place_filter)
        if among is None:
            return self.index.place_ids[rows]
        # Without sorting, which takes most of the time of a search of a million places.
        fits = np.zeros(self.index.count, np.bool_)
        fits[rows] = True
        return among[fits[np.searchsorted(self.index.place_ids, among)]]
