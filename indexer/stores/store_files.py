"""The vector store's file from one version to the next: kept, brought up to date, or built."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import FileStamp
from place_search.core.plugins import load_part
from place_search.indexer.stores.milvus_client import name_address
from place_search.indexer.stores.store_card import (
    AUTO,
    DEAD_SHARE,
    EXACT_BYTES,
    KINDS,
    StoreCard,
    choose_store,
)
from place_search.indexer.stores.vectors import Descriptors, StoreBuilder, VectorStore

LATE_BYTES = 8 << 20
"""The bytes of descriptors that a reader compares beside the file: about 1 ms a search."""
GROWTH = 2
"""The factor of growth in places from which codes and lists are fitted again."""


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """The requested store: a kind or `auto`, and the card of a file that may be kept.

    With `fold`, the file is updated with all changes, however small. `uri` is the address of a
    separate engine.
    """

    requested: str = AUTO
    exact_bytes: int = EXACT_BYTES
    old: StoreCard | None = None
    fold: bool = False
    uri: str = ""

    def __post_init__(self) -> None:
        if self.old is None:  # else the index names the address, not its user
            name_address(self.uri)


@dataclass(frozen=True, slots=True)
class StorePlan:
    """The plan for the file: `card` is that of the old file, kept or updated, or of a new file.

    The file will hold the places up to `max_place_id`.
    """

    action: Literal["keep", "update", "build"]
    card: StoreCard
    max_place_id: int


def plan_store(request: StoreRequest, ids: NDArray[np.int64], dims: int) -> StorePlan:
    """The plan for the file, for the places of these ascending ids."""
    new_card = choose_store(
        len(ids),
        dims,
        requested=request.requested,
        exact_bytes=request.exact_bytes,
        uri=request.uri,
    )
    last_id = int(ids[-1])
    old = request.old
    if old is None or old.kind == "exact":  # which has no file
        return StorePlan("build", new_card, last_id)
    stored_count = int(np.searchsorted(ids, old.max_place_id, side="right"))
    late_count, dead_count = len(ids) - stored_count, old.count - stored_count
    is_outdated = late_count * dims * 4 > LATE_BYTES or dead_count > DEAD_SHARE * old.count
    moved = new_card.kind == old.kind and new_card.uri != old.uri
    is_other_store = moved or request.requested not in (AUTO, old.kind)
    if not (is_outdated or is_other_store or (request.fold and (late_count or dead_count))):
        return StorePlan("keep", old, old.max_place_id)
    builder = _builder(old.kind)
    keeps_dead = request.fold and dead_count and not builder.drops_removed
    is_same_store = new_card.kind == old.kind and not moved and not keeps_dead
    fits = is_same_store and (builder.is_exact or len(ids) <= GROWTH * old.trained)
    if not fits:
        return StorePlan("build", new_card, last_id)
    return StorePlan("update", replace(old, requested=request.requested, why=new_card.why), last_id)


def write_store(
    plan: StorePlan, old: Path, rows: Descriptors, path: Path
) -> tuple[StoreCard, FileStamp | None]:
    """Carry out a plan that does not keep the file; the checksum of `old` holds.

    There is no stamp where the store has no file.
    """
    builder = _builder(plan.card.kind)
    if plan.action == "build":
        return builder.build(plan.card, rows, path)
    return builder.update(plan.card, old, rows, path)


def open_store(card: StoreCard, path: Path, rows: Descriptors) -> VectorStore:
    """Open a file whose checksum holds.

    Raises:
        IndexFormatError: the file cannot be read, or does not fit card and rows.
    """
    return _builder(card.kind).open(card, path, rows)


def _builder(kind: str) -> StoreBuilder:
    builder: StoreBuilder = load_part(KINDS, kind).BUILDER
    return builder
