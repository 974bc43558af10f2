"""Draws the photos of batches of places, from seed and epoch."""

from collections import deque
from collections.abc import Iterator

import numpy as np

from place_search.training.config import TrainingConfig
from place_search.training.data.features import Item
from place_search.training.data.places import Places
from place_search.training.process_group import ProcessGroup


def place_batches(
    places: Places, config: TrainingConfig, epoch: int, processes: ProcessGroup
) -> list[list[tuple[int, list[Item]]]]:
    """This process's batches of an epoch: for each place of a batch its number and its items.

    Every query is the first photo of a place once, unless too few photos far from each other are
    left to fill a batch.
    """
    random = np.random.default_rng((config.seed, epoch))
    return processes.share(
        [list(enumerate(group)) for group in _separate_groups(places, config, random)]
    )


def _separate_groups(
    places: Places, config: TrainingConfig, random: np.random.Generator
) -> Iterator[list[list[Item]]]:
    """Random groups of queries with their items; items of different queries are not near.

    Groups of one query are left out.
    """
    size = config.batch
    waiting = deque(random.permutation(places.queries).tolist())
    while waiting:
        group: list[list[Item]] = []
        nearby: set[int] = set()
        postponed: list[int] = []
        # The search is bounded: a smaller group costs less than an endless search.
        while waiting and len(group) < size and len(postponed) < 50 * size:
            row = waiting.popleft()
            items = [] if row in nearby else _items(places, config, row, random)
            if items and nearby.isdisjoint(photo for photo, _ in items):
                group.append(items)
                for photo, _ in items:
                    nearby.update(places.not_negatives[photo].tolist())
            else:
                postponed.append(row)
        if len(group) < 2:
            return
        yield group
        waiting.extendleft(reversed(postponed))


def _items(
    places: Places, config: TrainingConfig, row: int, random: np.random.Generator
) -> list[Item]:
    """A photo and some of its positives; each in a different view if views are drawn."""
    positives = random.choice(places.positives[row], config.photos_a_place - 1).tolist()
    if not config.views:
        return [(photo, 0) for photo in dict.fromkeys([row, *positives])]
    views = random.permutation(config.views)[: config.photos_a_place] + 1
    return [
        (photo, int(views[number % len(views)])) for number, photo in enumerate([row, *positives])
    ]
