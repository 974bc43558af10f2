"""Which photos a batch of places holds; drawn anew from seed, epoch and step."""

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

    Every query is the first photo of a place once, as far as batches can be filled with photos of
    which none are near each other.
    """
    random = np.random.default_rng((config.seed, epoch))
    return processes.share([list(enumerate(group)) for group in _apart(places, config, random)])


def _apart(
    places: Places, config: TrainingConfig, random: np.random.Generator
) -> Iterator[list[list[Item]]]:
    """Random groups of queries with their items, no item near one of another query.

    Small groups are left out.
    """
    size = config.batch
    waiting = deque(random.permutation(places.queries).tolist())
    while waiting:
        group: list[list[Item]] = []
        taken: set[int] = set()
        later: list[int] = []
        # Looking on for ever would cost more than a smaller group does.
        while waiting and len(group) < size and len(later) < 50 * size:
            row = waiting.popleft()
            items = [] if row in taken else _items(places, config, row, random)
            if items and taken.isdisjoint(photo for photo, _ in items):
                group.append(items)
                for photo, _ in items:
                    taken.update(places.not_negatives[photo].tolist())
            else:
                later.append(row)
        if len(group) < 2:
            return
        yield group
        waiting.extendleft(reversed(later))


def _items(
    places: Places, config: TrainingConfig, row: int, random: np.random.Generator
) -> list[Item]:
    """The photo and some of its positives; each in another view where views are drawn."""
    others = random.choice(places.positives[row], config.photos_a_place - 1).tolist()
    if not config.views:
        return [(chosen, 0) for chosen in dict.fromkeys([row, *others])]
    views = random.permutation(config.views)[: config.photos_a_place] + 1
    return [(chosen, int(views[at % len(views)])) for at, chosen in enumerate([row, *others])]
