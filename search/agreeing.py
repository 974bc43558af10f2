"""What the results of one search say of each other: only one place can be the photo's."""

from collections.abc import Sequence

import numpy as np

from place_search.core.geodesy import distances_m
from place_search.indexer import Index
from place_search.search.probability import UNSURE_FROM
from place_search.search.several.views import Found

FAR_M = 1000.0
"""Farther apart than the spots from which one thing is seen, but for towers and mountains."""


def in_agreement(
    index: Index, ranked: Sequence[Found], threshold: float, notes: list[str]
) -> list[Found]:
    """Results as they say together how probable each is.

    Where at least as many of the found ones lie far from the first as near it, what they share is
    no place, but a watermark, say, or the bonnet of a car: each is then unsure, and `notes` say so.
    """
    found = {one.hit.place_id for one in ranked if (one.probability or 0.0) >= threshold}
    positions = [
        index.place(one.hit.place_id).position for one in ranked if one.hit.place_id in found
    ]
    there = np.array([position for position in positions if position is not None])
    if not len(there) or positions[0] is None:
        return list(ranked)
    away = distances_m(there, positions[0])
    far = np.count_nonzero(away > FAR_M)
    if not far or 2 * far < len(there):
        return list(ranked)
    notes.append(
        f"{len(found)} results agree with the photo, and lie up to {away.max() / 1000:.0f} km "
        "apart: what they share is no place, but a watermark or a part of the car, say."
    )
    return [
        one._replace(probability=UNSURE_FROM) if one.hit.place_id in found else one
        for one in ranked
    ]
