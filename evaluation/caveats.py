"""Warnings beside an evaluation's figures: repeated photos, unreadable photos, chance level."""

from collections.abc import Mapping, Sequence

from place_search.evaluation.recall import all_are_right, no_better_than_chance
from place_search.evaluation.truth.ground_truth import GroundTruth


def listed_twice(truth: GroundTruth) -> list[str]:
    """A warning where the truth lists photos more than once."""
    twice = truth.listed_twice
    if not twice:
        return []
    return [
        f"{truth.name} lists {len(twice)} photos more than once, the first is '{twice[0]}', so "
        "they count more than once; leave one entry of each."
    ]


def unreadable(photos: int, queries: int) -> list[str]:
    """A warning where photos could not be read, some of which are queries."""
    if not photos:
        return []
    return [
        f"{photos} of the photos could not be read; {queries} of them are queries and count as "
        "wrong."
    ]


def chance_level(
    truth: GroundTruth,
    recall: Mapping[int, float],
    chance: Mapping[int, float],
    candidates: Sequence[float],
    right: Sequence[float],
) -> list[str]:
    """A warning where the recall is no better than chance, or could not be."""
    n = min(recall)
    if all_are_right(candidates, right):
        return [
            "Every photo is right for every query, so the figures say nothing: "
            + truth.remedy_all_right
        ]
    if not any(right):
        return [f"No query has a right photo among those that are searched, so R@{n} is 0 anyway."]
    if not no_better_than_chance(recall, candidates, right):
        return []
    return [
        f"R@{n} is {recall[n]:.1f} %, no better than the {chance[n]:.1f} % of a random ranking: "
        "the photos and the truth are probably out of step, or this model sees nothing in them."
    ]
